import contextlib
import json
import math
import shutil
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
import yaml
from safetensors.torch import load_file

from speechxl.config import Adapter, Augment, Optim, Watch
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError, Interrupted
from speechxl.models.folders import Card
from speechxl.models.making import new_pretraining_model
from speechxl.models.saving import save_model
from speechxl.models.weights import load_ctc_model
from speechxl.tasks.checkpoints import checkpoint_step
from speechxl.tasks.recognition import Recognition
from speechxl.verbs import best, lr_finder
from speechxl.verbs.evaluate import evaluate
from speechxl.verbs.finetune import finetune
from speechxl.verbs.recipe import usual_steps
from speechxl.verbs.transcribe import transcribe
from tests.conftest import SMALL, small_preset

QUICK = {"max_steps": 2, "batch_seconds": 4.0, "device": "cpu", "watch": Watch(log_every=1)}


def scratch(corpus, out, **options):
    return finetune(train=[corpus], out=out, preset="tiny", architecture=SMALL, **{**QUICK, **options})


def change(corpus, **fields):
    path = corpus / "manifest.tsv"
    write_manifest(
        path, [replace(row, **{key: value(row) for key, value in fields.items()}) for row in read_manifest(path)]
    )


def test_several_processes_hear_more_epochs(corpus, tmp_path, monkeypatch):
    alone = scratch(corpus, tmp_path / "m", dry_run=True).document["epochs"]
    for name, value in {"RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert scratch(corpus, tmp_path / "m", dry_run=True).document["epochs"] == pytest.approx(2 * alone)


def test_the_vocabulary_is_that_of_the_training_text_only(corpus, tmp_path, caplog):
    change(corpus, text=lambda row: row.text + (" ñe" if row.split == "dev" else ""))
    document = scratch(corpus, tmp_path / "m").document
    _, vocabulary, card = load_ctc_model(str(tmp_path / "m"))
    assert "ñ" not in vocabulary.symbols
    assert set(vocabulary.symbols) <= {"<pad>", "<unk>", "|", *"abdlo"}
    assert card.languages == ["quy", "swh"]
    assert "dev holds symbols that training never saw, they count as errors: ñ U+00F1 (4, as in 'ñe' at " in caplog.text
    assert [(found["symbol"], found["count"]) for found in document["unseen_in_train"]] == [("ñ", 4), ("e", 4)]
    caplog.clear()
    assert scratch(corpus, tmp_path / "other", dry_run=True).document["unseen_in_train"] == document["unseen_in_train"]
    assert "e U+0065 (4, as in 'ñe'" in caplog.text


def test_phones_from_a_column_of_one_s_own(corpus, tmp_path):
    rows = [
        replace(row, extra={"ipa": "tʃ " + " ".join(row.text.replace(" ", ""))})
        for row in read_manifest(corpus / "manifest.tsv")
    ]
    write_manifest(corpus / "manifest.tsv", rows)
    scratch(corpus, tmp_path / "m", units="phoneme", column="ipa")
    _, vocabulary, card = load_ctc_model(str(tmp_path / "m"))
    assert "tʃ" in vocabulary.symbols
    assert (card.units, card.column) == ("phoneme", "ipa")
    document = evaluate(str(tmp_path / "m"), [corpus], split="dev").document
    assert document["wer"] is None
    assert document["per"] > 0
    result = transcribe(str(tmp_path / "m"), [str(corpus / "u00.wav")]).document["results"][0]
    assert [phone["phone"] for phone in result["phones"]] == result["text"].split()


def test_a_folder_of_recordings_with_texts_is_enough(corpus, tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for row in read_manifest(corpus / "manifest.tsv"):
        shutil.copy(row.path, folder)
        (folder / row.path.name).with_suffix(".txt").write_text(row.text)
    outcome = scratch(folder, tmp_path / "m")
    assert outcome.document["utterances"] == 13
    assert outcome.document["dev_utterances"] == 1
    assert transcribe(str(tmp_path / "m"), [str(folder)]).code == 0


def test_fine_tuning_from_a_pretrained_folder_keeps_the_extractor(
    corpus, tmp_path, pretrained_folder, pretraining_model
):
    finetune(
        str(pretrained_folder), train=[corpus], out=tmp_path / "m", **QUICK, optim=Optim(lr=0.1), freeze_extractor=True
    )
    model, _, card = load_ctc_model(str(tmp_path / "m"))
    before = pretraining_model.wav2vec2.state_dict()
    for name, parameter in model.wav2vec2.state_dict().items():
        same = (parameter == before[name]).all()
        assert same or not name.startswith("feature_extractor"), name
    assert not (
        model.wav2vec2.encoder.layers[0].feed_forward.output_dense.weight
        == before["encoder.layers.0.feed_forward.output_dense.weight"]
    ).all()
    assert card.normalise


def test_only_the_head_is_trained_while_the_encoder_is_frozen(corpus, tmp_path, pretrained_folder, pretraining_model):
    finetune(str(pretrained_folder), train=[corpus], out=tmp_path / "m", **QUICK, freeze_encoder=1.0)
    model, _, _ = load_ctc_model(str(tmp_path / "m"))
    before = pretraining_model.wav2vec2.state_dict()
    assert all((parameter == before[name]).all() for name, parameter in model.wav2vec2.state_dict().items())


def test_settings_are_saved_resolved_and_repeat_the_run(corpus, tmp_path):
    from speechxl.cli import main

    scratch(corpus, tmp_path / "m")
    settings = yaml.safe_load((tmp_path / "m" / "config.yaml").read_text())
    assert settings["optim"]["lr"] == 1e-3
    assert settings["freeze_extractor"] is False
    assert settings["column"] == "text"
    arguments = ["finetune", "--config", str(tmp_path / "m" / "config.yaml"), "--out", str(tmp_path / "again")]
    assert main(arguments) == 0
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == (
        tmp_path / "again" / "model.safetensors"
    ).read_bytes()


def test_the_settings_of_a_run_name_the_model_that_it_began_with(corpus, tmp_path, pretrained_folder):
    from speechxl.cli import main

    finetune(str(pretrained_folder), train=[corpus], out=tmp_path / "m", **QUICK)
    assert main(["finetune", "--config", str(tmp_path / "m" / "config.yaml"), "--out", str(tmp_path / "again")]) == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("m", "again")]
    assert weights[0] == weights[1]


def test_the_folder_holds_the_best_model_by_dev_error(corpus, tmp_path, monkeypatch):
    from speechxl.tasks.recognition import Recognition

    errors = iter([0.9, 0.5, 0.7])

    def end(self):
        self.score = next(errors)

    monkeypatch.setattr(Recognition, "on_validation_epoch_end", end)
    outcome = scratch(corpus, tmp_path / "m", max_steps=3, watch=Watch(log_every=1, eval_every=1))
    assert outcome.document["best"] == {"step": 2, "error": 0.5}


def test_utterances_too_short_for_their_text_are_left_out_and_counted(corpus, tmp_path, caplog):
    change(corpus, text=lambda row: row.text * 30 if row.id == "u00.wav" else row.text)
    outcome = scratch(corpus, tmp_path / "m", dry_run=True)
    assert outcome.document["dropped"] == {"too_short_for_text": 1, "unusable_audio": 0}
    assert outcome.document["utterances"] == 9
    assert "manifest.tsv:2" in caplog.text
    assert not (tmp_path / "m").exists()
    scratch(corpus, tmp_path / "m")
    assert [row.path.name for row in read_manifest(tmp_path / "m" / "dropped.tsv")] == ["u00.wav"]


def test_a_vocabulary_file_with_symbols_of_several_characters(corpus, tmp_path):
    (tmp_path / "symbols.txt").write_text("ba\nbo\nda\ndo\nla\nlo\n")
    scratch(corpus, tmp_path / "m", vocabulary=tmp_path / "symbols.txt")
    _, vocabulary, _ = load_ctc_model(str(tmp_path / "m"))
    assert vocabulary.symbols == ("<pad>", "<unk>", "|", "ba", "bo", "da", "do", "la", "lo")


def test_text_outside_a_given_vocabulary_is_refused_with_its_place(corpus, tmp_path):
    (tmp_path / "symbols.txt").write_text("a\nb\nd\nl\n")
    with pytest.raises(
        InputError, match=r"manifest.tsv:\d+: .*symbols outside the vocabulary: 'o' \(U\+006F LATIN SMALL LETTER O\)"
    ):
        scratch(corpus, tmp_path / "m", vocabulary=tmp_path / "symbols.txt")
    vocab = tmp_path / "vocab.json"
    vocab.write_text(json.dumps({"<pad>": 0, "a": 1}))
    with pytest.raises(InputError, match="symbols outside the vocabulary"):
        scratch(corpus, tmp_path / "m", vocabulary=vocab)


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        ({"text": lambda row: ""}, {}, "column 'text' is empty or absent in all 10 rows"),
        ({"split": lambda row: "test"}, {}, "no row with split 'train'"),
        ({}, {"split": "nope"}, "no row with split 'nope'; there are dev, train"),
        ({}, {"units": "phoneme"}, "column 'phonemes' is empty or absent"),
        ({"duration": lambda row: 0.1}, {}, "No training utterance is left"),
        ({"text": lambda row: "a" * 500}, {}, "every text is too long for its audio"),
        ({}, {"max_steps": 0}, "--max_steps must be at least 1, got 0"),
    ],
)
def test_a_training_set_that_is_empty_is_explained(corpus, tmp_path, spoil, options, message):
    change(corpus, **spoil)
    with pytest.raises(InputError, match=message):
        scratch(corpus, tmp_path / "m", **options)
    assert not (tmp_path / "m").exists()


def moved(corpus, folder, **fields):
    """The same rows, with other recordings of the same names."""
    shutil.copytree(corpus, folder)
    change(folder, **fields)
    return folder


def test_recordings_of_the_same_name_in_another_folder_are_other_recordings(corpus, tmp_path):
    other = moved(corpus, tmp_path / "other", split=lambda row: "")
    outcome = finetune(train=[corpus], dev=[other], out=tmp_path / "m", preset="tiny", architecture=SMALL, **QUICK)
    assert outcome.document["dev_utterances"] == len(read_manifest(other / "manifest.tsv"))
    with pytest.raises(InputError, match="Every dev row is a training row as well"):
        scratch(other, tmp_path / "n", dev=[other])


def test_dev_rows_of_one_corpus_are_used_where_another_has_none(corpus, tmp_path):
    other = moved(corpus, tmp_path / "other", split=lambda row: "train")
    finetune(train=[other, corpus], out=tmp_path / "m", preset="tiny", architecture=SMALL, **QUICK)
    held = read_manifest(tmp_path / "m" / "dev.tsv")
    assert {row.path.parent.name for row in held} == {corpus.name}
    assert {row.split for row in held} == {"dev"}


def test_rows_that_were_held_out_can_be_evaluated(corpus, tmp_path):
    change(corpus, split=lambda row: "")
    outcome = scratch(corpus, tmp_path / "m")
    document = evaluate(str(tmp_path / "m"), [tmp_path / "m" / "dev.tsv"], precision="32").document
    assert document["utterances"] == outcome.document["dev_utterances"] > 0
    assert document["cer"] == pytest.approx(outcome.document["best"]["error"])


def test_the_last_step_is_evaluated_whatever_the_rhythm(corpus, tmp_path):
    outcome = scratch(corpus, tmp_path / "m", watch=Watch(log_every=1, eval_every=50))
    assert outcome.document["best"]["step"] == 2
    assert (tmp_path / "m" / "model.safetensors").exists()


def test_a_checkpoint_with_vocabularies_of_several_languages_can_be_the_start(corpus, tmp_path, ctc_folder):
    (ctc_folder / "vocab.json").write_text(json.dumps({"eng": {"a": 0}, "swh": {"a": 0}}))
    finetune(str(ctc_folder), train=[corpus], out=tmp_path / "m", **QUICK)
    (ctc_folder / "vocab.json").unlink()
    finetune(str(ctc_folder), train=[corpus], out=tmp_path / "n", **QUICK)
    assert len(load_ctc_model(str(tmp_path / "n"))[1]) == 8


def test_a_vocabulary_keeps_its_blank(corpus, tmp_path):
    path = tmp_path / "vocab.json"
    path.write_text(json.dumps({symbol: number for number, symbol in enumerate(["|", *"abdlo", "[UNK]", "[PAD]"])}))
    scratch(corpus, tmp_path / "m", vocabulary=path)
    vocabulary = load_ctc_model(str(tmp_path / "m"))[1]
    assert vocabulary.symbols[vocabulary.blank] == "[PAD]"
    assert vocabulary.decode(vocabulary.encode("ba do")) == "ba do"


def test_small_models_are_trained_whole_and_large_ones_are_not(corpus, tmp_path, pretrained_folder):
    finetune(str(pretrained_folder), train=[corpus], out=tmp_path / "small", **QUICK)
    (pretrained_folder / "speechxl.json").unlink()
    finetune(str(pretrained_folder), train=[corpus], out=tmp_path / "large", **QUICK)
    settings = [yaml.safe_load((tmp_path / name / "config.yaml").read_text()) for name in ("small", "large")]
    assert [each["freeze_extractor"] for each in settings] == [False, True]
    assert [each["freeze_encoder"] for each in settings] == [0.0, 0.1]
    assert [each["curriculum"] for each in settings] == [0.2, 0.0]
    assert [each["augment"]["time_prob"] for each in settings] == [0.0, 0.75]


def test_recordings_that_cannot_be_used_are_left_out_and_reported(corpus, tmp_path, caplog):
    (corpus / "u01.wav").unlink()
    (corpus / "u02.wav").write_text("no audio")
    outcome = scratch(corpus, tmp_path / "m")
    assert outcome.code == 4
    assert outcome.document["dropped"]["unusable_audio"] == 2
    assert f"left out: {corpus / 'manifest.tsv'}:3: {corpus / 'u01.wav'}: there is no such file" in caplog.text
    for path in corpus.glob("*.wav"):
        path.unlink()
    with pytest.raises(InputError, match=r"No recording can be used; the first: .*there is no such file"):
        scratch(corpus, tmp_path / "n")


def test_a_recording_that_cannot_be_decoded_is_passed_over_during_training(corpus, tmp_path, caplog):
    samples, rate = soundfile.read(corpus / "u01.wav")
    samples[100] = float("nan")
    soundfile.write(corpus / "u01.wav", samples, rate, subtype="FLOAT")
    outcome = scratch(corpus, tmp_path / "m", max_steps=8)
    assert outcome.code == 4
    assert caplog.text.count("passed over") == 1
    assert "is not a finite number" in caplog.text


def test_a_run_of_another_model_is_not_continued_and_stays_as_it_is(corpus, tmp_path):
    scratch(corpus, tmp_path / "m")
    before = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir() if path.is_file()}
    change(corpus, text=lambda row: row.text + " x")
    with pytest.raises(InputError, match=r"is of another model \(lm_head.bias is \(8,\) there and \(9,\) now"):
        scratch(corpus, tmp_path / "m", resume=True)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir() if path.is_file()}


def test_the_size_of_a_model_folder_cannot_be_changed(corpus, tmp_path, pretrained_folder):
    with pytest.raises(InputError, match="a MODEL folder has its size already"):
        finetune(str(pretrained_folder), train=[corpus], out=tmp_path / "m", architecture=SMALL, **QUICK)


def test_a_column_that_is_not_there_lists_those_that_are(corpus, tmp_path):
    change(corpus, extra=lambda row: {"ipa": "a b"})
    with pytest.raises(InputError, match=r"column 'phones' is empty .* --column \(there are also ipa\)"):
        scratch(corpus, tmp_path / "m", column="phones")


def test_the_steps_follow_the_hours_of_speech(corpus, tmp_path):
    change(corpus, duration=lambda row: row.duration)
    options = {**QUICK, "max_steps": None}
    outcome = finetune(train=[corpus], out=tmp_path / "m", preset="tiny", architecture=SMALL, dry_run=True, **options)
    assert outcome.document["max_steps"] == usual_steps(outcome.document["hours"]) == 2000
    assert [usual_steps(hours) for hours in (1 / 6, 1, 10, 100, 10_000)] == [2000, 4000, 10_000, 25_200, 50_000]


def test_an_update_of_a_large_model_is_minutes_and_of_a_small_one_a_batch(corpus, tmp_path, pretrained_folder):
    small = finetune(str(pretrained_folder), train=[corpus], out=tmp_path / "m", dry_run=True, **QUICK).document
    (pretrained_folder / "speechxl.json").unlink()
    large = finetune(str(pretrained_folder), train=[corpus], out=tmp_path / "m", dry_run=True, **QUICK).document
    assert small["update_hours"] * 3600 < 4
    assert large["update_hours"] * 3600 == pytest.approx(160, rel=0.1)


def test_languages_are_balanced(corpus, tmp_path):
    rows = read_manifest(corpus / "manifest.tsv")
    few = [row for row in rows if row.split == "dev" or row.language == "quy" or row.id == "u01.wav"]
    write_manifest(corpus / "manifest.tsv", few)
    alike = scratch(corpus, tmp_path / "m", dry_run=True, alpha=0.0)
    as_they_come = scratch(corpus, tmp_path / "m", dry_run=True, alpha=1.0)
    assert "swh" in alike.text.splitlines()[2]
    epochs = [float(outcome.text.splitlines()[2].split()[-1]) for outcome in (alike, as_they_come)]
    assert epochs[0] > 2 * epochs[1]
    assert as_they_come.text.splitlines()[1].split()[-1] == as_they_come.text.splitlines()[2].split()[-1]


def test_a_few_utterances_are_learnt_by_heart(corpus, tmp_path):
    augment, watch = Augment(noise_prob=0.5), Watch(log_every=50, eval_every=50)
    outcome = scratch(
        corpus, tmp_path / "m", max_steps=300, optim=Optim(lr=1e-2), overfit=2, augment=augment, watch=watch
    )
    assert outcome.document["utterances"] == outcome.document["dev_utterances"] == 2
    assert outcome.document["best"]["error"] < 0.3  # guessing, or the commoner text for both, is 0.5 and more
    settings = yaml.safe_load((tmp_path / "m" / "config.yaml").read_text())
    assert settings["augment"]["noise_prob"] == 0.0
    assert settings["overfit"] == 2


def test_a_learning_rate_is_suggested_and_nothing_is_written(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(lr_finder, "STEPS", 30)
    outcome = scratch(corpus, tmp_path / "m", find_lr=True)
    assert lr_finder.LOWEST < outcome.document["lr"] < lr_finder.HIGHEST
    assert len(outcome.document["rates"]) >= 25
    assert outcome.text.startswith("take --optim.lr ")
    assert not (tmp_path / "m").exists()


def test_the_rate_with_the_lowest_loss_is_a_limit():
    rates = [10.0**power for power in range(-6, 0)] * 1
    steps = [rate for rate in rates for _ in range(40)]
    losses = [
        {-6: 3.0, -5: 3.0, -4: 2.0, -3: 1.0, -2: 5.0, -1: float("nan")}[round(math.log10(rate))] for rate in steps
    ]
    assert lr_finder.suggest(steps, losses)["lr"] == pytest.approx(1e-4)


def test_the_best_models_are_averaged(corpus, tmp_path, monkeypatch):
    averaged, average = [], best.BestWeights.average
    state = {}

    def spy(self):
        files = self._files()
        state.update(files=[(step, error, load_file(path)) for step, error, path in files])
        averaged.append(average(self))
        return averaged[-1]

    monkeypatch.setattr(best.BestWeights, "average", spy)
    monkeypatch.setattr("speechxl.verbs.dev_scores.count_errors", lambda *_: SimpleNamespace(rate=0.0))
    watch = Watch(log_every=1, eval_every=1)
    outcome = scratch(corpus, tmp_path / "m", average_best=3, max_steps=6, watch=watch, optim=Optim(lr=1e-2))
    assert outcome.document["best"] == {"step": [*averaged[0]], "error": 0.0}
    assert len(averaged[0]) == 3
    model, *_ = load_ctc_model(str(tmp_path / "m"))
    weights = model.state_dict()
    for name in ("lm_head.weight", "wav2vec2.encoder.layers.1.attention.q_proj.weight"):
        mean = sum(each[name].double() for _, _, each in state["files"]) / 3
        torch.testing.assert_close(weights[name].double(), mean, atol=1e-6, rtol=0)
    assert not (tmp_path / "m" / "best").exists()


def test_the_best_weights_survive_an_interruption(tmp_path):
    model = torch.nn.Linear(2, 1)
    weights = best.BestWeights(tmp_path, model, 2)
    for step, error in [(10, 0.9), (20, 0.5), (30, 0.7), (40, 0.6)]:
        weights(step, error)
    assert [(step, error) for step, error, _ in weights._files()] == [(20, 0.5), (40, 0.6)]
    best.BestWeights(tmp_path, model, 2)(30, 0.8)  # continued from a checkpoint of before step 40
    assert [(step, error) for step, error, _ in weights._files()] == [(20, 0.5), (30, 0.8)]


def test_layers_learn_the_slower_the_lower_they_are(corpus, tmp_path, monkeypatch):
    optimizers = []
    configure = Recognition.configure_optimizers
    monkeypatch.setattr(
        Recognition, "configure_optimizers", lambda self: optimizers.append(found := configure(self)) or found
    )
    scratch(corpus, tmp_path / "m", optim=Optim(lr=1e-2, layer_decay=0.5))
    groups = optimizers[0]["optimizer"].param_groups
    assert [group["initial_lr"] for group in groups] == pytest.approx([1e-2 * 0.5**n for n in (3, 2, 1, 0)])
    model, *_ = load_ctc_model(str(tmp_path / "m"))
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    before = (tmp_path / "m" / "metrics.csv").read_text()
    scratch(corpus, tmp_path / "m", optim=Optim(lr=1e-2, layer_decay=0.5), max_steps=4, resume=True)
    assert (tmp_path / "m" / "metrics.csv").read_text().startswith(before[: before.index("\n1,")])


def test_nothing_but_blanks_is_explained_and_errors_are_given_by_language(corpus, tmp_path, caplog):
    caplog.set_level("INFO")
    scratch(corpus, tmp_path / "m", max_steps=20, optim=Optim(lr=3e-3), watch=Watch(log_every=10, eval_every=20))
    rows = (tmp_path / "m" / "languages.csv").read_text().splitlines()
    assert {tuple(row.split(",")[1:3]) for row in rows[1:]} >= {("quy", "dev_cer"), ("swh", "dev_cer")}
    assert "blank_posterior" in (tmp_path / "m" / "metrics.csv").read_text()
    assert "cer by language: quy " in caplog.text
    assert "of the dev transcripts are empty" in caplog.text
    assert "--overfit 8" in caplog.text


def test_other_speeds_and_noise_are_heard_and_repeat(corpus, tmp_path):
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "noise" / "n.wav", np.random.default_rng(0).normal(size=16_000) / 9, 16_000)
    augment = Augment(speed_prob=0.5, noise_prob=0.5, noise=tmp_path / "noise")
    losses = []
    for name, options in (("a", {"augment": augment}), ("b", {"augment": augment}), ("c", {})):
        scratch(corpus, tmp_path / name, **options)
        losses.append((tmp_path / name / "metrics.csv").read_text().split("\n1,loss,")[1].split("\n")[0])
    assert losses[0] == losses[1] != losses[2]


def added(base, corpus, out, kind, **options):
    adapter = Adapter(kind, rank=2, dim=4, name="both" if kind == "mms" else None)
    return finetune(str(base), train=[corpus], out=out, adapter=adapter, **{**QUICK, **options})


@pytest.mark.parametrize("kind", ["lora", "mms"])
def test_added_weights_are_trained_alone_and_saved_without_the_model(
    corpus, tmp_path, pretrained_folder, pretraining_model, monkeypatch, kind
):
    plan = added(pretrained_folder, corpus, tmp_path / "m", kind, dry_run=True).document
    whole = finetune(str(pretrained_folder), train=[corpus], out=tmp_path / "m", dry_run=True, **QUICK).document
    assert plan["trained_parameters"] < 0.2 * whole["trained_parameters"] < plan["parameters"]
    kept = []
    state = best.BestWeights._state
    monkeypatch.setattr(best.BestWeights, "_state", lambda self: kept.append(found := state(self)) or found)
    watch = Watch(log_every=1, eval_every=1)
    options = {"max_steps": 4, "optim": Optim(lr=1e-2), "average_best": 3, "watch": watch}
    outcome = added(pretrained_folder, corpus, tmp_path / "m", kind, **options)
    assert sum(value.numel() for value in kept[0].values()) == plan["trained_parameters"]
    assert not (tmp_path / "m" / "model.safetensors").exists()
    saved = sum(path.stat().st_size for path in (tmp_path / "m").glob("*.safetensors"))
    assert saved < 4 * plan["trained_parameters"] + 10_000
    assert (tmp_path / "m" / "checkpoint.ckpt").stat().st_size < 2 * (
        pretrained_folder / "model.safetensors"
    ).stat().st_size
    settings = yaml.safe_load((tmp_path / "m" / "config.yaml").read_text())
    assert settings["adapter"]["scale"] == 4
    assert (settings["freeze_extractor"], settings["freeze_encoder"]) == (True, 0.0)
    document = evaluate(str(tmp_path / "m"), [tmp_path / "m" / "dev.tsv"], precision="32").document
    assert document["cer"] == pytest.approx(outcome.document["best"]["error"])
    assert transcribe(str(tmp_path / "m"), [str(corpus / "u00.wav")]).code == 0
    model, *_ = load_ctc_model(str(tmp_path / "m"))
    before = pretraining_model.wav2vec2.state_dict()
    after = {name: value for name, value in model.wav2vec2.state_dict().items() if name in before}
    changed = {name.split(".")[-2] for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed == ({"q_proj", "k_proj", "v_proj", "out_proj"} if kind == "lora" else set())


@pytest.mark.parametrize("kind", ["lora", "mms"])
def test_a_run_of_added_weights_continues_bit_for_bit(corpus, tmp_path, pretrained_folder, monkeypatch, kind):
    file = {"lora": "adapter_model.safetensors", "mms": "adapter.both.safetensors"}[kind]
    watch = Watch(log_every=1, eval_every=1, save_every=2)
    run = partial(
        added, pretrained_folder, corpus, kind=kind, max_steps=4, watch=watch,
        optim=Optim(lr=1e-2, layer_decay=0.5), augment=Augment(time_prob=0.3),
    )  # fmt: skip
    run(out=tmp_path / "once")
    begin = Recognition.on_train_batch_start

    def stop(self, batch, batch_idx):
        begin(self, batch, batch_idx)
        if self.global_step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt, SystemExit, Interrupted):
        patch.setattr(Recognition, "on_train_batch_start", stop)
        run(out=tmp_path / "twice")
    assert checkpoint_step(tmp_path / "twice" / "checkpoint.ckpt") == 2
    run(out=tmp_path / "twice", resume=True)
    assert (tmp_path / "once" / file).read_bytes() == (tmp_path / "twice" / file).read_bytes()
    run(out=tmp_path / "twice", resume=True)  # nothing is left to do
    save_model(pretrained_folder, new_pretraining_model(small_preset()), Card(normalise=True, preset="tiny"))
    with pytest.raises(InputError, match="began with another MODEL"):
        run(out=tmp_path / "twice", resume=True)


def test_fine_tuning_goes_on_from_added_weights_and_holds_all_then(corpus, tmp_path, pretrained_folder):
    added(pretrained_folder, corpus, tmp_path / "m", "mms")
    with pytest.raises(InputError, match=r"the MODEL is added weights itself.* Start from .*pretrained"):
        added(tmp_path / "m", corpus, tmp_path / "n", "lora")
    finetune(str(tmp_path / "m"), train=[corpus], out=tmp_path / "n", **QUICK)
    assert load_ctc_model(str(tmp_path / "n"))[2].adapter is None
    assert (tmp_path / "n" / "model.safetensors").exists()


def test_transcripts_of_other_added_weights_are_not_mixed(corpus, tmp_path, pretrained_folder):
    added(pretrained_folder, corpus, tmp_path / "m", "lora")
    added(pretrained_folder, corpus, tmp_path / "n", "lora", seed=2)
    out = tmp_path / "out"
    assert transcribe(str(tmp_path / "m"), [str(corpus)], out=out).code == 0
    assert transcribe(str(tmp_path / "m"), [str(corpus)], out=out).document["skipped"] == 14
    with pytest.raises(InputError, match="the transcripts there were made with"):
        transcribe(str(tmp_path / "n"), [str(corpus)], out=out)


def test_the_file_of_an_mms_adapter_is_named_after_the_language(corpus, tmp_path, pretrained_folder):
    with pytest.raises(InputError, match=r"--adapter.name is needed .*; there are quy, swh"):
        finetune(str(pretrained_folder), train=[corpus], out=tmp_path / "m", adapter=Adapter("mms"), **QUICK)
    change(corpus, language=lambda row: "swh")
    finetune(str(pretrained_folder), train=[corpus], out=tmp_path / "m", adapter=Adapter("mms"), **QUICK)
    assert (tmp_path / "m" / "adapter.swh.safetensors").exists()


def test_added_weights_need_a_model_whose_extractor_stays(corpus, tmp_path, pretrained_folder):
    with pytest.raises(InputError, match="a model from scratch is trained whole"):
        scratch(corpus, tmp_path / "m", adapter=Adapter("lora"))
    with pytest.raises(InputError, match="the extractor stays as it is"):
        added(pretrained_folder, corpus, tmp_path / "m", "lora", freeze_extractor=False)


def test_added_weights_are_asked_for_on_the_command_line(corpus, tmp_path, pretrained_folder):
    from speechxl.cli import main

    arguments = ["finetune", str(pretrained_folder), "--train", str(corpus), "--max_steps", "1", "--device", "cpu"]
    chosen = ["--adapter.kind", "lora", "--adapter.rank", "3", "--adapter.targets", "[q_proj,v_proj]"]
    assert main([*arguments, *chosen, "--out", str(tmp_path / "m")]) == 0
    settings = json.loads((tmp_path / "m" / "adapter_config.json").read_text())
    assert (settings["r"], settings["lora_alpha"], settings["target_modules"]) == (3, 6, ["q_proj", "v_proj"])
    repeated = ["finetune", "--config", str(tmp_path / "m" / "config.yaml")]
    assert main([*repeated, "--out", str(tmp_path / "again")]) == 0
    file = "adapter_model.safetensors"
    assert (tmp_path / "m" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
