import pytest

from speechxl.data.g2p.lexicon import Lexicon
from speechxl.errors import InputError


def write(folder, text):
    path = folder / "lexicon.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_words_are_found_as_they_stand_without_punctuation_and_in_any_case(tmp_path):
    lexicon = Lexicon(write(tmp_path, "# comment\npolish\tp ɒ l ɪ ʃ\nPolish\tp əʊ l ɪ ʃ\n\nng'ombe\tŋ o ᵐb e\r\n"))
    assert lexicon.read(["Polish"]).phones == ("p", "əʊ", "l", "ɪ", "ʃ")
    assert lexicon.read(["«polish»,"]).phones == ("p", "ɒ", "l", "ɪ", "ʃ")
    assert lexicon.read(["NG'OMBE!"]).phones == ("ŋ", "o", "ᵐb", "e")
    assert [(x.kind, x.given, x.becomes) for x in lexicon.read(["NG'OMBE!"]).rewrites] == [
        ("case", "NG'OMBE", "ng'ombe")
    ]
    assert lexicon.fault("polished") == "not in the lexicon"
    assert lexicon.fault("3") == "a number that is not in the lexicon"


def test_phones_have_their_one_spelling_without_stress_and_tone(tmp_path):
    reading = Lexicon(write(tmp_path, "chai\tˈtʃ a˥ g ˈ\n")).read(["chai"])
    assert reading.phones == ("t͡ʃ", "a", "ɡ")
    assert [(x.kind, x.given, x.becomes) for x in reading.rewrites] == [
        ("stress", "ˈ", ""), ("spelling", "ˈtʃ", "t͡ʃ"), ("tone", "˥", ""), ("spelling", "g", "ɡ"), ("stress", "ˈ", ""),
    ]  # fmt: skip


def test_of_several_pronunciations_the_first_is_taken_and_said(tmp_path):
    lexicon = Lexicon(write(tmp_path, "a\te\na\tɑ\na\te\nb\tb\nb\tb\n"))
    assert [(x.given, x.becomes) for x in lexicon.read(["a"]).rewrites] == [("a", "e (first of 2)")]
    assert lexicon.read(["b"]).rewrites == ()


def test_columns_of_numbers_are_passed_over(tmp_path):
    assert Lexicon(write(tmp_path, "a\t0.99\t1e-3\t1\ta b\n")).read(["a"]).phones == ("a", "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\ta\nb b\n", "lexicon.tsv:2: 'b b' has no tab"),
        ("a\ta\n\nb\t\n", "lexicon.tsv:3: no phones for 'b'"),
        ("\ta\n", "lexicon.tsv:1: no word"),
        ("a\tb\ta\n", "lexicon.tsv:1: 3 columns"),
        ("a\tAH0\n", "lexicon.tsv:1: 'AH0'"),
        ("hund\thʊnt\n", "lexicon.tsv:1: 'hʊnt' is not one phone: separate phones by spaces"),
        ("# none\n", "there are no words"),
    ],
)
def test_malformed_lines_are_errors_with_their_place(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        Lexicon(write(tmp_path, text))


def test_what_is_not_utf8_is_an_error_with_its_line(tmp_path):
    (tmp_path / "l.tsv").write_bytes("a\ta\né\te\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"l.tsv:2: is not UTF-8"):
        Lexicon(tmp_path / "l.tsv")
