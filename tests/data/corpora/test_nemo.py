import gzip
import json
from pathlib import Path

import pytest

from speechxl.data.corpora.nemo import read
from speechxl.data.manifest import Fault
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.verbs.prepare import prepare
from tests.data.corpora.annotated import write_tone


def parted(items):
    items = list(items)
    return [x for x in items if isinstance(x, Utterance)], [x for x in items if isinstance(x, Fault)]


def test_lines_of_a_manifest(tmp_path):
    write_tone(tmp_path / "audio" / "la plática.wav")
    lines = [
        {"audio_filepath": "audio/la plática.wav", "duration": 4.0, "text": "ñan  rin", "lang": "es", "pred_text": "no"},
        {
            "audio_filepath": str(tmp_path / "audio" / "la plática.wav"), "offset": 1.5, "duration": 0.5, "text": None,
            "speaker": 7, "snr": 3.5, "words": ["a"], "lang": "Swahili",
        },
    ]  # fmt: skip
    (tmp_path / "m.json").write_text("\n\n".join(json.dumps(line) for line in lines) + "\n")
    rows, faults = parted(read(tmp_path / "m.json"))
    assert not faults
    assert [(row.start, row.duration, row.text, row.language, row.speaker, row.extra) for row in rows] == [
        (0.0, 4.0, "ñan rin", "spa", "", {}),
        (1.5, 0.5, "", "swh", "7", {"snr": "3.5", "words": '["a"]'}),
    ]
    assert rows[0].id != rows[1].id


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "'[1]' is not an object in braces"),
        ("{}", "has no key 'audio_filepath'"),
        ('{"audio_filepath": ["a.wav"]}', "has no key 'audio_filepath'"),
        ('{"audio_filepath": "../../../etc/shadow"}', "no such file|not audio|cannot be opened"),
        ('{"audio_filepath": "a\\u0000.wav"}', "there is no such file"),
        ('{"audio_filepath": "' + "a" * 5000 + '"}', "there is no such file"),
        ('{"audio_filepath": "a.wav", "duration": "long"}', "duration is 'long', a number of seconds was expected"),
        ('{"audio_filepath": "a.wav", "offset": NaN}', "is not within"),
        ('{"audio_filepath": "a.wav", "duration": Infinity}', "duration is 'inf'"),
        ('{"audio_filepath": "a.wav", "duration": true}', "duration is 'True'"),
        ('{"audio_filepath": "a.wav", "offset": 3, "duration": 8}', "from 3.000 s to 11.000 s is not within"),
        ('{"audio_filepath": "a.wav", "text": "\\ud800"}', "a character is cut in half"),
        ('{"audio_filepath": ' + "[" * 100_000, "nested too deeply"),
        ('{"audio_filepath": ' + "1" * 5_000 + "}", "not JSON"),
    ],
)
def test_what_cannot_be_used_is_reported_with_its_line(tmp_path, line, message):
    write_tone(tmp_path / "a.wav")
    (tmp_path / "m.json").write_text('{"audio_filepath": "a.wav"}\n' + line + "\n")
    rows, (fault,) = parted(read(tmp_path / "m.json"))
    assert len(rows) == 1
    assert fault.place.endswith("m.json:2")
    assert any(each in fault.message for each in message.split("|"))


def test_a_manifest_that_is_no_text_or_not_there(tmp_path):
    with pytest.raises(InputError, match="there is no such manifest of NeMo"):
        list(read(tmp_path / "m.json"))
    (tmp_path / "m.json").write_bytes(b'{"a": 1}\n\0')
    with pytest.raises(InputError, match=r"m.json:2: NUL byte"):
        prepare("nemo", tmp_path / "m.json", tmp_path / "out", language="quy")
    (tmp_path / "m.json.gz").write_bytes(b"\x1f\x8b\x08\x00aaaaaaaaaaaaaaaa")
    with pytest.raises(InputError, match="cannot be unpacked"):
        list(read(tmp_path / "m.json.gz"))
    assert not (tmp_path / "out").exists()


def test_a_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("speechxl.data.plain._UNPACKED", 100_000)
    (tmp_path / "m.json.gz").write_bytes(gzip.compress(b" " * 10_000_000))
    with pytest.raises(InputError, match=r"m.json.gz: unpacks to more than 200 times its size"):
        list(read(tmp_path / "m.json.gz"))
    (tmp_path / "m.json.gz").write_bytes(gzip.compress(b'{"audio_filepath": "a.wav"}\n' + b" " * 80_000))
    assert len(list(read(tmp_path / "m.json.gz"))) == 1


def test_faults_of_a_file_have_its_line():
    for message, expected in (
        ("a.eaf:3: is bad", ("a.eaf:3", "is bad")),
        ("a.eaf: is bad", ("a.eaf", "is bad")),
        ("a.eaf is a folder", ("a.eaf", "is a folder")),
        ("other: is bad", ("a.eaf", "other: is bad")),
    ):
        fault = Fault.of(Path("a.eaf"), InputError(message))
        assert (fault.place, fault.message) == expected
