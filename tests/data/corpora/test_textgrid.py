import pytest
from praatio import textgrid as praatio

from speechxl.data.corpora.textgrid import read
from speechxl.data.manifest import Fault
from speechxl.data.praat import read_textgrid
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from tests.data.corpora.annotated import write_textgrid, write_tone


def parted(items):
    items = list(items)
    return [x for x in items if isinstance(x, Utterance)], [x for x in items if isinstance(x, Fault)]


@pytest.mark.parametrize("style", ["long_textgrid", "short_textgrid"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_long_and_short_in_any_encoding_give_what_praatio_reads(tmp_path, style, encoding):
    write_tone(tmp_path / "día 1.wav")
    file = write_textgrid(tmp_path / "día 1.TextGrid", style, encoding)
    rows, faults = parted(read(tmp_path, tier=["words"]))
    expected = praatio.openTextgrid(str(file), includeEmptyIntervals=False).getTier("words").entries
    assert [(row.start, row.start + row.duration, row.text) for row in rows] == [
        (pytest.approx(start), pytest.approx(end), text) for start, end, text in expected
    ]
    assert [row.text for row in rows] == ["ñan", 'di"go! si']
    assert [(fault.place[-6:], fault.message) for fault in faults] == [
        ("#tones", "a tier of 1 points, which have no length")
    ]


def test_elan_s_dialect(tmp_path):
    """Without spaces at the ends of lines, without colons after brackets, also without spaces around the equals sign."""
    write_tone(tmp_path / "a.wav")
    file = write_textgrid(tmp_path / "a.TextGrid")
    text = "\n".join(line.rstrip().replace("]:", "]") for line in file.read_text().splitlines())
    for written in (
        text,
        text.replace(" = ", "="),
        text.replace("\n", "\r\n"),
        text.replace("item []", "! note 3\nitem []"),
    ):
        file.write_bytes(written.encode())
        rows, _ = parted(read(tmp_path, tier_number=1))
        assert [row.text for row in rows] == ["ñan", 'di"go! si']


def test_tiers_have_to_be_chosen_and_points_cannot_be(tmp_path):
    write_tone(tmp_path / "a.wav")
    write_textgrid(tmp_path / "a.TextGrid")
    with pytest.raises(
        InputError,
        match=r"several kinds .* with --tier NAME \(such as 'tx@\*'\) or --tier_number N:(.|\n)*'phones': 4 annotations",
    ):
        list(read(tmp_path))
    with pytest.raises(
        InputError, match=r"no tier is --tier tones(.|\n)*points, which have no length, cannot be taken: tones"
    ):
        list(read(tmp_path, tier=["tones"]))
    rows, _ = parted(read(tmp_path, tier=["phones"], column="phonemes"))
    assert [(row.phonemes, row.text) for row in rows] == [("ɲ", ""), ("an", "")]


def test_missing_recordings_are_reported_or_found_below_the_root(tmp_path):
    write_textgrid(tmp_path / "grids" / "a.TextGrid")
    write_textgrid(tmp_path / "grids" / "b.TextGrid")
    write_tone(tmp_path / "audio" / "deep" / "a.wav")
    (tmp_path / "grids" / "c.TextGrid").write_text("no")
    rows, faults = parted(read(tmp_path / "grids", tier=["words"], audio_root=tmp_path / "audio"))
    assert {row.path.name for row in rows} == {"a.wav"}
    assert sum("its recording is missing" in fault.message for fault in faults) == 2
    assert [fault.message for fault in faults if fault.place.endswith("c.TextGrid:1")] == [
        "the file ends where the file type was expected; it is truncated."
    ]
    rows, faults = parted(read(tmp_path / "grids" / "b.TextGrid", tier=["words"], audio_root=tmp_path / "audio"))
    assert not rows
    assert len(faults) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"ooBinaryFile\x08TextGrid", "is a binary TextGrid"),
        (lambda data: b'"Praat chronological TextGrid text file"\n0 1', "is a chronological TextGrid"),
        (lambda data: data.replace(b'"TextGrid"', b'"Pitch 1"'), "holds a 'Pitch 1' of Praat"),
        (lambda data: data[:300], "the file ends where .* was expected; it is truncated"),
        (lambda data: data.replace(b'"IntervalTier"', b'"Inter"', 1), "is of the kind 'Inter'"),
        (lambda data: data.replace(b"size = 3", b"size = -3", 1), "the number of tiers is -3"),
        (lambda data: data.replace(b"size = 3", b"size = 99999999999", 1), "truncated"),
        (lambda data: data.replace(b'text = "', b"text = ", 1), "the start of an interval was expected, found"),
        (lambda data: data.replace(b"xmin = 0", b'xmin = "0"', 1), "the beginning was expected, found"),
        (lambda data: data[: data.index(b"wor")], "a quotation mark is not closed"),
        (lambda data: data + b"\0", r"a.TextGrid:\d+: NUL byte"),
        (lambda data: data.replace("ñ".encode(), b"\xff"), r"a.TextGrid:\d+: byte 0xff is not UTF-8"),
    ],
)
def test_what_is_malformed_is_said_with_its_place(tmp_path, change, message):
    file = write_textgrid(tmp_path / "a.TextGrid")
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(InputError, match=message):
        read_textgrid(file)
