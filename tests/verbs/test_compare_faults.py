"""What `classify compare` refuses, and what it says."""

import re

import pytest
import soundfile

from speechxl.data.manifest import read_manifest
from tests.verbs.spoken_tones import change_rows, make_spoken_tones
from tests.verbs.test_compare import CHEAP, END_TO_END, SYSTEMS, compare, document

PERFECT = SYSTEMS["reference"]["init_args"]


@pytest.fixture
def tones(tmp_path):
    return make_spoken_tones(tmp_path / "tones", sizes={"train": 2, "dev": 1, "test": 2})


@pytest.fixture
def refused(tmp_path, tones, capsys):
    """The message of a comparison that does not begin."""

    def refuse(*arguments, code=2, **settings):
        settings = {"systems": CHEAP, **settings}
        assert compare(tmp_path, tones, *arguments, **settings) == code
        assert not (tmp_path / "out" / "runs").exists()
        return capsys.readouterr().err.splitlines()[-1]

    return refuse


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"systems": {}}, "systems: name at least one, with class_path EndToEnd"),
        ({"systems": {"majority": {"class_path": "MeanMFCC"}}}, "the name 'majority' is a line that is always there"),
        (
            {"systems": {"x": SYSTEMS["poor"], "x, learns from transcripts": {"class_path": "MeanMFCC"}}},
            "the name 'x, learns from transcripts' stands there twice",
        ),
        ({"systems": {"x": {"class_path": "EndToEnd"}}}, "EndToEnd: name a model to start from, or a preset"),
        ({"systems": {"x": {"class_path": "MeanMFCC", "init_args": {"c": 0}}}}, r"MeanMFCC: coefficients must be .* 20 and 0"),
        (
            {"systems": {"x": {"class_path": "TextCascade", "init_args": PERFECT | {"train_text": []}}}},
            r"TextCascade: train_text is \[\]; name each of gold, asr, both at most once",
        ),
        ({"only": ["mfc"]}, "--only mfc: there is no such system; there are mfcc, reference"),
        ({"shots": [1, "all"]}, "--shots 1: a class needs at least two examples"),
        ({"shots": [40]}, r"40 examples of each class were asked for, and there are fewer of pitch:a in quy \(4\)"),
        ({"language": ["xyz"]}, r"--language xyz: no row is in it; there are quy, swh"),
        ({"language": ["quy"], "regimes": ["zero-shot"]}, r"--regimes zero-shot: .* possible is monolingual"),
        ({"folds": 2, "test_split": "dev", "test": ["x"]}, "--folds divides all rows of --train; leave out --dev and --test"),
        ({"test": ["x"], "test_split": "dev"}, "--test_split dev: says which rows of --train are tested"),
        ({"folds": 9}, "--folds 9: quy has 4 speakers"),
        ({"shared": []}, r"test rows have a sentence of the training rows.*meant by naming 'sentence' as shared"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense(settings, message, refused, tones):
    change_rows(tones, lambda row: {"text": row.text.rpartition(" ")[0]})
    assert re.search(message, refused(**settings))


def test_what_is_no_system_is_named(refused, tmp_path, tones, capsys):
    with pytest.raises(SystemExit, match="2"):
        compare(tmp_path, tones, systems={"x": {"class_path": "Magic"}})
    assert "systems" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        compare(tmp_path, tones, systems={"x": {"class_path": "MeanMFCC", "init_args": {"coefficient": 3}}})
    assert "coefficient" in capsys.readouterr().err


def test_a_label_that_only_some_languages_have(refused, tones):
    change_rows(tones, lambda row: {}, lambda row: (row.language, row.label) != ("quy", "pitch:a"))
    said = refused()
    assert re.search(
        r"quy to quy, swh: .*manifest.tsv:\d+: the label pitch:a stands in test rows and in no training row", said
    )
    assert said.endswith("Languages with other classes are compared with --classes shared.")


def test_a_class_with_one_example(refused, tones):
    rows = read_manifest(tones / "manifest.tsv")
    lost = {row.id for row in rows if (row.language, row.label, row.split) == ("quy", "pitch:a", "train")}
    lost.remove(min(lost))
    change_rows(tones, lambda row: {}, lambda row: row.id not in lost)
    assert re.search(r"fewer than 2 training rows have the label pitch:a \(1\)", refused(language=["quy"]))


def test_labels_of_several_kinds_and_none(refused, tones):
    change_rows(tones, lambda row: {"label": "length:short" if row.split == "dev" else row.label})
    assert re.search(r"is of another kind than .* there are length \(6 rows\), pitch \(36 rows\)", refused())
    assert "no label is of the kind 'topic'" in refused("--kind", "topic", code=5)
    change_rows(tones, lambda row: {"label": ""}, lambda row: row.split != "dev")
    assert re.search(r"manifest.tsv:2: the label is empty", refused())


def test_no_rows_to_test_on(refused, tones):
    assert re.search(
        r"no row for test has a label of the kind pitch; see --test_split", refused("--test_split", "eval", code=5)
    )
    change_rows(tones, lambda row: {"split": ""})
    assert re.search(r"no row with the split train, dev or test; name the splits", refused(code=5))


def test_speakers_of_train_and_test(refused, tones):
    change_rows(tones, lambda row: {"speaker": row.speaker[:3], "text": ""})
    assert re.search(
        r"12 of 12 test rows have a speaker of the training rows, such as 'quy'", refused(systems={"m": CHEAP["mfcc"]})
    )


def test_what_is_shared_and_meant_is_listed(tones, tmp_path):
    change_rows(tones, lambda row: {"text": row.text.split()[0]})
    assert compare(tmp_path, tones, systems={"mfcc": CHEAP["mfcc"]}, regimes=["multilingual"]) == 0
    found = document(tmp_path)
    assert [(leak["kind"], leak["rows"], leak["of"]) for leak in found["shared"]] == [("sentence", 12, 12)]
    assert any("nothing is shown for a new sentence" in one for one in found["conclusions"])
    assert "nothing is shown for a new sentence" in (tmp_path / "out" / "compare.html").read_text()


def test_rows_without_audio_are_left_out_for_all(tones, tmp_path):
    rows = read_manifest(tones / "manifest.tsv")
    rows[0].path.unlink()
    soundfile.write(rows[1].path, [0.0] * 800, 16_000)
    change_rows(tones, lambda row: {"duration": None if row.id == rows[1].id else row.duration})
    assert compare(tmp_path, tones, systems=CHEAP, regimes=["multilingual"]) == 4
    found = document(tmp_path)
    assert [one["row"].rpartition(":")[2] for one in found["left_out"]] == ["2", "3"]
    assert "0.050 s are too short" in found["left_out"][1]["reason"]
    assert found["languages"]["quy"]["train"] == 10


def test_texts_that_are_not_there(tmp_path, tones, capsys):
    change_rows(tones, lambda row: {"text": ""})
    assert compare(tmp_path, tones, systems=CHEAP) == 2
    assert re.search(r"reference: .*column 'text' is empty .*needs all of them", capsys.readouterr().err)


def test_settings_with_which_a_system_would_learn_from_fewer_rows(tmp_path, tones, capsys):
    own = END_TO_END["init_args"] | {"max_steps": 1, "data": {"min_seconds": 0.35}}
    systems = {"own": {"class_path": "EndToEnd", "init_args": own}}
    assert compare(tmp_path, tones, systems=systems, regimes=["multilingual"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert re.search(
        r"own: data.min_seconds 0.35 would leave out \d+ of 24 training rows, for example .*tsv:\d+, and", said
    )
    assert not list((tmp_path / "out").rglob("model.safetensors"))


def test_a_comparison_runs_in_one_process(tmp_path, tones, capsys, monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert compare(tmp_path, tones) == 2
    assert re.search(
        r"end_to_end: training would take 2 processes, and a comparison runs in one", capsys.readouterr().err
    )
