import pytest
from transformers import Wav2Vec2CTCTokenizer

from speechxl.errors import InputError
from speechxl.text import UnknownLanguage, UnknownSymbol, Vocabularies, Vocabulary, normalise


def test_normalise_composes_and_joins_spaces_and_changes_nothing_else():
    assert normalise("  e\u0301a\t B,\n ") == "éa B,"


def test_vocabulary_is_sorted_with_the_blank_first():
    vocabulary = Vocabulary.from_texts(["ba ab", "cé"], "char")
    assert vocabulary.symbols == ("<pad>", "<unk>", "|", "a", "b", "c", "é")
    assert vocabulary.blank == 0


@pytest.mark.parametrize("text", ["ba ab", "a", "cé ba"])
def test_decoding_undoes_encoding(text):
    vocabulary = Vocabulary.from_texts(["ba ab", "cé"], "char")
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_phones_are_what_stands_between_spaces():
    vocabulary = Vocabulary.from_texts(["tʃ a t", "aː"], "phoneme")
    assert vocabulary.symbols[2:] == ("a", "aː", "t", "tʃ")
    assert vocabulary.decode(vocabulary.encode("tʃ aː t")) == "tʃ aː t"
    assert vocabulary.units == "phoneme"


def test_the_longest_symbol_wins():
    vocabulary = Vocabulary(("<pad>", "|", "n", "ny", "a", "y"))
    assert vocabulary.split("nya ny") == ["ny", "a", "|", "ny"]


def test_unknown_symbols_are_named_with_their_code_points():
    vocabulary = Vocabulary.from_texts(["ba"], "char")
    with pytest.raises(UnknownSymbol, match=r"'q' \(U\+0071 LATIN SMALL LETTER Q\)"):
        vocabulary.encode("baq")
    assert vocabulary.encode("baq", without={"q"}) == vocabulary.encode("ba")


def test_the_delimiter_in_a_text_is_refused():
    with pytest.raises(InputError, match=r"\['\|'\]"):
        Vocabulary.from_texts(["a | b"], "char")


def test_a_vocabulary_without_symbols_is_refused():
    with pytest.raises(InputError, match="no symbols"):
        Vocabulary.from_texts(["", "  "], "char")


def test_symbols_that_stand_twice_are_refused():
    with pytest.raises(InputError, match=r"\['a'\]"):
        Vocabulary(("<pad>", "a", "a"))


def test_special_symbols_are_never_written():
    vocabulary = Vocabulary(("<s>", "<pad>", "</s>", "<unk>", "|", "a"), blank=1)
    assert vocabulary.decode([0, 5, 2, 3, 4, 5]) == "a a"


def test_different_vocabularies_have_different_hashes():
    one, other = Vocabulary(("<pad>", "|", "a")), Vocabulary(("<pad>", "|", "b"))
    assert one.hash != other.hash
    assert one.hash == Vocabulary(("<pad>", "|", "a")).hash


def test_the_tokenizer_of_transformers_gives_the_same_numbers(tmp_path, ctc_folder, vocabulary):
    tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(ctc_folder)
    assert len(tokenizer) == len(vocabulary)
    assert tokenizer("ba lo").input_ids == vocabulary.encode("ba lo")
    assert tokenizer.decode([3, 3, 0, 4, 0, 2, 5], skip_special_tokens=True) == vocabulary.decode([3, 4, 2, 5])


def test_separate_vocabularies_share_the_blank_and_nothing_else():
    vocabularies = Vocabularies.from_texts({"quy": ["ab ba"], "ell": ["αb", "γ"]}, "char")
    assert [vocabularies.of(language).symbols for language in vocabularies.languages] == [
        ("<pad>", "|", "a", "b"),
        ("<pad>", "|", "b", "α", "γ"),
    ]
    quy, ell = vocabularies.outputs("quy"), vocabularies.outputs("ell")
    assert (quy[0], ell[0]) == (vocabularies.blank, vocabularies.blank) == (0, 0)
    assert sorted([0, *quy[1:], *ell[1:]]) == list(range(len(vocabularies)))
    assert vocabularies.document == {
        "quy": {"<pad>": 0, "|": 1, "a": 2, "b": 3},
        "ell": {"<pad>": 0, "|": 4, "b": 5, "α": 6, "γ": 7},
    }
    assert vocabularies.written == {"quy": ["|", "a", "b"], "ell": ["|", "b", "α", "γ"]}
    assert vocabularies.units == "char"
    assert Vocabularies.from_texts({"quy": ["tʃ a"], "ell": ["a"]}, "phoneme").units == "phoneme"


def test_the_order_of_separate_vocabularies_is_part_of_them():
    texts = {"quy": ["ab"], "ell": ["αb"]}
    vocabularies = Vocabularies.from_texts(texts, "char")
    other = Vocabularies.from_texts(dict(reversed(texts.items())), "char")
    assert vocabularies != other
    assert vocabularies.hash != other.hash
    assert vocabularies.hash == Vocabularies.from_texts(texts, "char").hash


def test_one_vocabulary_is_that_of_any_language():
    vocabulary = Vocabulary.from_texts(["ba"], "char")
    assert vocabulary.of("quy") is vocabulary.of("") is vocabulary
    assert list(vocabulary.outputs("quy")) == list(range(len(vocabulary)))


@pytest.mark.parametrize(("language", "named"), [("mdw", "'mdw'"), ("", "speech whose language is not known")])
def test_a_language_without_vocabulary_is_named_with_those_that_have_one(language, named):
    vocabularies = Vocabularies.from_texts({"quy": ["ab"], "ell": ["αb"]}, "char")
    for ask in (vocabularies.of, vocabularies.outputs):
        with pytest.raises(UnknownLanguage, match=f"a vocabulary for each of quy, ell, and none for {named}"):
            ask(language)
