"""`classify train`, `predict`, `evaluate`."""

import csv
import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
import yaml
from safetensors.torch import load_file
from transformers import Wav2Vec2ForSequenceClassification

from speechxl.cli import main
from speechxl.config import Adapter, Augment, Data, Head, Optim, Watch
from speechxl.data.audio import read_audio, standardise
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError
from speechxl.evaluation.calibration import fit_temperature
from speechxl.models.classifiers import load_classifier
from speechxl.shapes import Utterance
from speechxl.tasks.checkpoints import CHECKPOINT, AtomicCheckpointIO
from speechxl.verbs.classify_evaluate import classify_evaluate
from speechxl.verbs.classify_predict import classify_predict
from speechxl.verbs.classify_recipe import usual_steps
from speechxl.verbs.classify_train import classify_train
from speechxl.verbs.predicting import load_predictor, predictions_of
from tests.conftest import SMALL, tone
from tests.models.test_classifier import encoder_folder
from tests.tasks.test_training import NOISY, OFTEN, Killed, assert_same, kill_at

QUICK = {
    "max_steps": 2,
    "batch_seconds": 4.0,
    "device": "cpu",
    "watch": Watch(log_every=1),
    "head": Head(projection=16),
}


def make_tones(folder, count=16, classes="abc", **fields):
    """Tones of one pitch for each class, in two languages; every fourth is for dev."""
    folder.mkdir()
    rows = []
    for number in range(count):
        value = classes[number % len(classes)]
        samples = tone(0.3 + 0.02 * (number % 5), 250 + 450 * (number % len(classes)), number)
        path = folder / f"t{number:02d}.wav"
        soundfile.write(path, samples, 16_000)
        row = Utterance(
            path, path.name, duration=len(samples) / 16_000, language="swh" if number % 2 else "quy",
            speaker=f"s{number}", split="dev" if number % 4 == 3 else "train", label=f"pitch:{value}",
        )  # fmt: skip
        rows.append(replace(row, **{name: change(row) for name, change in fields.items()}))
    write_manifest(folder / "manifest.tsv", rows)
    return folder


@pytest.fixture
def tones(tmp_path):
    return make_tones(tmp_path / "tones")


def change(folder, **fields):
    path = folder / "manifest.tsv"
    write_manifest(
        path, [replace(row, **{key: value(row) for key, value in fields.items()}) for row in read_manifest(path)]
    )


def scratch(corpus, out, **options):
    return classify_train(train=[corpus], out=out, preset="tiny", architecture=SMALL, **{**QUICK, **options})


@pytest.fixture
def trained(tones, tmp_path):
    scratch(tones, tmp_path / "m")
    return tmp_path / "m"


def test_sixteen_tones_are_learnt_by_heart(tmp_path):
    folder, out = make_tones(tmp_path / "tones", 21), tmp_path / "m"
    options = {"max_steps": 40, "watch": Watch(eval_every=20), "batch_seconds": 6.0, "optim": Optim(lr=3e-3)}
    outcome = scratch(folder, out, overfit=16, **options)
    assert outcome.document["best"]["dev"] == {"macro_f1_pitch": 1.0, "accuracy_pitch": 1.0}
    document = classify_evaluate(str(out), [out / "dev.tsv"], device="cpu").document
    assert document["kinds"]["pitch"]["accuracy"] == 1
    assert document["utterances"] == 16
    rows = read_manifest(out / "dev.tsv")
    write_manifest(
        tmp_path / "swapped.tsv", [replace(row, label="pitch:" + "bca"["abc".index(row.label[-1])]) for row in rows]
    )
    swapped = classify_evaluate(str(out), [tmp_path / "swapped.tsv"], device="cpu").document
    assert swapped["kinds"]["pitch"]["accuracy"] == 0


def test_the_folder_of_a_classifier(tones, tmp_path):
    outcome = scratch(tones, tmp_path / "m")
    folder = tmp_path / "m"
    assert json.loads((folder / "labels.json").read_text()) == {"schema": 1, "kinds": {"pitch": ["a", "b", "c"]}}
    assert {"README.md", "config.json", "config.yaml", "dev.tsv", "metrics.csv", "languages.csv"} <= {
        path.name for path in folder.iterdir()
    }
    best = outcome.document["best"]
    assert sum(best["layer_weights"]) == pytest.approx(1, abs=1e-5)
    assert len(best["layer_weights"]) == 3
    note = json.loads((folder / "speechxl.json").read_text())
    assert note["classifier"] == {"pooling": "mean", "transformers": True}
    assert note["languages"] == ["quy", "swh"]
    page = (folder / "README.md").read_text()
    assert "pipeline_tag: audio-classification" in page
    assert "| pitch | a | 4 |" in page
    assert "gives the same scores" in page
    assert outcome.document["labels"] == {"pitch": {"a": 4, "b": 4, "c": 4}}
    with (folder / "metrics.csv").open() as file:
        rows = {(row["step"], row["measure"]): float(row["value"]) for row in csv.DictReader(file)}
    assert sum(rows["2", f"layer_{layer}"] for layer in range(3)) == pytest.approx(1, abs=1e-5)
    assert rows["1", "head_lr"] >= rows["1", "lr"] > 0
    assert {"dev_macro_f1_pitch", "dev_accuracy_pitch", "accuracy_pitch"} <= {measure for _, measure in rows}
    assert {row.id for row in read_manifest(folder / "dev.tsv")} == {"t03.wav", "t07.wav", "t11.wav", "t15.wav"}


def test_probabilities_are_those_under_which_dev_is_likeliest(tones, tmp_path):
    options = {"max_steps": 30, "optim": Optim(lr=3e-3), "watch": Watch(eval_every=30), "batch_seconds": 8.0}
    change(tones, label=lambda row: f"pitch:{'abc'[int(row.id[1:3]) // 4 % 3]}" if row.split == "dev" else row.label)
    best = scratch(tones, tmp_path / "m", **options).document["best"]
    predictor, classes = load_predictor(
        str(tmp_path / "m"), device="cpu", precision="32", batch_seconds=None, window_seconds=30.0
    )
    rows = read_manifest(tmp_path / "m" / "dev.tsv")
    said = predictions_of(predictor, "pitch", classes["pitch"], rows)
    truth = np.array([classes["pitch"].index(row.label[-1]) for row in rows])
    assert best["temperatures"]["pitch"] > 1.2  # as some of these labels are wrong
    assert fit_temperature(np.log(said.probabilities), truth) == pytest.approx(1, abs=0.01)
    assert "Scores are divided by the temperature" in (tmp_path / "m" / "README.md").read_text()
    again = scratch(tones, tmp_path / "n", **options, overfit=8).document["best"]
    assert again["temperatures"] == {"pitch": 1.0}


def test_transformers_gives_the_same_probabilities(trained, tones):
    result = classify_predict(str(trained), [str(tones / "t00.wav")], device="cpu", precision="32").document["results"][
        0
    ]
    peer = Wav2Vec2ForSequenceClassification.from_pretrained(trained).eval()
    with torch.no_grad():
        scores = peer(torch.from_numpy(standardise(read_audio(tones / "t00.wav")))[None]).logits[0].softmax(-1)
    own = result["labels"]["pitch"]["probabilities"]
    assert own == pytest.approx(dict(zip("abc", scores.tolist(), strict=True)), abs=2e-6)
    assert result["labels"]["pitch"]["label"] == peer.config.id2label[int(scores.argmax())]


@pytest.mark.parametrize("pooling", ["attention", "statistics"])
def test_the_page_says_where_transformers_cannot_follow(tones, tmp_path, pooling):
    scratch(tones, tmp_path / "m", head=Head(pooling=pooling, projection=16))
    page = (tmp_path / "m" / "README.md").read_text()
    assert f"does not give the same scores: its pooling, {pooling}, is not a mean" in page
    assert "classifier.weight" not in load_file(tmp_path / "m" / "model.safetensors")
    assert classify_evaluate(str(tmp_path / "m"), [tones], device="cpu").code == 0


def test_several_kinds_are_learnt_together(tones, tmp_path):
    change(
        tones,
        label=lambda row: row.label if row.id < "t08" else f"length:{'long' if row.id[2] in '89135' else 'short'}",
    )
    with pytest.raises(
        InputError, match=r"is of another kind than .* there are length \(\d+ rows\), pitch \(\d+ rows\)"
    ):
        scratch(tones, tmp_path / "m")
    scratch(tones, tmp_path / "m", kind=["pitch", "length"], label=["label", "language"])
    document = classify_evaluate(str(tmp_path / "m"), [tones], device="cpu").document
    assert {kind: own["utterances"] for kind, own in document["kinds"].items()} == {
        "pitch": 8, "length": 8, "language": 16,
    }  # fmt: skip
    found = classify_predict(str(tmp_path / "m"), [str(tones / "t00.wav")], device="cpu").document["results"][0][
        "labels"
    ]
    assert {kind: set(own["probabilities"]) for kind, own in found.items()} == {
        "pitch": set("abc"), "length": {"long", "short"}, "language": {"quy", "swh"},
    }  # fmt: skip
    assert "It gives the kind pitch only" in (tmp_path / "m" / "README.md").read_text()
    scratch(tones, tmp_path / "one", kind=["pitch"])
    assert load_classifier(str(tmp_path / "one"))[1] == {"pitch": ["a", "b", "c"]}


def test_language_identification_is_a_preset(tones, tmp_path):
    scratch(tones, tmp_path / "m", task="lid")
    settings = yaml.safe_load((tmp_path / "m" / "config.yaml").read_text())
    assert settings["label"] == ["language"]
    assert settings["data"]["max_seconds"] == 10
    assert load_classifier(str(tmp_path / "m"))[1] == {"language": ["quy", "swh"]}
    assert (
        classify_evaluate(str(tmp_path / "m"), [tones], device="cpu").document["kinds"]["language"]["utterances"] == 16
    )


def test_settings_are_saved_resolved_and_repeat_the_run(trained, tmp_path):
    settings = yaml.safe_load((trained / "config.yaml").read_text())
    assert settings["kind"] == ["pitch"]
    assert settings["head_lr"] == 1e-3
    assert main(["classify", "train", "--config", str(trained / "config.yaml"), "--out", str(tmp_path / "again")]) == 0
    assert (trained / "model.safetensors").read_bytes() == (tmp_path / "again" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("frozen", [None, 0.6])
def test_a_run_that_is_killed_again_and_again_ends_as_an_uninterrupted_one(frozen, tones, tmp_path, monkeypatch):
    def run(out, **options):
        return scratch(
            tones, out, max_steps=7, batch_seconds=1.5, dropout=NOISY, watch=OFTEN, augment=Augment(0.3, 4, 0.2, 8),
            freeze_encoder=frozen, head=Head(pooling="attention", projection=16), **options,
        )  # fmt: skip

    run(tmp_path / "whole")
    for batch in (1, 4, 3):
        with monkeypatch.context() as patch:
            kill_at(patch, batch)
            with pytest.raises(Killed):
                run(tmp_path / "killed", resume=True)
    run(tmp_path / "killed", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "killed")
    one, other = (tmp_path / name / "heads.safetensors" for name in ("whole", "killed"))
    assert one.read_bytes() == other.read_bytes()


def test_a_frozen_encoder_stays_and_its_checkpoint_is_small(tones, tmp_path, ctc_folder, ctc_model, caplog):
    out = tmp_path / "m"
    outcome = classify_train(str(ctc_folder), train=[tones], out=out, **QUICK, freeze_encoder=1.0)
    before = ctc_model.wav2vec2.state_dict()
    after = load_classifier(str(out))[0].network.wav2vec2.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in after.items())
    saved = AtomicCheckpointIO().load_checkpoint(out / CHECKPOINT)["state_dict"]
    assert not [name for name in saved if "wav2vec2" in name]
    assert outcome.document["trained_parameters"] < 2000
    assert "LEARNT FROM SOUND ALONE" not in caplog.text
    classify_train(str(ctc_folder), train=[tones], out=out, **QUICK | {"max_steps": 3}, freeze_encoder=1.0, resume=True)


def test_a_frozen_self_supervised_encoder_is_warned_of_loudly(tones, tmp_path, pretrained_folder, caplog):
    start = {"train": [tones], **QUICK, "dry_run": True}
    classify_train(str(pretrained_folder), out=tmp_path / "m", **start, freeze_encoder=1.0)
    (message,) = [
        record.message
        for record in caplog.records
        if record.levelno == logging.WARNING and record.name.startswith("speechxl")
    ]
    assert message.startswith(f"{pretrained_folder} HAS LEARNT FROM SOUND ALONE AND STAYS FROZEN")
    assert "intents of MInDS-14: 9 % right" in message
    caplog.clear()
    classify_train(str(pretrained_folder), out=tmp_path / "m", **start, train_layers=0)
    assert "HAS LEARNT FROM SOUND ALONE" in caplog.text
    caplog.clear()
    classify_train(str(pretrained_folder), out=tmp_path / "m", **start, freeze_encoder=0.5)
    assert "HAS LEARNT" not in caplog.text


def test_the_encoder_thaws_when_its_share_of_the_steps_is_over(tones, tmp_path, ctc_folder, ctc_model):
    before = ctc_model.wav2vec2.state_dict()
    for share, same in ((0.9, True), (0.5, False)):  # of two steps
        out = tmp_path / f"m{share}"
        classify_train(
            str(ctc_folder), train=[tones], out=out, **QUICK, freeze_encoder=share, optim=Optim(lr=0.01, warmup=0.0)
        )
        after = AtomicCheckpointIO().load_checkpoint(out / CHECKPOINT)["state_dict"]
        name = "encoder.layers.0.attention.q_proj.weight"
        assert torch.equal(after[f"model.network.wav2vec2.{name}"], before[name]) == same


def test_lora_is_trained_and_merged(tones, tmp_path, ctc_folder, ctc_model):
    pytest.importorskip("peft")
    out = tmp_path / "m"
    options = {
        "adapter": Adapter("lora", rank=2),
        "optim": Optim(lr=0.1, warmup=0.0),
        "watch": Watch(log_every=1, eval_every=2),
    }
    outcome = classify_train(str(ctc_folder), train=[tones], out=out, **QUICK | options)
    assert outcome.document["trained_parameters"] < outcome.document["parameters"] / 4
    peer = Wav2Vec2ForSequenceClassification.from_pretrained(out)
    before, after = ctc_model.wav2vec2.state_dict(), peer.wav2vec2.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {
        f"encoder.layers.{layer}.attention.{name}.weight"
        for layer in (0, 1)
        for name in ("q_proj", "k_proj", "v_proj", "out_proj")
    }
    classify_train(str(ctc_folder), train=[tones], out=out, **QUICK | options | {"max_steps": 3}, resume=True)


@pytest.mark.parametrize("kind", ["wav2vec2-bert", "whisper", "hubert-group", "wavlm-layer"])
def test_other_encoders_are_trained(kind, tones, tmp_path):
    source, out = encoder_folder(kind, tmp_path / "source"), tmp_path / "m"
    outcome = classify_train(
        source, train=[tones], out=out, **QUICK | {"max_steps": 1}, optim=Optim(lr=0.01, warmup=0.0), freeze_encoder=0.0
    )
    settings = yaml.safe_load((out / "config.yaml").read_text())
    assert settings["augment"]["time_prob"] == 0
    assert outcome.document["transformers"] == (kind != "whisper")
    assert classify_evaluate(str(out), [tones], device="cpu", precision="32").code == 0
    page = (out / "README.md").read_text()
    assert ("30 s" in page) == (kind == "whisper")
    with pytest.raises(
        InputError,
        match=f"mask frames of wav2vec 2.0 only, the MODEL is {kind.removesuffix('-group').removesuffix('-layer')}",
    ):
        classify_train(source, train=[tones], out=tmp_path / "n", **QUICK, augment=Augment(time_prob=0.1))


@pytest.mark.parametrize("kind", ["wav2vec2-bert", "hubert-layer", "wavlm-group"])
def test_lora_takes_the_layers_of_other_encoders(kind, tones, tmp_path):
    pytest.importorskip("peft")
    source = encoder_folder(kind, tmp_path / "source")
    document = classify_train(
        source, train=[tones], out=tmp_path / "m", **QUICK, dry_run=True, adapter=Adapter("lora")
    ).document
    assert 0 < document["trained_parameters"] < document["parameters"] / 2


def test_lora_in_a_layer_that_wavlm_does_not_call_is_refused(tones, tmp_path):
    source = encoder_folder("wavlm-group", tmp_path / "source")
    with pytest.raises(
        InputError, match=r"--adapter.targets k_proj: attention of WavLM takes weights .* intermediate_dense and"
    ):
        classify_train(source, train=[tones], out=tmp_path / "m", **QUICK, adapter=Adapter("lora", targets=("k_proj",)))


def test_a_tenth_of_each_class_is_held_out_where_there_are_no_dev_rows(tmp_path):
    folder = make_tones(tmp_path / "tones", 45, split=lambda row: "")
    document = scratch(folder, tmp_path / "m", dry_run=True).document
    assert document["labels"] == {"pitch": {"a": 13, "b": 13, "c": 13}}
    assert document["dev_utterances"] == 6
    assert not (tmp_path / "m").exists()
    few = make_tones(tmp_path / "few", 6, split=lambda row: "")
    with pytest.raises(
        InputError, match="6 utterances are too few to hold some of each class out; name others with --dev"
    ):
        scratch(few, tmp_path / "m")


def test_speakers_that_dev_shares_are_warned_of(tones, tmp_path, caplog):
    scratch(tones, tmp_path / "m", dry_run=True)
    assert "speaker" not in caplog.text
    change(tones, speaker=lambda row: "s1")
    scratch(tones, tmp_path / "m", dry_run=True)
    assert "4 of 4 dev rows have a speaker of the training rows, such as 's1'" in caplog.text


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        ({"label": lambda row: "" if row.id == "t04.wav" else row.label}, {}, r"manifest.tsv:6: the label is empty \(1 such"),
        ({"label": lambda row: "high"}, {}, r"label 'high' has no colon"),
        ({"label": lambda row: "pitch:a"}, {}, "all 12 training rows have the label pitch:a; a classifier needs at least two"),
        (
            {"label": lambda row: "pitch:z" if row.id == "t00.wav" else row.label}, {},
            r"fewer than 2 training rows have the label pitch:z \(1\)",
        ),
        (
            {"label": lambda row: "pitch:z" if row.split == "dev" else row.label}, {},
            "the label pitch:z stands in dev rows and in no training row",
        ),
        ({}, {"kind": ["digit"]}, "no label is of the kind 'digit'; there are pitch"),
        ({}, {"label": ["genre"]}, "column 'genre' is empty or absent in all 12 rows; see --label"),
        ({}, {"label": ["language"], "kind": ["pitch"]}, "--kind pitch: kinds are those of the column label"),
        ({}, {"task": "lid", "label": ["label"]}, "--task lid takes the column language"),
        ({}, {"label_smoothing": 1.0}, "--label_smoothing must be from 0 up to 1, got 1.0"),
        ({}, {"head_lr": 0.0}, "--head_lr must be positive, got 0.0"),
        ({}, {"train_layers": -1}, "--train_layers must be at least 0, got -1"),
        ({}, {"freeze_encoder": 1.5}, "--freeze_encoder must be from 0 to 1, got 1.5"),
        ({}, {"overfit": 0}, "--overfit must be at least 1"),
        ({}, {"adapter": Adapter("lora")}, "a model from scratch is trained whole"),
        ({}, {"adapter": Adapter("mms")}, "take --adapter.kind lora"),
        ({"split": lambda row: "test"}, {}, "no row with split 'train'"),
        ({"duration": lambda row: 0.01}, {}, "No training utterance is left"),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_is_explained(tones, tmp_path, spoil, options, message):
    change(tones, **spoil)
    with pytest.raises(InputError, match=message):
        scratch(tones, tmp_path / "m", **options)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"freeze_encoder": 0.5}, "trains added weights in the encoder from the first step on"),
        ({"train_layers": 1}, "the encoder's own weights stay as they are"),
        ({"freeze_extractor": False}, "the encoder's own weights stay as they are"),
    ],
)
def test_lora_and_thawing_exclude_each_other(tones, tmp_path, ctc_folder, options, message):
    with pytest.raises(InputError, match=message):
        classify_train(str(ctc_folder), train=[tones], out=tmp_path / "m", **QUICK, adapter=Adapter("lora"), **options)


def test_whisper_hears_half_a_minute(tones, tmp_path):
    source = encoder_folder("whisper", tmp_path / "source")
    with pytest.raises(InputError, match=r"--data.max_seconds 40: Whisper hears 30 s at once"):
        classify_train(source, train=[tones], out=tmp_path / "m", **QUICK, data=Data(max_seconds=40.0))


def test_steps_follow_from_the_audio():
    assert usual_steps(60, 40) == 500
    assert usual_steps(3600, 40) == 2700
    assert usual_steps(1e6, 40) == 20_000


def test_predictions_in_files(trained, tones, tmp_path):
    (tmp_path / "bad.wav").write_text("nothing")
    soundfile.write(tmp_path / "short.wav", np.zeros(300), 16_000)
    audio = [str(tones / "t01.wav"), str(tmp_path / "bad.wav"), str(tones / "t00.wav"), str(tmp_path / "short.wav")]
    outcome = classify_predict(str(trained), audio, device="cpu")
    assert outcome.code == 4
    assert [row["audio"] for row in outcome.document["results"]] == [audio[0], audio[2]]
    bad, short = outcome.document["failures"]
    assert bad["audio"] == audio[1]
    assert "not audio that libsndfile reads" in bad["reason"]
    assert "short.wav: 0.019 s are too short to be classified; at least 0.025 s are needed" in short["reason"]
    assert outcome.text.splitlines()[0].startswith(f"{audio[0]}\tpitch:")
    for form in ("json", "jsonl", "tsv"):
        path = tmp_path / f"found.{form}"
        again = classify_predict(str(trained), audio, device="cpu", out=path)
        assert again.code == 4
        assert again.text == str(path)
    assert json.loads((tmp_path / "found.json").read_text()) == {
        "schema": 1, "results": outcome.document["results"], "failures": outcome.document["failures"],
    }  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert lines == [*outcome.document["results"], *outcome.document["failures"]]
    with (tmp_path / "found.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    own = outcome.document["results"][1]["labels"]["pitch"]
    assert rows[1]["audio"] == audio[2]
    assert rows[1]["pitch"] == own["label"]
    assert {value: float(rows[1][f"pitch:{value}"]) for value in "abc"} == own["probabilities"]
    assert sum(own["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert own["probability"] == max(own["probabilities"].values())
    with pytest.raises(InputError, match=r"--out .*found.csv: the name of the file ends in .json, .jsonl, .tsv"):
        classify_predict(str(trained), audio, out=tmp_path / "found.csv")


def test_a_folder_and_a_manifest_are_predicted(trained, tones):
    folder = classify_predict(str(trained), [str(tones)], device="cpu").document["results"]
    manifest = classify_predict(str(trained), [str(tones / "manifest.tsv")], split="dev", device="cpu").document[
        "results"
    ]
    assert len(folder) == 16
    assert [row["audio"] for row in manifest] == ["t03.wav", "t07.wav", "t11.wav", "t15.wav"]
    assert {row["language"] for row in manifest} == {"swh"}
    by_name = {row["audio"].rpartition("/")[2]: row["labels"] for row in folder}
    assert all(row["labels"] == by_name[row["audio"]] for row in manifest)


def test_a_long_recording_is_read_in_blocks(trained, tones, tmp_path, monkeypatch):
    samples = np.concatenate([read_audio(tones / "t00.wav")] * 8)
    soundfile.write(tmp_path / "long.wav", samples, 16_000)

    def found():
        return classify_predict(
            str(trained), [str(tmp_path / "long.wav")], device="cpu", precision="32", window_seconds=1.0
        ).document["results"][0]

    whole = found()
    monkeypatch.setattr("speechxl.verbs.recognise._LONG_SECONDS", 1)
    streamed = found()
    assert streamed["duration"] == whole["duration"] == pytest.approx(len(samples) / 16_000, abs=1e-3)
    own, other = (row["labels"]["pitch"]["probabilities"] for row in (whole, streamed))
    assert own == pytest.approx(other, abs=2e-5)


def test_evaluation_gives_measures_by_language_and_predictions(trained, tones, tmp_path):
    outcome = classify_evaluate(str(trained), [tones], device="cpu", predictions=tmp_path / "found.jsonl")
    own = outcome.document["kinds"]["pitch"]
    assert own["per_language"].keys() == {"quy", "swh"}
    assert sum(row["utterances"] for row in own["per_language"].values()) == own["utterances"] == 16
    found = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    truth = {row.id: row.label for row in read_manifest(tones / "manifest.tsv")}
    right = sum(f"pitch:{row['labels']['pitch']['label']}" == truth[row["audio"]] for row in found)
    assert own["accuracy"] == pytest.approx(right / 16)
    assert np.array(own["confusion"]["counts"]).trace() == right
    assert outcome.text.splitlines()[1].split()[:3] == ["pitch", "all", "16"]
    assert classify_evaluate(str(trained), [tones], device="cpu", language=["swh"]).document["utterances"] == 8
    assert classify_evaluate(str(trained), [tones], device="cpu", language=["Swahili"]).document["utterances"] == 8


def test_predictions_are_those_of_the_cascade_s_measures(trained, tones, tmp_path):
    predictor, classes = load_predictor(
        str(trained), device="cpu", precision="32", batch_seconds=None, window_seconds=30.0
    )
    rows = read_manifest(tones / "manifest.tsv")
    found = predictions_of(predictor, "pitch", classes["pitch"], rows)
    assert found.ids == [row.id for row in rows]
    assert found.probabilities.shape == (16, 3)
    document = classify_evaluate(str(trained), [tones], device="cpu", precision="32").document["kinds"]["pitch"]
    right = [f"pitch:{label}" == row.label for label, row in zip(found.best, rows, strict=True)]
    assert document["accuracy"] == pytest.approx(sum(right) / 16)
    with pytest.raises(InputError, match=r"gone.wav: there is no such file"):
        predictions_of(predictor, "pitch", classes["pitch"], [replace(rows[0], path=tmp_path / "gone.wav")])


def test_labels_that_a_model_never_saw_are_named(trained, tones):
    change(tones, label=lambda row: "pitch:z" if row.id == "t02.wav" else row.label)
    with pytest.raises(
        InputError, match="the label pitch:z stands in test rows and in no training row; training has a, b, c"
    ):
        classify_evaluate(str(trained), [tones], device="cpu")
    change(tones, label=lambda row: "tempo:a")
    with pytest.raises(InputError, match="no row has a label of the kind pitch; name their column with --label"):
        classify_evaluate(str(trained), [tones], device="cpu")
    change(tones, label=lambda row: "", extra=lambda row: {"height": "abc"[int(row.id[1:3]) % 3]})
    named = classify_evaluate(str(trained), [tones], device="cpu", label="height").document
    assert named["kinds"]["pitch"]["utterances"] == 16


@pytest.mark.parametrize("verb", [classify_predict, classify_evaluate])
def test_a_recogniser_is_refused(verb, ctc_folder, tones):
    with pytest.raises(InputError, match="this is no classifier; run speechxl classify train first"):
        verb(str(ctc_folder), [tones / "manifest.tsv"] if verb is classify_evaluate else [str(tones)], device="cpu")
    with pytest.raises(InputError, match="--window_seconds must be positive, got 0"):
        verb(
            str(ctc_folder), [tones / "manifest.tsv"] if verb is classify_evaluate else [str(tones)], window_seconds=0.0
        )
