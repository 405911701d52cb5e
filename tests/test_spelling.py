import unicodedata

import pytest

from speechxl.spelling import findings, script
from speechxl.symbols import Line, count_parts, count_words, unknown
from speechxl.text import Vocabulary


def lines(*texts):
    return [Line(f"m.tsv:{number}", text) for number, text in enumerate(texts, start=2)]


def found(*texts, dev=(), units="char", vocabulary=None):
    """Findings by kind, of which each stands once."""
    words, of_dev = count_words(lines(*texts), units), count_words(lines(*dev), units)
    result = findings(lines(*texts), words, of_dev, units, vocabulary)
    kinds = [finding.kind for finding in result]
    assert len(set(kinds)) == len(kinds)
    return dict(zip(kinds, result, strict=True))


def test_symbols_are_counted_with_the_first_word_that_holds_them():
    words = count_words(lines("ba bo", "ab ba"), "char")
    assert words["ba"].count == 2
    symbols = count_parts(words)
    assert {symbol: place.count for symbol, place in symbols.items()} == {"b": 4, "a": 3, "o": 1}
    assert symbols["o"].example == {"place": "m.tsv:2", "word": "bo"}
    assert list(unknown(symbols, "a")) == ["b", "o"]


def test_phones_are_shown_with_their_neighbours():
    assert count_words(lines("a b tʃ d e f"), "phoneme")["tʃ"].word == "a b tʃ d e"


def test_a_clean_text_has_nothing_to_say():
    assert found("ba bo ba'o", "ba bo ba'o", dev=["bo"]) == {}


def test_symbols_of_dev_that_training_lacks_are_counted_and_shown():
    finding = found("ba ba", dev=["ba", "bo ño o"])["unseen_in_train"]
    assert (finding.symbols, finding.count) == (["o", "ñ"], 4)
    assert finding.example == {"place": "m.tsv:3", "word": "bo"}


@pytest.mark.parametrize(
    ("usual", "odd"),
    [("ga", "ɡa"), ("baː", "ba:ba"), ("ba'ba", "ba\u2019ba"), ("baʼ", "baꞌ"), ("ba-ba", "ba\u2010ba"), ("ẹ", "e\u0329")],
)  # fmt: skip
def test_look_alikes_that_occur_together_are_found(usual, odd):
    finding = found(usual, usual, odd)["look_alikes"]
    assert finding.count == 1
    assert finding.example == {"place": "m.tsv:4", "word": odd}
    assert "look_alikes" not in found(usual, usual)


def test_marks_look_alike_on_the_same_letter_only():
    assert "look_alikes" not in found("ẹ n\u0329", "ẹ n\u0329")


def test_punctuation_is_no_look_alike_of_a_letter():
    assert "look_alikes" not in found("baː baː", "baː: \u2018ba\u2019 baʼ")


def test_homoglyphs_are_found_within_words_and_as_words_and_another_language_is_not():
    cyrillic_a, latin = "\u0430", "ba ba a"
    assert found(latin, f"b{cyrillic_a}")["look_alikes"].symbols == ["a", cyrillic_a]
    assert found(latin, cyrillic_a)["look_alikes"].symbols == ["a", cyrillic_a]
    assert "look_alikes" not in found("ba mama rock ba", "хорошая мама")


def test_scripts_mixed_within_words_and_over_the_corpus():
    result = found("la εkωkωω la εkωkωω", "спасибо")
    assert result["mixed_scripts_in_words"].symbols == ["ω", "ε"]
    assert result["mixed_scripts_in_words"].count == 8
    assert "ε is like Latin ɛ U+025B" in result["mixed_scripts_in_words"].advice
    assert set(result["mixed_scripts"].symbols) == set("спаибо")


@pytest.mark.parametrize("text", ["aθa aχa aβa tʰa ãⁿ ʘa", "卡拉OK 东京タワーだ", "1 + 2 = 3", "naïve şé"])
def test_no_mixture_where_writing_is_so(text):
    assert "mixed_scripts_in_words" not in found(text, text)


@pytest.mark.parametrize(
    ("character", "name"),
    [("a", "LATIN"), ("Ω", "GREEK"), ("й", "CYRILLIC"), ("한", "CJK"), ("ー", ""), ("ª", "LATIN"), ("Ａ", "LATIN"), ("1", "")],
)  # fmt: skip
def test_the_script_of_a_character(character, name):
    assert script(character) == name


def test_affricates_with_and_without_tie_bars():
    finding = found("t͡ʃa t͡ʃo tʃe", "ʧi")["tie_bars"]
    assert (finding.symbols, finding.count) == (["t͡ʃ", "tʃ", "ʧ"], 2)
    assert found("t͡ʃ a t͡ʃ", "tʃ a", units="phoneme")["tie_bars"].symbols == ["t͡ʃ", "tʃ"]
    assert "tie_bars" not in found("t͡ʃa t͡ʃo", "ata ʃaʃa")


def test_marks_in_different_orders_are_different_symbols():
    finding = found("a\u0303\u0301 a\u0303\u0301", "a\u0301\u0303")["mark_orders"]
    assert finding.symbols == ["ã\u0301", "á\u0303"]
    assert finding.count == 1


def test_texts_outside_nfc_are_told_from_marks_in_the_wrong_order():
    result = found("ba e\u0301", "ba \u1ecd\u0301", "ba o\u0301\u0323", "be o\u0301\u0323")
    assert (result["not_nfc"].count, result["not_nfc"].example["word"]) == (1, "e\u0301")
    assert (result["mark_order"].count, result["mark_order"].example["word"]) == (2, "o\u0301\u0323")


def test_what_cannot_be_seen_is_named():
    result = found("ba\u200bba ba\ufeff", "ba\u00a0ba", "ba\ue000 ba\ufffd")
    assert result["invisible"].symbols == ["\u200b", "\ufeff"]
    assert result["spaces"].symbols == ["\u00a0"]
    assert result["private_use"].symbols == ["\ue000", "\ufffd"]
    assert "U+200B" in str(result["invisible"])


def test_digits_punctuation_case_and_singletons():
    result = found("Ba ba, ba ba! ba2", "ba-ba o'o Oo so zo")
    assert result["digits"].symbols == ["2"]
    assert result["punctuation"].symbols == [",", "!"]
    assert result["case"].symbols == ["B", "O"]
    assert set(result["singletons"].symbols) == {"B", "O", ",", "!", "2", "-", "'", "s", "z"}


def test_the_space_of_the_vocabulary_and_phones_that_are_words():
    assert found("ba|ba ba|ba")["reserved"].count == 2
    assert found("kõɬi a a", units="phoneme")["long_phones"].symbols == ["kõɬi"]
    assert "long_phones" not in found("ⁿd͡ʒʷː ⁿd͡ʒʷː", units="phoneme")


def test_a_model_s_vocabulary_is_compared():
    vocabulary = Vocabulary(("<pad>", "<unk>", "|", "b", "a", "ny"))
    result = found("bab ñab", "ñab", vocabulary=vocabulary)
    assert (result["not_in_model"].symbols, result["not_in_model"].count) == (["ñ"], 2)
    assert result["only_in_model"].symbols == ["ny"]


def test_every_look_alike_is_written_once_in_its_group():
    from speechxl.spelling import _groups

    assert len(_groups()) > 50
    for what, group in _groups():
        assert len(set(group)) == len(group) > 1, what
        assert all(unicodedata.normalize("NFD", x) == x for x in group if x not in "`´"), what
