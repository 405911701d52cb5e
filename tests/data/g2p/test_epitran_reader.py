import builtins

import pytest

from speechxl.data.g2p.epitran import Epitran, code_of
from speechxl.errors import InputError


@pytest.fixture(scope="module")
def swahili():
    pytest.importorskip("epitran", reason="the extra g2p is not installed")
    return Epitran("swa-Latn")


def test_words_become_phones_in_their_one_spelling(swahili):
    assert [swahili.fault(word) for word in ("Chai,", "ng'ombe")] == [None, None]
    assert swahili.read(["Chai,", "ng'ombe"]).phones == ("t͡ʃ", "a", "i", "ŋ", "o", "m", "b", "e")


def test_letters_and_numbers_that_it_leaves_as_they_are_are_refused(swahili):
    assert swahili.fault("taxi") == "epitran does not know x"
    assert swahili.fault("12") == "a number, which epitran does not read"


def test_rules_are_chosen_by_language_and_script(swahili):
    assert code_of("swh", ["habari"]) == "swa-Latn"
    assert code_of("kaz", ["сәлем", "dos"]) == "kaz-Cyrl"
    with pytest.raises(InputError, match="epitran has several rules for 'kaz': name one, as --g2p epitran:kaz-Cyrl"):
        code_of("kaz", ["123"])
    with pytest.raises(InputError, match="epitran has no rules for 'mdw'"):
        code_of("mdw", ["a"])
    with pytest.raises(InputError, match="epitran has no rules 'swa-Latin'; nearest are swa-Latn"):
        Epitran("swa-Latin")


def test_english_without_flite_is_an_error(swahili, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="lex_lookup of flite, which is not installed"):
        Epitran("eng-Latn")


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    found = builtins.__import__

    def refuse(name, *rest, **named):
        if name == "epitran":
            raise ImportError(name)
        return found(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(InputError, match=r"pip install 'speechxl\[g2p\]'"):
        Epitran("swa-Latn")
