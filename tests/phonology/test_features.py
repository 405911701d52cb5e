import csv

import numpy as np
import pytest

from speechxl.errors import InputError
from speechxl.phonology.features import new_table, panphon_table, phoible_marks
from speechxl.phonology.ipa import UnknownPhone, canonical
from tests.phonology.conftest import FEATURES, SEGMENTS, SHARED


@pytest.fixture
def table():
    rows = [(segment, next(csv.reader([cells])), 1) for segment, cells in SEGMENTS.items()]
    return new_table("phoible", FEATURES, rows, phoible_marks())


def ends(table, symbol):
    values = table.values([symbol])
    return dict(zip(table.names, zip(values.start[0].tolist(), values.end[0].tolist(), strict=True), strict=True))


def test_a_contour_has_two_ends(table):
    assert ends(table, "mb")["nasal"] == (1, -1)
    assert ends(table, "ai")["high"] == (-1, 1)
    assert ends(table, "a")["high"] == (-1, -1)


def test_what_the_table_lacks_is_put_together(table):
    values = table.values(["b", "b̥", "bʰ", "ʰb", "ĩ", "ia", "m͡p͡b"])
    assert values.origin == ("table", *["composed"] * 6)
    assert ends(table, "b̥")["periodicGlottalSource"] == (-1, -1)
    assert ends(table, "bʰ")["spreadGlottis"] == (1, 1)
    assert ends(table, "ʰb")["spreadGlottis"] == (1, -1)
    assert ends(table, "ĩ")["nasal"] == (1, 1)
    assert ends(table, "ia")["high"] == (1, -1)
    assert ends(table, "á") == ends(table, "a")
    with pytest.raises(InputError, match="'ɸ': the letter 'ɸ' is not among the features of phoible"):
        table.values(["ɸ"])


def test_differences_are_told(table):
    assert table.differences("p", "pʰ") == ["+spreadGlottis"]
    assert table.differences("m", "mb") == ["+→-nasal"]


@pytest.mark.parametrize("pair", [("t͡ɕ", "t͡ɕʰ"), ("e", "ei"), ("i", "ia"), ("nd", "nt"), ("mb", "mp"), ("o", "oi")])
@pytest.mark.parametrize("name", ["phoible", "panphon"])
def test_contours_are_told_apart(pair, name, request):
    table = request.getfixturevalue("phoible").table if name == "phoible" else panphon_table()
    values = table.values(pair)
    assert (values.start[0] != values.start[1]).any() or (values.end[0] != values.end[1]).any()


def test_composition_agrees_with_phoible(phoible):
    table = phoible.table
    wrong = []
    for row, symbol in enumerate(table.symbols):
        try:
            start, end = table._compose(symbol)
        except InputError:
            continue
        wrong.append((np.abs(start - table.start[row]).sum() + np.abs(end - table.end[row]).sum()) / 4)
    assert len(wrong) > 2800
    assert np.mean(wrong) < 0.45
    assert np.mean(np.array(wrong) <= 1) > 0.89


def test_all_allophones_of_phoible_have_features(phoible):
    allophones = {x for id in phoible.doculects for row in phoible.rows(id) for x in row.allophones}
    unread = set()
    for allophone in allophones:
        try:
            phoible.table.values([canonical(allophone)])
        except UnknownPhone:
            unread.add(allophone)
    assert len(allophones) > 2500
    assert all(set(x) & set("<>∅↘ː") for x in unread)
    assert len(unread) < 15


def test_all_segments_of_phoible_have_features_of_panphon(phoible):
    symbols = [symbol for symbol in phoible.table.symbols if "↓" not in symbol]
    assert len(panphon_table().values(symbols).start) > 3100


def test_transcripts_have_features():
    path = SHARED / "corpora" / "voxangeles" / "manifest.tsv"
    if not path.is_file():
        pytest.skip(f"no corpus in {path}")
    rows = csv.DictReader(path.open(encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE)
    symbols = sorted({canonical(phone) for row in rows for phone in row["text"].split()})
    assert len(panphon_table().values(symbols).start) == len(symbols) > 200
