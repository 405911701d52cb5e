"""`speechxl calibrate`, on a small model of two languages of which one has phones of its own."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from speechxl.cli import main
from speechxl.config import Phones, Watch
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.decoding.recogniser import Recogniser
from speechxl.decoding.scores import Scorer
from speechxl.errors import InputError, NothingMatched
from speechxl.evaluation import refitting
from speechxl.evaluation.leaving_out import LeftOut, Rate, Spoken
from speechxl.models.extensions import articulation_of
from speechxl.models.folders import read_card
from speechxl.models.weights import load_ctc_model
from speechxl.phonology.distance import new_metric
from speechxl.phonology.mapping import Settings
from speechxl.text import Vocabulary
from speechxl.verbs import calibration, calibration_curve
from speechxl.verbs.calibrate import calibrate
from speechxl.verbs.finetune import finetune
from speechxl.verbs.map import map as map_phones
from speechxl.verbs.transcribe import transcribe
from tests.conftest import SMALL, make_corpus

pytestmark = pytest.mark.usefixtures("no_phoible")


@pytest.fixture
def corpus(tmp_path):
    """Quechua has q where Swahili has d."""
    folder = make_corpus(tmp_path / "corpus")
    path = folder / "manifest.tsv"
    rows = [
        replace(row, phonemes=" ".join(row.text.replace(" ", "")).replace("d", "q" if row.language == "quy" else "d"))
        for row in read_manifest(path)
    ]
    write_manifest(path, rows)
    return folder


def train(corpus, out, **options):
    settings = {
        "attributes": True,
        "units": "phoneme",
        "max_steps": 1,
        "batch_seconds": 4.0,
        "device": "cpu",
        **options,
    }
    finetune(train=[corpus], out=out, preset="tiny", architecture=SMALL, watch=Watch(log_every=1), **settings)
    return str(out)


@pytest.fixture
def model(corpus, tmp_path):
    return train(corpus, tmp_path / "m")


def test_the_best_values_are_written_and_taken_by_mapping(model, corpus, tmp_path, monkeypatch):
    errors = {("soft", 0.3): 0.1, ("compose", 2.0): 0.05, ("compose", 6.0): 0.1, ("blend", 0.7): 0.1}

    def rate(utterances, models, settings):
        parameter = {"soft": "tau", "compose": "penalty", "blend": "weight"}[settings.strategy]
        if settings.strategy == "blend":
            assert (settings.tau, settings.penalty) == (0.3, 6.0)
        per = errors.get((settings.strategy, getattr(settings, parameter)), 0.5)
        return Rate(per, np.full(10, per), dict.fromkeys(utterances, per))

    monkeypatch.setattr(calibration_curve, "left_out_rate", rate)
    (tmp_path / "own.txt").write_text("a\nb\nt\n", encoding="utf-8")
    inventory = str(tmp_path / "own.txt")
    before = map_phones(model, inventory=inventory, distance="panphon").document["parameters"]
    outcome = calibrate(model, [corpus], distance="panphon", precision="32")
    document = json.loads(json.dumps(outcome.document))
    assert document["best"] == {"tau": 0.3, "penalty": 6.0, "weight": 0.7}
    assert document["languages"]["quy"]["left_out"] == ["q"]
    assert document["languages"]["swh"]["left_out"] == ["d"]
    assert [point["per"] for point in document["curve"]].count(0.1) == 3
    lines = outcome.text.splitlines()
    assert lines[0] == "mean over 2 languages, each left out in turn: quy swh"
    assert sum(line.endswith("best") for line in lines) == 3
    note = read_card(model).phones.calibration
    assert (note.distance, note.tau, note.penalty, note.weight) == ("panphon", 0.3, 6.0, 0.7)
    assert (note.languages, note.utterances) == (["quy", "swh"], 4)
    assert before == {"tau": 0.6}
    after = map_phones(model, inventory=inventory, strategy="blend", distance="panphon")
    assert after.document["parameters"] == {"tau": 0.3, "penalty": 6.0, "weight": 0.7}
    assert "strategy blend tau 0.3 penalty 6 weight 0.7, distance panphon" in after.text
    assert map_phones(model, inventory=inventory, tau=0.9, distance="panphon").document["parameters"] == {"tau": 0.9}
    assert map_phones(model, inventory=inventory, distance="hamming").document["parameters"] == {
        "tau": 0.6
    }  # another distance
    phones = Phones(distance="panphon")
    result = transcribe(model, [str(corpus / "u00.wav")], inventory=inventory, phones=phones, precision="32")
    assert result.document["maps"][0]["parameters"] == {"tau": 0.3}
    model, vocabulary, _ = load_ctc_model(model)  # still whole
    assert articulation_of(model) is not None
    assert "q" in vocabulary.symbols


def test_errors_are_those_of_models_without_each_language(model, corpus):
    outcome = calibrate(model, [corpus], distance="panphon", precision="32", dry_run=True)
    assert read_card(model).phones.calibration is None
    rows = [row for row in read_manifest(corpus / "manifest.tsv") if row.split == "dev"]
    network, vocabulary, card = load_ctc_model(model)
    points = {(point["strategy"], point[point["searched"]]): point for point in outcome.document["curve"]}
    assert len(points) == 10 + 9 + 8
    recogniser = Recogniser(network, vocabulary, normalise=card.normalise)
    from speechxl.data.audio import read_utterance

    for language in ("quy", "swh"):
        left = LeftOut(vocabulary, card.phones.counts, language, new_metric("panphon"))
        own = [row for row in rows if row.language == language]
        logits = recogniser.logits([read_utterance(row) for row in own])
        spoken = [
            Spoken(language, tuple(row.phonemes.split()), x.log_softmax(-1).numpy(), np.zeros((0, 0)))
            for row, x in zip(own, logits, strict=True)
        ]
        from jiwer import wer

        texts = [" ".join(found) for found in left.recognise(spoken, Settings(tau=0.4))]
        expected = wer([row.phonemes for row in own], texts)
        assert points["soft", 0.4]["per_language"][language] == pytest.approx(expected)
    alike = outcome.document["curve"][0]["interval"]
    assert alike[0] <= outcome.document["curve"][0]["per"] <= alike[1]
    assert points["blend", 0.0]["per"] == pytest.approx(points["soft", outcome.document["best"]["tau"]]["per"])
    assert points["blend", 1.0]["per"] == pytest.approx(points["compose", outcome.document["best"]["penalty"]]["per"])


def test_all_that_a_model_says_comes_in_one_pass(model):
    network, vocabulary, _ = load_ctc_model(model)
    waveforms = [np.random.default_rng(n).normal(size=8_000 + 4_000 * n).astype(np.float32) for n in range(2)]
    with torch.inference_mode():
        features = [network.eval().wav2vec2(torch.from_numpy(x)[None]).features[0] for x in waveforms]
        emissions = [network.lm_head(x).log_softmax(-1) for x in features]
    found = Scorer(network, vocabulary, normalise=False)(waveforms)
    for (first, second), one, other in zip(found, emissions, features, strict=True):
        np.testing.assert_allclose(first, one.numpy(), atol=1e-4)
        np.testing.assert_allclose(second, other.numpy(), atol=1e-4)


def test_heads_are_fitted_to_training_rows_of_the_other_languages(model, corpus, monkeypatch):
    fitted = []

    def fit(utterances, *arguments):
        fitted.append({(spoken.language, spoken.phones) for spoken in utterances})
        return refitting.fit_composition(utterances, *arguments)

    monkeypatch.setattr(calibration, "fit_composition", fit)
    calibrate(model, [corpus], distance="panphon", precision="32", dry_run=True)
    rows = [row for row in read_manifest(corpus / "manifest.tsv") if row.split == "train"]
    expected = [
        {(row.language, tuple(row.phonemes.split())) for row in rows if row.language == language}
        for language in ("swh", "quy")
    ]
    assert fitted == expected  # without quy, then without swh
    fitted.clear()
    dev = [row for row in read_manifest(corpus / "manifest.tsv") if row.split == "dev"]
    write_manifest(corpus / "dev.tsv", dev)
    calibrate(model, [corpus / "dev.tsv"], distance="panphon", precision="32", dry_run=True)
    assert fitted[0] == {("swh", tuple(row.phonemes.split())) for row in dev if row.language == "swh"}


def test_without_heads_only_tau_is_searched(corpus, tmp_path):
    model = train(corpus, tmp_path / "plain", attributes=False)
    document = calibrate(model, [corpus], distance="panphon", precision="32").document
    assert {point["strategy"] for point in document["curve"]} == {"soft"}
    note = read_card(model).phones.calibration
    assert (note.penalty, note.weight) == (None, None)


def test_among_settings_that_are_as_good_the_usual_one_is_taken(monkeypatch):
    same = Rate(0.5, np.full(10, 0.5), {"quy": 0.5})
    monkeypatch.setattr(calibration_curve, "left_out_rate", lambda *_: same)
    curve, best = calibration_curve.search({}, {}, heads=True)
    assert best == Settings()
    assert len(curve) == 27


def test_a_language_that_was_not_heard_is_refused(model, corpus, capsys):
    path = corpus / "manifest.tsv"
    rows = read_manifest(path)
    write_manifest(path, [replace(row, language="zul") if row.id == "u11.wav" else row for row in rows])
    assert main(["calibrate", model, str(corpus), "--distance", "panphon"]) == 2
    told = capsys.readouterr().err
    assert "manifest.tsv:13: zul is none of the training languages (quy, swh)" in told
    assert "leave its rows out" in told
    write_manifest(path, [replace(row, language="") if row.id == "u11.wav" else row for row in rows])
    with pytest.raises(
        InputError, match=r"manifest.tsv:13: its language, which is not named, is none of the training languages"
    ):
        calibrate(model, [corpus], distance="panphon")
    assert read_card(model).phones.calibration is None


def change_note(model, change):
    path = f"{model}/speechxl.json"
    with open(path) as file:
        document = json.load(file)
    change(document["phones"])
    with open(path, "w") as file:
        json.dump(document, file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda phones: phones.update(counts={}),
            "m: speechxl.json does not say which phones were heard in which language",
        ),
        (lambda phones: phones["counts"].pop("quy"), "m: was trained on one language, swh; there have to be others"),
    ],
)
def test_a_model_that_says_too_little_is_refused(model, corpus, change, message):
    change_note(model, change)
    with pytest.raises(InputError, match=message):
        calibrate(model, [corpus], distance="panphon")


def test_a_language_without_which_nothing_is_left_is_named(model, corpus):
    change_note(model, lambda phones: phones["counts"].update(swh={"☃": 1}, quy={**phones["counts"]["quy"], "d": 1}))
    with pytest.raises(InputError, match=r"m: without quy, too little is left: No symbol of the model is IPA"):
        calibrate(model, [corpus], distance="panphon")


def test_what_cannot_be_calibrated_is_said(model, corpus, tmp_path, ctc_folder):
    with pytest.raises(InputError, match="ctc: The model writes characters, not phones"):
        calibrate(str(ctc_folder), [corpus])
    with pytest.raises(InputError, match="column 'ipa' is empty in all rows"):
        calibrate(model, [corpus], column="ipa")
    with pytest.raises(NothingMatched, match="no row with split 'test'"):
        calibrate(model, [corpus], split="test")
    separate = train(corpus, tmp_path / "separate", separate_vocabularies=True, attributes=False)
    with pytest.raises(InputError, match="separate: has a vocabulary for each language"):
        calibrate(separate, [corpus])


def test_all_rows_are_used_where_none_is_for_dev(model, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(calibration_curve, "_STEPS", calibration_curve._STEPS[:1])
    rows = [replace(row, split="train") for row in read_manifest(tmp_path / "m" / "dev.tsv")]
    write_manifest(tmp_path / "held.tsv", rows)
    document = calibrate(model, [tmp_path / "held.tsv"], distance="panphon", precision="32").document
    assert sum(own["utterances"] for own in document["languages"].values()) == len(rows)
    assert "there are no dev rows, all are used" in caplog.text


def test_a_model_of_the_hub_cannot_be_written_to(monkeypatch):
    from speechxl.models.folders import Card
    from speechxl.models.phone_note import PhoneNote

    note = PhoneNote("", "", "", {"quy": {"a": 1}, "swh": {"a": 1}})
    monkeypatch.setattr(calibration, "read_vocabularies", lambda _: Vocabulary(("<pad>", "a"), 0, None))
    monkeypatch.setattr(calibration, "read_card", lambda _: Card(normalise=True, phones=note))
    with pytest.raises(InputError, match="someone/model: is not a folder here"):
        calibration.read_note_of("someone/model", write=True)
    assert calibration.read_note_of("someone/model", write=False) == (note, None)


def test_a_recording_that_cannot_be_read_is_passed_over(model, corpus):
    (corpus / "u11.wav").write_text("no audio")
    outcome = calibrate(model, [corpus], distance="panphon", precision="32")
    assert outcome.code == 4
    assert len(outcome.document["failures"]) == 1
    assert outcome.document["languages"]["swh"]["utterances"] == 1
    for path in corpus.glob("*.wav"):
        path.unlink()
    with pytest.raises(InputError, match="No recording with phones can be used"):
        calibrate(model, [corpus], distance="panphon")
