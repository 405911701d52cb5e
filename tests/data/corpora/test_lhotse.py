import gzip
import json

import pytest

from speechxl.data.corpora.lhotse import read
from speechxl.data.manifest import Fault
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from tests.data.corpora.annotated import write_tone


def recording(name="rec", source="audio/ñan 1.wav", **changes):
    sources = [{"type": "file", "channels": [0], "source": source}]
    return {
        "id": name, "sources": sources, "sampling_rate": 16_000, "num_samples": 64_000, "duration": 4.0, "channel_ids": [0],
        **changes,
    }  # fmt: skip


def supervision(name="sup", start=0.0, duration=1.0, **changes):
    return {
        "id": name, "recording_id": "rec", "start": start, "duration": duration, "channel": 0, "text": "ñan  rin",
        "language": "Quechua", "speaker": "ana", "custom": {"snr": 3}, **changes,
    }  # fmt: skip


def cut(name="cut", start=0.0, duration=4.0, supervisions=None, **changes):
    return {
        "id": name, "start": start, "duration": duration, "channel": 0, "supervisions": supervisions or [],
        "recording": recording(), "type": "MonoCut", **changes,
    }  # fmt: skip


def write(path, rows):
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def folder(tmp_path):
    write_tone(tmp_path / "audio" / "ñan 1.wav")
    return tmp_path


def parted(items):
    items = list(items)
    return [x for x in items if isinstance(x, Utterance)], [x for x in items if isinstance(x, Fault)]


@pytest.mark.parametrize("name", ["cuts.jsonl.gz", "cuts_train.jsonl"])
def test_supervisions_count_from_the_beginning_of_their_cut(folder, name):
    cuts = [
        cut("c1", 1.0, 2.0, [supervision("s1", 0.25, 0.5), supervision("s2", -0.5, 1.0)]),
        cut("c2", 3.0, 1.0, [supervision("s3", 0.5, 2.0)]),
        cut("c3", 0.0, 0.5),
    ]
    write(folder / name, cuts)
    for source in (folder / name, folder):
        rows, faults = parted(read(source))
        assert not faults
        assert [(row.id, row.start, row.start + row.duration) for row in rows] == [
            ("c1/s1", 1.25, 1.75), ("c1/s2", 1.0, 1.5), ("s3", 3.5, 4.0), ("c3", 0.0, 0.5),
        ]  # fmt: skip
        assert (rows[0].text, rows[0].speaker, rows[0].language, rows[0].extra) == (
            "ñan rin",
            "ana",
            "que",
            {"snr": "3"},
        )
        assert rows[3].text == ""


def test_recordings_and_supervisions(folder):
    write(folder / "x_recordings_dev.jsonl.gz", [recording(), recording("other")])
    write(folder / "x_supervisions_dev.jsonl.gz", [supervision(start=0.5), supervision("lost", recording_id="none")])
    (row,), faults = parted(read(folder))
    assert (row.id, row.start, row.duration, row.path) == ("sup", 0.5, 1.0, folder / "audio" / "ñan 1.wav")
    assert sorted(fault.message for fault in faults) == [
        "the recording 'none' is not among x_recordings_dev.jsonl.gz.",
        "the recording 'other' has no supervision",
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "m", "type": "MixedCut", "tracks": []}, "'m' is a mixture of several recordings"),
        ({"id": "p", "type": "PaddingCut"}, "'p' is padding"),
        ({"id": "x", "type": "Odd"}, "'x' is a Odd, MonoCut was expected"),
        (cut(recording=None), "has no recording; features alone are not read"),
        (cut(recording=recording(transforms=[{"name": "Speed"}])), "'rec' is changed while it is read"),
        (cut(recording=recording(sources=[])), "'rec' is not one file"),
        (
            cut(recording=recording(sources=[{"type": "command", "source": "rm x"}])),
            "is a command, a file was expected",
        ),
        (
            cut(recording=recording(sources=[{"type": "file", "channels": [0, 1], "source": "audio/ñan 1.wav"}])),
            "is channel 0 of 2 in one file",
        ),
        (cut(recording=recording(source="../x/y.wav")), "there is no such file"),
        (cut(start="soon"), "start is 'soon', a number of seconds was expected"),
        (cut(start=3.0, duration=9.0), "is not within the 4.000 s"),
        (cut(supervisions=["x"]), "the supervision 'x' is not an object"),
        (cut(supervisions=7), "the supervision '7' is not an object"),
    ],
)
def test_what_cannot_be_used_is_reported_with_the_reason(folder, row, message):
    write(folder / "cuts.jsonl", [cut(), row])
    rows, (fault,) = parted(read(folder))
    assert len(rows) == 1
    assert fault.place.endswith("cuts.jsonl:2")
    assert message in fault.message


def test_other_folders_are_told(tmp_path):
    with pytest.raises(InputError, match=r"neither \*cuts\*.jsonl.gz in it, nor"):
        list(read(tmp_path))
    with pytest.raises(InputError, match="there is no such manifest of Lhotse"):
        list(read(tmp_path / "cuts.jsonl"))
