"""Native, romanized and phone texts."""

import logging
import sys
import unicodedata

import pytest

from speechxl.classification import romanizing
from speechxl.classification.forms import Native, Phones, Romanized, latin, native
from speechxl.errors import InputError


def test_native_text_has_no_case_no_punctuation_and_one_form_of_a_letter():
    assert native("  Straße — ＡＢＣ, ﬁn!\t¿Qué?") == "strasse abc fin qué"
    assert native("ÉTÉ") == native("e\u0301te\u0301") == "été"
    assert native("བཀྲ་ཤིས་") == "བཀྲ ཤིས"  # a syllable mark is punctuation and keeps syllables apart


@pytest.mark.parametrize(
    ("digits", "expected"), [("keep", "route 66 ৬"), ("drop", "route"), ("words", "route sixty six ৬")]
)
def test_digits_of_native_text(digits, expected):
    given = "Route 66 ৬" if digits != "words" else "Route 66"
    pytest.importorskip("num2words")
    assert Native(digits)([given], ["eng"]) == [expected.removesuffix(" ৬") if digits == "words" else expected]


@pytest.fixture(scope="module")
def uroman():
    return pytest.importorskip("uroman")


@pytest.mark.usefixtures("uroman")
class TestRomanized:
    def test_letters_are_a_to_z_and_an_apostrophe(self):
        texts = ["Ça’s Größe, þ!", "শূন্য", "Привет", "東京"]
        assert Romanized()(texts, ["fra", "ben", "rus", "jpn"]) == ["sa's groesse th", "shuunya", "privet", "dongjing"]

    def test_romanized_text_stays_as_it_is(self):
        once = Romanized()(["Быстрая лиса", "শূন্য এক"], ["rus", "ben"])
        assert Romanized()(once, ["rus", "ben"]) == once
        assert all(once)

    @pytest.mark.parametrize(
        ("digits", "expected"),
        [("keep", "2024 shuunya"), ("drop", "shuunya"), ("words", "dui haajaar chabbish shuunya")],
    )
    def test_digits_of_any_script(self, digits, expected):
        pytest.importorskip("num2words")
        assert Romanized(digits)(["২০২৪ শূন্য"], ["ben"]) == [expected]

    def test_dropped_digits_are_words_in_chinese(self):
        assert Romanized("keep")(["三"], ["cmn"]) == ["3"]  # why digits are kept by default
        assert Romanized("drop")(["三"], ["cmn"]) == [""]

    @pytest.mark.parametrize("text", ["百分之", "百分之多少", "我有百分之多少，你好", "百分之百分之"])
    def test_what_uroman_fails_at_is_taken_apart(self, text, uroman, caplog):
        plain = romanizing._uroman()
        with pytest.raises(AttributeError):
            plain.romanize_string(text)
        romanizing._romanized.cache_clear()
        caplog.set_level(logging.WARNING)
        (found,) = Romanized()([text], ["cmn"])
        assert "fen" in found
        assert "uroman failed at 1 of 1 texts" in caplog.text

    def test_clauses_beside_what_fails_are_whole(self):
        assert Romanized()(["百分之，你好世界"], ["cmn"]) == ["100 fen zhi nihaoshijie"]

    def test_an_unknown_language_is_no_fault(self):
        assert Romanized()(["Привет"], [""]) == Romanized()(["Привет"], ["mis"]) == ["privet"]


def test_latin_text():
    assert latin("A·B—`c´ 1") == "a b 'c' 1"
    assert latin("A1", "drop") == "a"


def test_without_uroman_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "uroman", None)
    monkeypatch.setattr(romanizing, "_uroman", romanizing._uroman.__wrapped__)  # its tables take seconds to read again
    with pytest.raises(InputError, match=r"Romanized text needs uroman: pip install 'speechxl\[romanize\]'"):
        Romanized()(["never romanized before"], ["eng"])


def test_numbers_in_words():
    from speechxl.classification.numbers import in_words

    pytest.importorskip("num2words")
    assert in_words("7 Uhr 21", "deu").split() == ["sieben", "Uhr", "einundzwanzig"]
    assert in_words("007", "eng").split() == ["zero", "zero", "seven"]
    assert in_words("1" * 20, "eng").split() == ["one"] * 20
    assert in_words("١٢", "arb").split() == in_words("12", "arb").split()
    assert in_words("no digits", "") == "no digits"
    with pytest.raises(
        InputError, match="num2words has no words for the numbers of the language 'mdw'; choose digits: keep"
    ):
        in_words("3", "mdw")
    with pytest.raises(InputError, match="not known"):
        in_words("3", "")


def test_without_num2words_the_extra_is_named(monkeypatch):
    from speechxl.classification import numbers

    monkeypatch.setitem(sys.modules, "num2words", None)
    numbers._speaker.cache_clear()
    with pytest.raises(InputError, match=r"need num2words: pip install 'speechxl\[romanize\]'"):
        numbers.in_words("3", "hun")


def test_phones_are_in_one_spelling_and_what_is_no_phone_stays():
    assert Phones()(["g  tʃ ʧ SIL"], ["mis"]) == ["ɡ t͡ʃ t͡ʃ SIL"]
    assert Phones.units == "phoneme"


def test_running_ipa_is_cut_into_phones():
    assert Phones(running=True)(["xuejẽ kʰat͡ʃa"], ["mis"]) == [unicodedata.normalize("NFD", "x u e j ẽ kʰ a t͡ʃ a")]
