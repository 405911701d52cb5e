import pytest

from speechxl.data.alignments import read_alignment
from speechxl.errors import InputError


@pytest.mark.parametrize("label", ["phone", "unit"])
def test_segments_are_read_by_recording_in_order_of_time(tmp_path, label):
    path = tmp_path / "alignment.tsv"
    path.write_text(
        f"path\tstart_s\tend_s\t{label}\na/x.wav\t00.10\t00.20\tb\na/x.wav\t0\t0.1\ta\u0301\n./y.wav\t0\t1\tk\n"
    )
    found = read_alignment(path)
    assert found == {
        str(tmp_path / "a" / "x.wav"): [(0.0, 0.1, "á"), (0.1, 0.2, "b")],
        str(tmp_path / "y.wav"): [(0.0, 1.0, "k")],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path\tstart\tend\tphone\n", "1: no column start_s, end_s in the header line"),
        ("path\tstart_s\tend_s\n", r"1: no column phone \(or unit\)"),
        ("", "1: no column path, start_s, end_s, unit"),
        ("path\tstart_s\tend_s\tphone\nx.wav\t0\tlong\ta\n", "2: 'x.wav\\\\t0\\\\tlong\\\\ta'; path, two times"),
        ("path\tstart_s\tend_s\tphone\nx.wav\t0\t1\n", "two times in seconds and a phone were expected"),
        ("path\tstart_s\tend_s\tphone\nx.wav\t2\t1\ta\n", "2: a segment from 2 s to 1 s"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, text, message):
    path = tmp_path / "alignment.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_alignment(path)
