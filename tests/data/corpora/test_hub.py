import json
from pathlib import Path

import huggingface_hub
import pyarrow
import pyarrow.parquet
import pytest

from speechxl.data.corpora.hub import read
from speechxl.data.embedded import save_audio
from speechxl.data.manifest import Fault
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.verbs.prepare import prepare
from tests.data.corpora.annotated import write_tone


def parted(items):
    items = list(items)
    return [x for x in items if isinstance(x, Utterance)], [x for x in items if isinstance(x, Fault)]


@pytest.fixture
def audio(tmp_path):
    return write_tone(tmp_path / "one.wav", 1.0).read_bytes()


def write(path, rows, classes=None):
    table = pyarrow.Table.from_pylist(rows)
    if classes:
        features = {name: {"names": names, "_type": "ClassLabel"} for name, names in classes.items()}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(table, path)
    return path


def rows_of(audio, *texts):
    return [
        {
            "audio": {"bytes": audio, "path": f"clip {n}.wav"},
            "sentence": text,
            "intent": n % 2,
            "speaker_id": n,
            "id": 7,
        }
        for n, text in enumerate(texts)
    ]


def test_splits_texts_and_classes_and_the_audio_as_it_is(tmp_path, audio):
    classes = {"intent": ["greet", "part"]}
    write(tmp_path / "set" / "data" / "train-00000-of-00001.parquet", rows_of(audio, "uno", "dos"), classes)
    write(tmp_path / "set" / "data" / "validation-00000-of-00001.parquet", rows_of(audio, "tres"), classes)
    rows, faults = parted(read(tmp_path / "set", tmp_path / "a", {"label": "intent"}))
    assert not faults
    assert [(row.split, row.text, row.label, row.speaker, row.extra["file"]) for row in rows] == [
        ("train", "uno", "intent:greet", "0", "clip 0.wav"), ("train", "dos", "intent:part", "1", "clip 1.wav"),
        ("dev", "tres", "intent:greet", "0", "clip 0.wav"),
    ]  # fmt: skip
    assert len({row.id for row in rows}) == len({row.path for row in rows}) == 3
    assert all(row.path.read_bytes() == audio and row.path.suffix == ".wav" for row in rows)
    assert prepare("hub", tmp_path / "set", tmp_path / "m.tsv", language="spa").document["utterances"] == 3
    assert len(list((tmp_path / "m.audio").iterdir())) == 3


def test_configurations_have_to_be_chosen(tmp_path, audio):
    for name in ("sw_ke", "quy"):
        write(tmp_path / "set" / name / "test" / "0000.parquet", rows_of(audio, name))
    with pytest.raises(InputError, match="has several configurations: quy, sw_ke; name one with --subset, or all"):
        list(read(tmp_path / "set", tmp_path / "a"))
    with pytest.raises(InputError, match="--subset xx: is not in"):
        list(read(tmp_path / "set", tmp_path / "a", subset="xx"))
    assert [(row.text, row.split) for row in read(tmp_path / "set", tmp_path / "a", subset="quy")] == [("quy", "test")]
    assert len(list(read(tmp_path / "set", tmp_path / "a", subset="all"))) == 2


def test_nothing_is_written_outside_the_folder(tmp_path, audio):
    names = ["../../evil.wav", "/etc/evil.wav", "a/../../b.wav", "..", "x" * 300 + ".wav", "ñ\n\t.wav", ""]
    write(tmp_path / "set" / "train.parquet", [{"audio": {"bytes": audio, "path": name}} for name in names])
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    rows, faults = parted(read(tmp_path / "set", tmp_path / "out" / "a"))
    assert len(rows) == len(names)
    assert not faults
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert len(made) == len(names)
    assert {path.parent for path in made} == {tmp_path / "out" / "a"}
    for name in names:
        assert save_audio(tmp_path / "b", name, audio).parent == tmp_path / "b"
    assert len(list((tmp_path / "b").iterdir())) == len(names)


def test_rows_without_usable_audio_are_reported(tmp_path, audio):
    rows = [
        {"audio": {"bytes": data, "path": name}}
        for data, name in [(b"no", "a"), (None, None), (None, "one.wav"), (None, "/x")]
    ]
    write(tmp_path / "set" / "train.parquet", rows)
    write_tone(tmp_path / "set" / "one.wav", 1.0)
    (tmp_path / "set" / "test.parquet").write_bytes((tmp_path / "set" / "train.parquet").read_bytes()[:-50])
    good, faults = parted(read(tmp_path / "set", tmp_path / "a"))
    assert [row.path for row in good] == [tmp_path / "set" / "one.wav"]
    assert "is no Parquet file that can be read" in faults[0].message
    assert [fault.message.partition(":")[0] for fault in faults[1:]] == ["its audio", "has no audio.", "/x"]
    assert not list((tmp_path / "a").iterdir())
    write(tmp_path / "other.parquet", [{"a": 1}])
    with pytest.raises(InputError, match="no column holds audio; there are a"):
        list(read(tmp_path / "other.parquet", tmp_path / "a"))
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"no .parquet file below"):
        list(read(tmp_path / "none", tmp_path / "a"))


def test_a_data_set_in_the_cache_is_read_without_network(tmp_path, audio, monkeypatch):
    cache = tmp_path / "cache" / "datasets--org--talk"
    write(cache / "snapshots" / "abc" / "data" / "train-00000-of-00001.parquet", rows_of(audio, "uno"))
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("abc")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    (row,) = read(Path("org/talk"), tmp_path / "a")
    assert row.text == "uno"
    with pytest.raises(InputError, match=r"org/none: cannot be had from the hub (.|\n)*hf download org/none"):
        list(read(Path("org/none"), tmp_path / "a"))
    with pytest.raises(InputError, match="a data set of the hub is named org/name"):
        list(read(Path("/nope/talk"), tmp_path / "a"))


def test_only_the_files_of_a_configuration_are_fetched(tmp_path, audio, monkeypatch):
    write(tmp_path / "got" / "quy" / "train" / "0000.parquet", rows_of(audio, "uno"))
    asked = {}

    class Api:
        def list_repo_files(self, name, repo_type, revision):
            return ["README.md"] if revision is None else ["quy/train/0000.parquet", "sw_ke/train/0000.parquet"]

    def snapshot_download(name, **options):
        asked.update(options, name=name)
        return str(tmp_path / "got")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(InputError, match="has several configurations: quy, sw_ke"):
        list(read(Path("org/talk"), tmp_path / "a"))
    (row,) = read(Path("org/talk"), tmp_path / "a", subset="quy")
    assert row.text == "uno"
    assert (asked["revision"], asked["allow_patterns"]) == ("refs/convert/parquet", ["quy/train/0000.parquet"])
