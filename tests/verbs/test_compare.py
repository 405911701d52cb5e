"""`classify compare`: what is compared, what comes out, and that nothing is done twice."""

import csv
import inspect
import json
import re
from dataclasses import fields

import jiwer
import numpy as np
import pytest
import yaml
from pyarrow import parquet
from sklearn.metrics import accuracy_score, f1_score

from speechxl.cli import main
from speechxl.data.manifest import read_manifest
from speechxl.verbs.classify_train import classify_train
from speechxl.verbs.speech_systems import EndToEnd, MeanMFCC
from tests.tasks.test_training import Killed, kill_at
from tests.verbs.spoken_tones import change_rows, make_spoken_tones

END_TO_END = {
    "class_path": "EndToEnd",
    "init_args": {
        "preset": "tiny", "architecture": {"conv_channels": 16, "layers": 2, "width": 32, "ffn": 64, "heads": 2},
        "max_steps": 20, "batch_seconds": 6, "device": "cpu", "optim": {"lr": 5e-3}, "head": {"projection": 16},
        "watch": {"eval_every": 10, "save_every": 10},
    },
}  # fmt: skip
POOR = {"class_path": "NoisyReference", "init_args": {"rate": 0.4}}
SYSTEMS = {
    "end_to_end": END_TO_END,
    "mfcc": {"class_path": "MeanMFCC"},
    "reference": {"class_path": "TextCascade", "init_args": {"transcriber": {"class_path": "Reference"}}},
    "poor": {"class_path": "TextCascade", "init_args": {"transcriber": POOR}},
}
TEXTS = ("poor", "poor, learns from transcripts", "poor, learns from references")
CHEAP = {name: SYSTEMS[name] for name in ("mfcc", "reference")}


def compare(folder, corpus, *arguments, systems=SYSTEMS, name="out", **settings):
    """Exit code; results are in ``folder/name``."""
    config = folder / "compare.yaml"
    config.write_text(
        yaml.safe_dump({"systems": systems, "seeds": [1, 2], "draws": 100, "shared": ["sentence"], **settings})
    )
    flags = ["--train", str(corpus), "--out", str(folder / name), *arguments]
    return main(["classify", "compare", str(config), *flags])


def document(folder, name="out"):
    return json.loads((folder / name / "compare.json").read_text())


def runs(folder, name="out"):
    found = [json.loads(path.read_text()) for path in (folder / name / "runs").rglob("*.json")]
    assert found
    return found


def table(folder, name="out"):
    with (folder / name / "predictions.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All systems on two languages in all regimes, done once."""
    folder = tmp_path_factory.mktemp("compare")
    make_spoken_tones(folder / "tones")
    assert compare(folder, folder / "tones", noise={"rates": [0.0, 0.3, 0.6]}, keep_models=True) == 0
    return folder


@pytest.fixture
def tones(tmp_path):
    return make_spoken_tones(tmp_path / "tones")


def row(results, system, regime, test=None, shots=None):
    (found,) = [
        one for one in results
        if (one["system"], one["regime"], one["test"], one["shots"]) == (system, regime, test, shots)
    ]  # fmt: skip
    return found


def test_all_systems_learn_from_the_same_rows_and_are_tested_on_the_same(folder):
    known = {one.id: one for one in read_manifest(folder / "tones" / "manifest.tsv")}
    seen = {}
    for run in runs(folder):
        key = tuple(sorted({known[id].language for id in run["train"]}))
        parts = [run[part] for part in ("train", "dev", "test")]
        assert seen.setdefault(key, parts) == parts, run["key"]["system"]
        for part in ("train", "dev", "test"):
            assert {known[id].split for id in run[part]} == {part}
    assert {key: [len(part) for part in parts] for key, parts in seen.items()} == {
        ("quy",): [24, 6, 24], ("swh",): [24, 6, 24], ("quy", "swh"): [48, 12, 24],
    }  # fmt: skip
    counts = {name: sum(run["key"]["system"] == name for run in runs(folder)) for name in document(folder)["systems"]}
    assert counts == {"end_to_end": 6, "mfcc": 3, "reference": 3, **dict.fromkeys(TEXTS, 3)}


def test_what_the_speech_side_is_given_is_what_the_manifest_has(folder):
    known = {one.id: one for one in read_manifest(folder / "tones" / "manifest.tsv")}
    manifests = list((folder / "out" / "work").rglob("train.tsv"))
    assert len(manifests) == 6
    for path in manifests:
        for one in read_manifest(path):
            assert one.path.resolve() == known[one.id].path.resolve()
            assert (one.label, one.language) == (known[one.id].label, known[one.id].language)
    heard = {one["id"]: one["spoken"] for one in table(folder) if one["system"] == "reference"}
    assert heard == {id: known[id].text for id in heard}
    assert len(heard) == 24


@pytest.mark.parametrize("system", ["end_to_end", "mfcc", "reference", *TEXTS])
def test_measures_are_those_of_the_predictions(folder, system):
    results, rows = document(folder)["results"], [one for one in table(folder) if one["system"] == system]
    ways = {"monolingual": lambda own: own["train"] == own["language"], "multilingual": lambda own: "+" in own["train"],
            "zero-shot": lambda own: own["train"] != own["language"] and "+" not in own["train"]}  # fmt: skip
    for regime, belongs in ways.items():
        each = {}
        for language in ("quy", "swh"):
            own = [one for one in rows if one["language"] == language and belongs(one)]
            seeds = sorted({one["seed"] for one in own})
            assert seeds == (["1", "2"] if system == "end_to_end" else ["1"])
            values = []
            for seed in seeds:
                truth, said = zip(
                    *((one["label"], one["predicted"]) for one in own if one["seed"] == seed), strict=True
                )
                values.append((f1_score(truth, said, average="macro"), accuracy_score(truth, said)))
            found = row(results, system, regime, language)
            assert (found["macro_f1"], found["accuracy"]) == pytest.approx(tuple(np.mean(values, axis=0)))
            assert found["per_seed"]["macro_f1"] == pytest.approx([one for one, _ in values])
            assert np.sum(found["confusion"]["counts"]) == 12 * len(seeds)
            low, high = found["intervals"]["macro_f1"]
            assert 0 <= low <= high <= 1
            each[language] = found["macro_f1"]
        assert row(results, system, regime)["macro_f1"] == pytest.approx(np.mean(list(each.values())))


def test_sound_and_reference_texts_are_told_apart_and_bad_transcripts_less_well(folder):
    results = document(folder)["results"]
    assert row(results, "mfcc", "monolingual")["macro_f1"] == 1
    assert row(results, "reference", "multilingual")["macro_f1"] == 1
    assert row(results, "end_to_end", "multilingual")["macro_f1"] > 0.9
    assert row(results, "poor", "monolingual")["macro_f1"] < 1
    assert row(results, "reference", "zero-shot")["macro_f1"] < 0.6  # the words are others
    assert row(results, "mfcc", "zero-shot")["macro_f1"] == 1  # the tones are the same


def test_the_lines_that_every_system_has_to_be_above(folder):
    results = document(folder)["results"]
    assert row(results, "majority", "monolingual", "quy")["accuracy"] == pytest.approx(1 / 3)
    assert row(results, "majority", "monolingual", "quy")["macro_f1"] == pytest.approx(0.5 / 3)
    chance = row(results, "chance", "multilingual")
    assert chance["accuracy"] == pytest.approx(1 / 3, abs=0.05)
    assert chance["intervals"]["accuracy"][0] < 0.3 < 0.4 < chance["intervals"]["accuracy"][1]


def test_the_matrix_has_the_cells_of_the_regimes(folder):
    found = document(folder)
    assert {one["system"] for one in found["matrices"]} == {*found["systems"], "majority"}
    (matrix,) = [one for one in found["matrices"] if one["system"] == "reference"]
    cells = {
        (s, t): matrix["macro_f1"][i][j] for i, s in enumerate(matrix["train"]) for j, t in enumerate(matrix["test"])
    }
    assert cells["quy", "quy"] == row(found["results"], "reference", "monolingual", "quy")["macro_f1"]
    assert cells["quy", "swh"] == row(found["results"], "reference", "zero-shot", "swh")["macro_f1"]


def test_differences_have_a_sign_that_means_something(folder):
    found = document(folder)
    names = list(found["systems"])
    assert len(found["tests"]) == 3 * 3 * (len(names) * (len(names) - 1) // 2)  # regimes, both languages and their mean
    for test in found["tests"]:
        one, two = (row(found["results"], test[side], test["regime"], test["test"]) for side in ("first", "second"))
        assert test["difference"]["macro_f1"] == pytest.approx(one["macro_f1"] - two["macro_f1"])
        low, high = test["intervals"]["macro_f1"]
        assert low - 1e-9 <= high
        assert 0 < test["p_value"]["macro_f1"] <= test["holm"]["macro_f1"] <= 1
    kinds = {(test["first"], test["second"]): test["what"] for test in found["tests"]}
    assert {pair for pair, what in kinds.items() if what == "sides"} == {
        (speech, text) for speech in ("end_to_end", "mfcc") for text in TEXTS
    }
    assert {pair for pair, what in kinds.items() if what == "transcription"} == {("reference", text) for text in TEXTS}
    assert {pair for pair, what in kinds.items() if what == "bound"} == {
        ("reference", "end_to_end"),
        ("reference", "mfcc"),
    }


def test_a_clear_difference_is_found_and_none_is_not(folder):
    tests = document(folder)["tests"]
    (clear,) = [
        t
        for t in tests
        if (t["first"], t["second"], t["regime"], t["test"]) == ("mfcc", "reference", "zero-shot", None)
    ] or [
        t
        for t in tests
        if (t["first"], t["second"], t["regime"], t["test"]) == ("reference", "mfcc", "zero-shot", None)
    ]
    assert clear["holm"]["macro_f1"] < 0.01
    (none,) = [
        t
        for t in tests
        if (t["first"], t["second"], t["regime"], t["test"]) == ("reference", "mfcc", "monolingual", None)
    ]
    assert none["p_value"]["macro_f1"] == 1


def test_transcript_errors_and_what_they_do(folder):
    found = {one["system"]: one for one in document(folder)["transcripts"]}
    assert found.keys() == set(TEXTS)
    rows = [one for one in table(folder) if one["system"] == "poor" and "+" in one["train"]]
    expected = jiwer.cer([one["spoken"] for one in rows], [one["heard"] for one in rows])
    assert found["poor"]["rate"] == pytest.approx(expected)
    assert expected == pytest.approx(0.4, abs=0.08)
    effect = next(one for one in found["poor"]["effect"] if one["regime"] == "multilingual")
    assert sum(one["utterances"] for one in effect["bins"]) == effect["utterances"] == 24


def test_the_noise_curve_begins_at_the_references_and_falls(folder):
    curves = document(folder)["noise"]
    assert {(one["system"], one["regime"], one["kind"]) for one in curves} == {
        ("reference", regime, kind)
        for regime in ("monolingual", "multilingual", "zero-shot")
        for kind in ("random", "systematic")
    }
    for curve in curves:
        if curve["regime"] == "multilingual":
            first, *_, last = curve["points"]
            assert (first["cer"], first["macro_f1"]) == (0, 1)
            assert last["cer"] == pytest.approx(0.6, abs=0.1)
            assert last["macro_f1"] < 0.9


def test_the_page_holds_everything_and_asks_for_nothing(folder):
    page, found = (folder / "out" / "compare.html").read_text(), document(folder)
    parts = (
        "What this says", "Results: zero-shot", "From language to language", "Speech less text", "What transcription costs",
        "Transcript error and class found", "Worse transcripts", "Calibration", "Confusions",
    )  # fmt: skip
    for name in (*parts, *found["systems"]):
        assert name in page
    assert page.count('<table class="map">') > 10
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page)
    shown = page.replace("&#39;", "'")
    for sentence in found["conclusions"]:
        assert sentence in shown
    assert len(found["conclusions"]) > 5


def test_the_words_say_what_the_numbers_say(folder):
    words = "\n".join(document(folder)["conclusions"])
    assert "24 test utterances in 2 languages" in words
    assert "In quy there are 12: one of them more or less right is 8.3 points of accuracy" in words
    assert re.search(r"Multilingual: with perfect transcripts \(reference\).*1\.000.*it loses in transcription", words)
    assert re.search(r"Zero-shot: classifying speech directly is better: macro-F1 1\.000", words)
    assert re.search(r"Zero-shot: even with perfect transcripts .* in those of another", words)


def test_what_is_done_is_not_done_again_and_settings_are_saved(folder, monkeypatch, capsys):
    before = (folder / "out" / "compare.json").read_bytes()
    monkeypatch.setattr(EndToEnd, "answer", lambda *_: pytest.fail("it was trained again"))
    monkeypatch.setattr(MeanMFCC, "answer", lambda *_: pytest.fail("it was learned again"))
    assert main(["classify", "compare", str(folder / "out" / "config.yaml")]) == 0
    assert (folder / "out" / "compare.json").read_bytes() == before
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "monolingual, all examples: macro-F1 (test: quy, swh)"
    (line,) = [line for line in lines[:10] if line.startswith("mfcc")]
    assert line.split()[1:] == ["1.000", "[1.000,", "1.000]"] * 3


def test_a_comparison_that_is_interrupted_anywhere_ends_as_an_uninterrupted_one(tones, tmp_path, monkeypatch):
    systems = {name: SYSTEMS[name] for name in ("end_to_end", "mfcc")}
    settings = {"systems": systems, "regimes": ["multilingual"], "seeds": [1]}
    assert compare(tmp_path, tones, name="whole", **settings) == 0
    for batch in (2, 14):
        with monkeypatch.context() as patch:
            kill_at(patch, batch)
            with pytest.raises(Killed):
                compare(tmp_path, tones, name="broken", **settings)
    assert not (tmp_path / "broken" / "runs").exists()
    assert list((tmp_path / "broken" / "work").rglob("checkpoint.ckpt"))  # after which the training goes on
    with monkeypatch.context() as patch:
        patch.setattr(MeanMFCC, "answer", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert compare(tmp_path, tones, name="broken", **settings) == 130
    assert len(runs(tmp_path, "broken")) == 1
    assert not (tmp_path / "broken" / "compare.json").exists()
    assert compare(tmp_path, tones, name="broken", **settings) == 0
    for name in ("compare.json", "predictions.tsv"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not list((tmp_path / "broken" / "work").rglob("*.safetensors"))  # models are not kept


def test_a_changed_setting_is_noticed_and_earlier_results_stay(tones, tmp_path, capsys):
    def said():
        return [line for line in capsys.readouterr().err.splitlines() if "earlier results" in line]

    settings = {"regimes": ["multilingual"]}
    compare(tmp_path, tones, systems=CHEAP, **settings)
    before = {path: path.read_bytes() for path in (tmp_path / "out" / "runs").rglob("*.json")}
    assert not said()
    compare(tmp_path, tones, "--systems.mfcc.coefficients", "5", systems=CHEAP, **settings)
    (line,) = said()
    assert re.match(
        r"mfcc: settings are others than those of earlier results .*\(coefficients: 20 before, 5 now\)", line
    )
    after = {path: path.read_bytes() for path in (tmp_path / "out" / "runs").rglob("*.json")}
    assert len(after) == len(before) + 1
    assert {path: after[path] for path in before} == before
    change_rows(tones, lambda row: {"text": row.text.replace("allqu", "misi")})
    compare(tmp_path, tones, systems=CHEAP, **settings)
    lines = said()
    assert len(lines) == 2
    assert all("data.train, data.dev, data.test" in one for one in lines)


def test_a_changed_model_is_noticed(tones, tmp_path, pretrained_folder):
    arguments = END_TO_END["init_args"] | {
        "preset": None,
        "model": str(pretrained_folder),
        "architecture": {},
        "max_steps": 1,
    }
    systems = {"own": {"class_path": "EndToEnd", "init_args": arguments}}
    settings = {"systems": systems, "regimes": ["multilingual"], "seeds": [1]}
    compare(tmp_path, tones, **settings)
    config = pretrained_folder / "config.json"
    config.write_text(config.read_text() + "\n")
    compare(tmp_path, tones, **settings)
    assert len(runs(tmp_path)) == 2


def test_families_and_all_but_one_language(tmp_path):
    folder = make_spoken_tones(
        tmp_path / "tones", languages=("quy", "swh", "quy"), sizes={"train": 2, "dev": 1, "test": 2}
    )
    number = iter(range(1000))
    change_rows(folder, lambda row: {"language": row.language if row.language == "swh" or next(number) % 2 else "quz"})
    change_rows(folder, lambda row: {"speaker": f"{row.language}{row.split}", "extra": {"group": row.id}})
    regimes = {"systems": {"mfcc": CHEAP["mfcc"]}, "regimes": ["family", "leave-one-out", "multilingual"]}
    assert compare(tmp_path, folder, **regimes) == 0
    found = document(tmp_path)
    tested = {(row["regime"], row["test"]) for row in found["results"] if row["system"] == "mfcc" and row["test"]}
    languages = {"quy", "quz", "swh"}
    assert tested == {
        *(("family", language) for language in ("quy", "quz")),
        *((regime, language) for regime in ("multilingual", "leave-one-out") for language in languages),
    }
    learned = {tuple(sorted({id for id in run["train"]})) for run in runs(tmp_path)}
    assert len(learned) == 4  # the family is all but swh as well
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "Trained on all languages but the one that is tested." in page
    assert "all languages of a family" in page


def test_swapped_labels_are_at_chance(tones, tmp_path):
    labels = iter(np.random.default_rng(3).permutation([one.label for one in read_manifest(tones / "manifest.tsv")]))
    change_rows(tones, lambda row: {"label": str(next(labels))})
    systems = {name: SYSTEMS[name] for name in ("end_to_end", "mfcc", "reference")}
    assert compare(tmp_path, tones, systems=systems, regimes=["multilingual"], seeds=[1]) == 0
    results = document(tmp_path)["results"]
    low, high = row(results, "chance", "multilingual")["intervals"]["accuracy"]
    for name in systems:
        assert low <= row(results, name, "multilingual")["accuracy"] <= high, name
    assert any("not shown to be above chance" in one and "mfcc" in one for one in document(tmp_path)["conclusions"])


def test_few_examples(tones, tmp_path):
    assert compare(tmp_path, tones, "--shots", "2", "all", systems=CHEAP, regimes=["monolingual", "multilingual"]) == 0
    found = document(tmp_path)
    assert found["shots"] == [2, None]
    sizes = {(len(run["train"]), len(run["dev"])) for run in runs(tmp_path) if run["key"]["system"] == "mfcc"}
    assert sizes == {(6, 6), (12, 12), (24, 6), (48, 12)}
    assert found["systems"]["mfcc"]["trainings"] == 2 * 3 + 3  # without a draw, a seed changes nothing
    assert row(found["results"], "reference", "monolingual", shots=2)["sd"]["macro_f1"] is not None
    assert "Few examples: multilingual" in (tmp_path / "out" / "compare.html").read_text()


def test_folds_test_every_row_once_by_speakers_that_training_did_not_have(tones, tmp_path):
    flags = ["--folds", "3", "--predictions", "parquet"]
    assert compare(tmp_path, tones, *flags, systems=CHEAP, regimes=["multilingual"], seeds=[1]) == 0
    known = {one.id: one for one in read_manifest(tones / "manifest.tsv")}
    own = [run for run in runs(tmp_path) if run["key"]["system"] == "mfcc"]
    assert sorted(id for run in own for id in run["test"]) == sorted(known)
    for run in own:
        speakers = [{known[id].speaker for id in ids} for ids in (run["train"] + run["dev"], run["test"])]
        assert not speakers[0] & speakers[1]
    rows = parquet.read_table(tmp_path / "out" / "predictions.parquet").to_pylist()
    assert sorted(one["id"] for one in rows if one["system"] == "mfcc") == sorted(known)
    assert all(one["right"] == (one["label"] == one["predicted"]) for one in rows)
    assert row(document(tmp_path)["results"], "mfcc", "multilingual")["utterances"] == len(known)


def test_without_dev_rows_a_tenth_is_held_out_for_all(tones, tmp_path):
    change_rows(tones, lambda row: {"split": {"test": "dev"}.get(row.split, "train")})
    assert compare(tmp_path, tones, "--test_split", "dev", systems=CHEAP, regimes=["multilingual"]) == 0
    for run in runs(tmp_path):
        assert (len(run["train"]), len(run["dev"]), len(run["test"])) == (54, 6, 24)


def test_dev_and_test_may_stand_in_manifests_of_their_own(tones, tmp_path):
    other = make_spoken_tones(tmp_path / "other")
    for name, split in (("d", "dev"), ("t", "test")):
        make_spoken_tones(tmp_path / name)
        change_rows(
            tmp_path / name,
            lambda row: {"speaker": f"{row.speaker}x", "split": ""},
            lambda row, own=split: row.split == own,
        )
    change_rows(other, lambda row: {"split": ""}, lambda row: row.split == "train")
    flags = ["--dev", str(tmp_path / "d"), "--test", str(tmp_path / "t")]
    assert compare(tmp_path, other, *flags, systems=CHEAP, regimes=["multilingual"]) == 0
    for run in runs(tmp_path):
        assert (len(run["train"]), len(run["dev"]), len(run["test"])) == (48, 12, 24)
        assert not set(run["train"]) & set(run["test"])  # names that stand in both corpora are told apart


def test_some_languages_some_systems_and_shared_classes(tones, tmp_path):
    flags = ["--language", "Swahili", "--only", "mfcc"]
    assert compare(tmp_path, tones, *flags) == 0
    found = document(tmp_path)
    assert (list(found["systems"]), list(found["languages"]), found["regimes"]) == (["mfcc"], ["swh"], ["monolingual"])
    change_rows(tones, lambda row: {}, lambda row: (row.language, row.label) != ("quy", "pitch:a"))
    assert compare(tmp_path, tones, "--classes", "shared", systems=CHEAP, name="shared") == 0
    assert {tuple(run["labels"]) for run in runs(tmp_path, "shared")} == {("b", "c")}


def test_a_cascade_without_references_learns_from_transcripts(tones, tmp_path, capsys):
    rows = [one for one in read_manifest(tones / "manifest.tsv")]
    lines = [json.dumps({"audio": one.id, "text": one.text}) for one in rows]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    change_rows(tones, lambda row: {"text": ""})
    given = {"class_path": "TranscriptFile", "init_args": {"path": str(tmp_path / "t.jsonl")}}
    systems = {"given": {"class_path": "TextCascade", "init_args": {"transcriber": given, "gold": None}}}
    assert compare(tmp_path, tones, systems=systems, regimes=["multilingual"]) == 0
    found = document(tmp_path)
    assert list(found["systems"]) == ["given"]
    assert found["transcripts"] == []
    assert row(found["results"], "given", "multilingual")["macro_f1"] == 1


def test_transcripts_of_a_model_are_made_once(tones, tmp_path, ctc_folder, monkeypatch):
    own = {"class_path": "Recogniser", "init_args": {"model": str(ctc_folder), "device": "cpu"}}
    systems = {"own": {"class_path": "TextCascade", "init_args": {"transcriber": own}}}
    assert compare(tmp_path, tones, systems=systems, regimes=["monolingual", "multilingual"]) == 0
    (cache,) = (tmp_path / "out" / "transcripts").glob("*.jsonl")
    assert len(cache.read_text().splitlines()) == len(read_manifest(tones / "manifest.tsv"))
    assert document(tmp_path)["systems"]["own"]["init_args"]["transcriber"]["init_args"]["cache"] is None
    (measured, *_) = document(tmp_path)["transcripts"]
    assert measured["unit"] == "character"
    assert measured["rate"] > 0.3


def test_dry_run_says_what_would_be_done(tones, tmp_path, capsys):
    assert compare(tmp_path, tones, "--dry_run") == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "2 languages: quy, swh", "    6 trainings  end_to_end", "    3 trainings  mfcc",
    ]  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_settings_of_end_to_end_are_those_of_classify_train():
    verb = inspect.signature(classify_train).parameters
    left_out = {"train", "out", "dev", "split", "task", "kind", "label", "seed", "resume", "dry_run", "overfit"}
    own = {one.name: one for one in fields(EndToEnd)}
    assert own.keys() - {"window_seconds", "judge_precision", "calibrate"} == verb.keys() - left_out
    made = EndToEnd(model="m")
    for name in verb.keys() - left_out - {"model"}:
        assert getattr(made, name) == verb[name].default, name


def test_a_run_that_is_damaged_is_named(tones, tmp_path, capsys):
    compare(tmp_path, tones, systems=CHEAP, regimes=["multilingual"])
    path = next((tmp_path / "out" / "runs" / "mfcc").glob("*.json"))
    path.write_text(path.read_text()[:100])
    assert compare(tmp_path, tones, systems=CHEAP, regimes=["multilingual"]) == 2
    assert re.search(rf"{re.escape(str(path))}: is damaged .*; delete it, and it is made anew", capsys.readouterr().err)
