import unicodedata

import pytest

from speechxl.config import Rewriting
from speechxl.data.rewriting import Change, Rewriter


def words(digits, language):
    return {"12": "kumi na mbili", "3": "tatu"}[digits] + ("" if language == "swh" else "?")


def rewritten(text, language="swh", **asked):
    rewriter = Rewriter(Rewriting(**asked), words)
    return rewriter(text, language, "m:2"), {(x.kind, x.given, x.becomes): n for (_, x), n in rewriter.counts.items()}


HARD = "  Ñu's—“Así”, 3.5 % ＡＢ <unk> كِتَـــاب\u200e \u05e9\u05c1 ma33 x\u200cy 今日、は İI "


def test_nothing_is_lost_unasked():
    found, changes = rewritten(HARD)
    assert found == " ".join(unicodedata.normalize("NFC", HARD).split())
    assert changes == {}


def test_nfc_is_counted_by_words_and_marks_that_cannot_be_seen_stay():
    found, changes = rewritten("mán\u0303a a\u0301 \u00e1")
    assert found == "mán\u0303a á á".replace("n\u0303", "ñ")
    assert changes == {("nfc", "mán\u0303a", "máña"): 1, ("nfc", "a\u0301", "á"): 1}


@pytest.mark.parametrize(
    ("asked", "text", "expected", "changes"),
    [
        ({"tags": "drop"}, "a <unk> b [laugh] {x}", "a b", {("tags", "<unk>", ""), ("tags", "[laugh]", ""), ("tags", "{x}", "")}),
        ({"invisible": "drop"}, "a\u00adb \u200ec می\u200cروم x\u200c", "ab c می\u200cروم x",
         {("invisible", "\u00ad", ""), ("invisible", "\u200e", ""), ("invisible", "\u200c", "")}),
        ({"width": "fold"}, "ＡＢ１、ｶﾞ", "AB1、ガ", {("width", "ＡＢ１", "AB1"), ("width", "ｶﾞ", "ガ")}),
        ({"vowel_marks": "drop"}, "كِتَاب שָׁלוֹם é", "كتاب שלום é",
         {("vowel_marks", x, "") for x in "\u0650\u064e\u05b8\u05c1\u05b9"}),
        ({"elongation": "drop"}, "كتـــاب", "كتاب", {("elongation", "ـــ", "")}),
        ({"digits": "drop"}, "a 12 ma33 3.5 2주", "a ma33 2주",
         {("digits", "12", ""), ("digits", "3.5", ""), ("left", "2", "2")}),
        ({"digits": "words"}, "watoto 12, ma33 3.5 1,000 2주 3", "watoto kumi na mbili , ma33 3.5 1,000 2주 tatu",
         {("digits", "12", "kumi na mbili"), ("digits", "3", "tatu"), ("left", "3.5", "3.5"),
          ("left", "1,000", "1,000"), ("left", "2", "2")}),
        ({"punctuation": "drop"}, "“Na' rti,” l'amico, 5% (u-a) — x˥", "Na rti l'amico 5% u-a x˥",
         {("punctuation", x, "") for x in "“',”()—"} | {("left", "'", "'"), ("left", "%", "%"), ("left", "-", "-")}),
        ({"punctuation": "drop"}, "今日、は。สวัสดี!ครับ ሰላም፡ዓለም", "今日 は สวัสดี ครับ ሰላም ዓለም",
         {("punctuation", x, "") for x in "、。!፡"}),
        ({"punctuation": "drop"}, "v3.5, 1,000: 12:30.", "v3.5 1,000 12:30",
         {("punctuation", x, "") for x in ",:."} | {("left", x, x) for x in ("3.5", "1,000", "12:30")}),
        ({"punctuation": "drop", "digits": "words"}, "3.5 (3)", "3.5 tatu",
         {("punctuation", "(", ""), ("punctuation", ")", ""), ("left", "3.5", "3.5"), ("digits", "3", "tatu")}),
        ({"punctuation": "drop", "keep": "'"}, "na' rti.", "na' rti", {("punctuation", ".", "")}),
        ({"case": "lower"}, "ÀB ΣΑΣ", "àb σας",
         {("case", "À", "à"), ("case", "B", "b"), ("case", "Α", "α"), ("case", "Σ", "σ"), ("case", "Σ", "ς")}),
    ],
)  # fmt: skip
def test_what_is_asked_for_is_done_and_counted(asked, text, expected, changes):
    found, counted = rewritten(text, **asked)
    assert found == expected
    assert counted.keys() == changes


@pytest.mark.parametrize(("language", "expected"), [("tur", "ılık istanbul"), ("eng", "ilik i\u0307stanbul")])
def test_capitals_follow_the_language(language, expected):
    found, _ = rewritten("ILIK İSTANBUL", language, case="lower")
    assert found == expected


def test_counts_are_of_languages_and_examples_the_first():
    rewriter = Rewriter(Rewriting(case="lower"))
    for number, (text, language) in enumerate([("Aa", "swh"), ("AA", "swh"), ("A", "quy")]):
        rewriter(text, language, f"m:{number}")
    change = Change("case", "A", "a")
    assert rewriter.counts == {("swh", change): 3, ("quy", change): 1}
    assert rewriter.examples == {("swh", change): ("m:0", "Aa", "aa"), ("quy", change): ("m:2", "A", "a")}


def test_rewriting_twice_changes_nothing_more():
    asked = {
        "tags": "drop", "invisible": "drop", "width": "fold", "vowel_marks": "drop", "elongation": "drop", "digits": "drop",
        "punctuation": "drop", "case": "lower",
    }  # fmt: skip
    once, changes = rewritten(HARD, **asked)
    assert len(changes) > 8
    again, more = rewritten(once, **asked)
    assert again == once
    assert {kind for kind, _, _ in more} <= {"left"}
