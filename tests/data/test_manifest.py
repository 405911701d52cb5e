import json

import pytest

from speechxl.data.manifest import read_manifest, scan_manifest, write_manifest
from speechxl.errors import InputError
from speechxl.shapes import Utterance

HEADER = "path\tduration_s\tlanguage\tspeaker\tsplit\ttext\tlabel\n"


def write(tmp_path, text, name="m.tsv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_are_read_and_paths_are_relative_to_the_manifest(tmp_path):
    path = write(tmp_path, HEADER + "a/b.wav\t1.5\tmdw\ts1\ttrain\te\u0301 b\tdigit:1\n")
    (utterance,) = read_manifest(path)
    assert utterance.path == tmp_path / "a/b.wav"
    assert (utterance.duration, utterance.language, utterance.speaker, utterance.split) == (1.5, "mdw", "s1", "train")
    assert (utterance.text, utterance.label, utterance.id) == ("é b", "digit:1", "a/b.wav")
    assert str(utterance) == f"{path}:2"


def test_written_manifests_read_back_the_same(tmp_path):
    utterances = [
        Utterance(
            tmp_path / "sub/a b.wav",
            "a",
            0.0,
            1.25,
            "swh",
            "s",
            "train",
            "sawa \u201cndiyo\u201d",
            "s a w a",
            "x:y",
            {"note": "ok"},
        ),
        Utterance(tmp_path / "long.flac", "long.flac@3.5", 3.5, 2.0, "swh", text='"quoted" text'),
    ]
    for name in ("m.tsv", "m.jsonl", "deep/m.tsv"):
        write_manifest(tmp_path / name, utterances)
        for before, after in zip(utterances, read_manifest(tmp_path / name), strict=True):
            assert {**vars_of(before), "origin": "", "extra": {}} == {**vars_of(after), "origin": "", "extra": {}}
            assert after.extra.get("note", "") == before.extra.get("note", "")
    assert "long.flac@3.5" in (tmp_path / "m.tsv").read_text()


def vars_of(utterance):
    return {name: getattr(utterance, name) for name in Utterance.__dataclass_fields__} | {
        "path": utterance.path.resolve()
    }


def test_nemo_lines_are_read_and_written(tmp_path):
    path = write(
        tmp_path, '{"audio_filepath": "a.wav", "duration": 2, "text": "x", "lang": "mdw", "offset": 1.5}\n\n', "m.json"
    )
    (utterance,) = read_manifest(path)
    assert (utterance.start, utterance.duration, utterance.language, utterance.id) == (1.5, 2.0, "mdw", "a.wav@1.5")
    write_manifest(tmp_path / "out.jsonl", [utterance])
    row = json.loads((tmp_path / "out.jsonl").read_text())
    assert (row["audio_filepath"], row["duration"], row["offset"], row["lang"]) == ("a.wav", 2.0, 1.5, "mdw")


def test_windows_line_ends_and_a_byte_order_mark_are_understood(tmp_path):
    path = tmp_path / "m.tsv"
    path.write_bytes(b"\xef\xbb\xbfpath\ttext\r\na.wav\tone\r\nb.wav\ttwo\r\n")
    assert [utterance.text for utterance in read_manifest(path)] == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.wav\t1.0\tmdw\n", r"m.tsv:1: no column 'path' in the header line 'a.wav"),
        ("paht\tduration_s\nx\t1\n", r"m.tsv:1: no column 'path'.*'paht' may be meant to be 'path'"),
        ("path\tpath\n", r"m.tsv:1: a column stands twice"),
        (HEADER + "a.wav\t1\n\nb.wav\tlong\n", r"m.tsv:4: duration_s is 'long', a number of seconds was expected"),
        (HEADER + "a.wav\t-2\n", r"m.tsv:2: duration_s is -2"),
        (HEADER + "a.wav\tnan\n", r"m.tsv:2: duration_s is nan"),
        (HEADER + "a.wav\t0\n", r"m.tsv:2: duration_s is 0"),
        (HEADER + "\t1\n", r"m.tsv:2: column 'path' is empty"),
        (HEADER + "a\t1\t\t\t\t\t\tx\ty\n", r"m.tsv:2: 9 fields, but the header has 7 columns"),
        (HEADER + "a.wav\t1\na.wav\t1\n", r"m.tsv:3: id 'a.wav' stands already at .*m.tsv:2"),
        (HEADER + "a\0.wav\t1\n", r"m.tsv:2: NUL byte"),
    ],
)
def test_faults_name_file_and_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_manifest(write(tmp_path, text))


def test_faults_of_json_lines_name_file_and_line(tmp_path):
    text = '{"audio_filepath": "a.wav"}\n{"audio_filepath": \n{"text": "x"}\n'
    with pytest.raises(
        InputError, match=r"m.jsonl:2: not JSON.*\n.*m.jsonl:3: not an object with the key 'audio_filepath'"
    ):
        read_manifest(write(tmp_path, text, "m.jsonl"))


def test_bytes_that_are_not_utf8_are_placed(tmp_path):
    path = tmp_path / "m.tsv"
    path.write_bytes(HEADER.encode() + b"a.wav\t1\t\t\t\tcaf\xe9\t\n")
    with pytest.raises(InputError, match=r"m.tsv:2: byte 0xe9 is not UTF-8"):
        read_manifest(path)


def test_a_missing_manifest_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nope.tsv: there is no such manifest"):
        read_manifest(tmp_path / "nope.tsv")
    with pytest.raises(InputError, match="is a folder"):
        read_manifest(tmp_path)


def test_good_rows_are_kept_beside_bad_ones(tmp_path):
    utterances, faults = scan_manifest(write(tmp_path, HEADER + "a.wav\tx\nb.wav\t1\nc.wav\ty\n"))
    assert [utterance.id for utterance in utterances] == ["b.wav"]
    assert [fault.place.rpartition(":")[2] for fault in faults] == ["2", "4"]


def test_only_the_first_ten_faults_are_listed(tmp_path):
    with pytest.raises(InputError, match="and 2 more") as error:
        read_manifest(write(tmp_path, HEADER + "".join(f"{n}.wav\tx\n" for n in range(12))))
    assert len(str(error.value).splitlines()) == 11


def test_a_name_with_a_tab_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match="tab or line break"):
        write_manifest(tmp_path / "m.tsv", [Utterance(tmp_path / "a\tb.wav", "x")])


def test_an_interrupted_write_leaves_the_old_manifest(tmp_path, monkeypatch):
    write_manifest(tmp_path / "m.tsv", [Utterance(tmp_path / "a.wav", "a.wav")])
    before = (tmp_path / "m.tsv").read_text()
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_manifest(tmp_path / "m.tsv", [Utterance(tmp_path / "b.wav", "b.wav")])
    assert (tmp_path / "m.tsv").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.tsv"]


def test_only_names_that_are_not_columns_are_guessed_at(tmp_path, caplog):
    path = tmp_path / "m.tsv"
    path.write_text("pth\tduration_s\ttext\na.wav\t1\tx\n")
    with pytest.raises(InputError) as error:
        read_manifest(path)
    assert "column 'pth' may be meant to be 'path'" in str(error.value)
    assert "duration_s' may" not in str(error.value)
    path.write_text("path,text\na.wav,x\n")
    with pytest.raises(InputError, match=r"separated by tabs.*speechxl prepare csv"):
        read_manifest(path)
    path.write_text("path\ttxt\na.wav\tx\n")
    assert read_manifest(path)[0].extra == {"txt": "x"}
    assert "column 'txt' may be meant to be 'text'; it is carried along unread" in caplog.text
