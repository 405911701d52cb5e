import pytest

from speechxl.data.corpora.csv import read
from speechxl.data.manifest import Fault
from speechxl.errors import InputError


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_usual_columns_are_guessed(corpus, delimiter):
    table = corpus / "table.csv"
    lines = [
        ["file_name", "Sentence", "client_id", "age"],
        ["u00.wav", "da lo", "s1", "30"],
        ["u01.wav", "ba", "s2", ""],
    ]
    table.write_text("\n".join(delimiter.join(line) for line in lines) + "\n")
    first, second = read(table)
    assert (first.path, first.text, first.speaker, first.extra) == (corpus / "u00.wav", "da lo", "s1", {"age": "30"})
    assert (second.id, second.text) == ("u01.wav", "ba")


def test_columns_can_be_named(corpus):
    table = corpus / "table.csv"
    table.write_text('clip,words,note\nu00.wav,"da, lo",x\n')
    (row,) = read(table, {"path": "clip", "text": "words"})
    assert row.text == "da, lo"


def test_stretches_of_a_long_recording(corpus):
    table = corpus / "table.csv"
    table.write_text("audio,start,end,text\nu00.wav,0.1,0.3,da\nu00.wav,0.3,0.5,lo\n")
    first, second = read(table)
    assert (first.start, first.duration, second.start) == (0.1, pytest.approx(0.2), 0.3)
    assert first.id != second.id


def test_rows_that_cannot_be_used_are_reported_with_their_line(corpus):
    table = corpus / "table.csv"
    table.write_text("path,start,end\nnope.wav,,\nu00.wav,a,b\nu00.wav,0,90\nu00.wav,,\n")
    *faults, good = read(table)
    assert [isinstance(fault, Fault) for fault in faults] == [True] * 3
    assert [fault.place.rpartition(":")[2] for fault in faults] == ["2", "3", "4"]
    assert "no such file" in faults[0].message
    assert "numbers of seconds" in faults[1].message
    assert "not within" in faults[2].message
    assert good.id == "u00.wav"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (None, "none of the columns a, b looks like the audio file"),
        ({"path": "c"}, "no column 'c'"),
        ({"pfad": "a"}, "there is no 'pfad' in a manifest"),
    ],
)
def test_wrong_columns_are_explained(tmp_path, columns, message):
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=message):
        list(read(table, columns))


def test_a_missing_and_an_empty_table_are_named(tmp_path):
    with pytest.raises(InputError, match="no such table"):
        list(read(tmp_path / "nope.csv"))
    (tmp_path / "empty.csv").touch()
    with pytest.raises(InputError, match="the table is empty"):
        list(read(tmp_path / "empty.csv"))


def test_text_with_commas_outside_quotes_is_a_fault_and_not_cut(corpus):
    table = corpus / "table.csv"
    table.write_text('path,text\nu00.wav,"one, two"\nu01.wav,one, two, three\n')
    good, bad = read(table)
    assert good.text == "one, two"
    assert isinstance(bad, Fault)
    assert str(bad).startswith(f"{table}:3: more fields than the 2 of the header")


def test_labels_have_a_kind(corpus):
    table = corpus / "table.csv"
    table.write_text("path,label\nu00.wav,happy\nu01.wav,topic:farming\nu02.wav,\n")
    assert [row.label for row in read(table)] == ["label:happy", "topic:farming", ""]
    table.write_text("path,emotion\nu00.wav,happy\n")
    assert [row.label for row in read(table, {"label": "emotion"})] == ["emotion:happy"]


def test_numbers_that_are_none_and_files_that_are_no_text(corpus):
    table = corpus / "table.csv"
    table.write_text("path,start,end\nu00.wav,nan,0.5\nu00.wav,0,inf\nu00.wav,-1,0.5\n,0,1\n")
    faults = list(read(table))
    assert [type(fault) for fault in faults] == [Fault] * 4
    assert all("is not within" in fault.message for fault in faults[:3])
    assert "names no recording" in faults[3].message
    table.write_bytes(b"path\nu00.wav\n\0")
    with pytest.raises(InputError, match=r"table.csv:3: NUL byte"):
        list(read(table))
    for long in ("x" * 10_000_000, '"' + "x\n" * 100_000):
        table.write_text(f"path,text\nu00.wav,a\nu00.wav,{long}\n")
        with pytest.raises(
            InputError, match=r"table.csv:3: field larger than field limit \(\d+\); is a quotation mark not"
        ):
            list(read(table))
