import csv
import logging
import unicodedata

import pytest

from speechxl.phonology import ipa
from speechxl.phonology.ipa import UnknownPhone, canonical, parts, segment, without_tones
from speechxl.phonology.letters import decompose, letters, modifiers, rewrites
from tests.phonology.conftest import SHARED

ONE_SPELLING = {
    "t͡ʃ": ["tʃ", "t̠ʃ", "ʧ", "t͜ʃ"],
    "d͡ʒʷ": ["d̠ʒʷ", "dʒʷ", "ʤʷ"],
    "nd͡ʒ": ["n̠d̠ʒ", "ndʒ"],
    "ŋ͡mk͡p": ["ŋmkp"],
    "ɡ": ["g"],
    "ç": ["c\u0327", "\u00e7"],
    "ã": ["\u00e3", "a\u0303"],
    "qʷʼ": ["qʼʷ"],
    "aː": ["a:", "ā"],
    "tʼ": ["t’", "t'"],
    "ə˞": ["ɚ"],
    "ɨ̞": ["ᵻ"],
    "æ": ["ӕ"],
    "n̪̥": ["n̥̪"],
    "ⁿd": ["ⁿd"],
    "dⁿ": ["dⁿ"],
    "l̪|l": ["l̪|l"],
    "˥˩": ["˥˩"],
}


@pytest.mark.parametrize(("form", "spellings"), ONE_SPELLING.items())
def test_a_phone_has_one_spelling(form, spellings):
    form = decompose(form)
    assert {canonical(spelling) for spelling in [form, *spellings]} == {form}


def test_the_parts_of_a_phone():
    nasal, stop, fricative = parts("n̠t̠ʃʰ")
    assert (str(nasal), str(stop), str(fricative)) == ("n", "t͡", "ʃʰ")
    (part,) = parts("ʷʰkʼː")
    assert (part.before, part.letter, part.after) == ("ʷʰ", "k", "ʼː")


@pytest.mark.parametrize(
    ("symbol", "message"),
    [
        (
            "X",
            r"inv.txt:3: 'X': U\+0058 LATIN CAPITAL LETTER X is not IPA; nearest are χ \(U\+03C7 GREEK SMALL LETTER CHI\), x ",
        ),
        ("tS", r"'tS': U\+0053 LATIN CAPITAL LETTER S is not IPA; nearest are ʃ"),
        ("ƴ", r"U\+01B4 LATIN SMALL LETTER Y WITH HOOK"),
        ("ma5", "'ma5' has the digit '5'; tones are written with tone letters such as ˥˩, or left out"),
        ("ː", "'ː' has no letter, only marks"),
        ("∅", r"U\+2205 EMPTY SET is not IPA\.$"),
    ],
)
def test_what_is_not_ipa_is_named_with_place_and_code_point(symbol, message):
    with pytest.raises(UnknownPhone, match=message):
        canonical(symbol, "inv.txt:3")
    if symbol != "ː":
        with pytest.raises(UnknownPhone, match=message):
            segment(f"pa {symbol}", "inv.txt:3")


def test_running_text_is_cut_and_put_together_again():
    text = "ˈt͡ʃai̯˥˩ ⁿda.ʰpa tʃá"
    found = segment(text)
    assert found.phones == ["t͡ʃ", "a", "i̯", "ⁿd", "a", "ʰp", "a", "t", "ʃ", "a"]
    assert "".join(found.raw) == decompose(text)
    assert found.tones == ["", "", "˥˩", "", "", "", "", "", "", "\u0301"]
    assert found.dropped == {"ˈ": 1, "˥": 1, "˩": 1, "\u0301": 1}
    kept = segment(text, affricates="join", stress="keep", tones="attach").phones
    assert kept == ["ˈt͡ʃ", "a", "i̯˥˩", "ⁿd", "a", "ʰp", "a", "t͡ʃ", "a\u0301"]
    assert segment("ma˥˩na", tones="unit").phones == ["m", "a", "˥˩", "n", "a"]


def test_what_is_unknown_is_left_out_or_kept_where_that_is_asked_for():
    assert segment("pXa7a", on_unknown="drop").phones == ["p", "a", "a"]
    assert segment("pXa7a", on_unknown="drop").dropped == {"X": 1, "7": 1}
    assert segment("pXa", on_unknown="keep").phones == ["p", "X", "a"]


def test_aspiration_before_a_consonant_belongs_to_it_after_a_vowel_only():
    assert segment("aʰka tʰa aʰ").phones == ["a", "ʰk", "a", "tʰ", "a", "aʰ"]


def test_tones_are_taken_off_a_phone():
    assert without_tones("á") == ("a", "\u0301")
    assert without_tones("ei˥˩") == ("ei", "˥˩")
    assert without_tones("˧") == ("", "˧")


def test_a_rewrite_is_told_once(caplog, monkeypatch):
    monkeypatch.setattr(ipa, "_told", set())
    ipa._canonical.cache_clear()
    with caplog.at_level(logging.INFO):
        canonical("g")
        canonical("gʷ")
    assert caplog.messages == ["g is read as ɡ (ASCII g)"]


def test_the_tables_of_letters_and_marks_are_sound():
    assert all(unicodedata.normalize("NFD", letter) in (letter, "c\u0327") for letter in letters())
    assert not set(letters()) & set(modifiers())
    for rewrite in rewrites().values():
        assert all(x in letters() or x in modifiers() or x == "\u0361" for x in rewrite.ipa), rewrite


def test_all_segments_of_phoible_go_round(phoible):
    rows = [row[0] for row in csv.reader((phoible.folder / "segment_features.csv").open(encoding="utf-8"))][1:]
    assert len(rows) == 3142
    forms = {segment: canonical(segment) for segment in rows}
    assert all(canonical(form) == form for form in forms.values())
    again = {}
    for spelling, form in forms.items():
        again.setdefault(form, []).append(spelling)
    same = sorted(spellings for spellings in again.values() if len(spellings) > 1)
    assert [set(x) for x in same] == [{"d̠̤ʒ̤", "d̤ʒ̤"}, {"ə˞", "ɚ"}, {"ə˞ː", "ɚː"}]  # one phone in two spellings
    untied = {spelling for spelling, form in forms.items() if form.replace("\u0361", "") != spelling}
    assert all(set(spelling) & set("ʃʒʆʓɚ") for spelling in untied)  # else marks are in the order of PHOIBLE


@pytest.mark.parametrize(("corpus", "count"), [("voxangeles", 1332), ("tusom", 1)])
def test_all_transcripts_go_round(corpus, count):
    path = SHARED / "corpora" / corpus / "manifest.tsv"
    if not path.is_file():
        pytest.skip(f"no corpus in {path}")
    rows = list(csv.DictReader(path.open(encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(rows) >= count
    for row in rows:
        found = segment(row["text"])
        assert "".join(found.raw) == decompose(row["text"])
        if corpus == "voxangeles":
            assert found.phones == [canonical(phone) for phone in row["text"].split()]
            assert all(segment(phone).phones == [phone] for phone in found.phones)
