import pytest

from speechxl.data.espeak import tokens, voices
from speechxl.data.inventories import words
from speechxl.errors import InputError
from speechxl.phonology.espeak import clean, symbol
from speechxl.phonology.ipa import UnknownPhone, canonical

CLEANED = {
    "ˈaː": ["aː"],
    "tʃ": ["t͡ʃ"],
    "tS": ["t͡ʃ"],
    "dZ": ["d͡ʒ"],
    "X": ["χ"],
    "S": ["ʃ"],
    "K": ["ɬ"],
    "th": ["tʰ"],
    "tɕh": ["t͡ɕʰ"],
    "ts.": ["ʈ͡ʂ"],
    "ts.h": ["ʈ͡ʂʰ"],
    "s.": ["ʂ"],
    "t[": ["t̪"],
    "?": ["ʔ"],
    "??": ["ʔ"],
    "r#": ["r̥"],
    "k`": ["kʼ"],
    'u"ː': ["ʉː"],
    "ˈi5": ["i"],
    "iɛ5": ["iɛ"],
    "i.5": ["ɨ"],
    "ˈaaɜ": ["aː"],
    "i̪ɜ": ["i̪"],
    "ˈərɜ": ["ə", "r"],
    "ɜː": ["ɜː"],
    "onɡ5": ["o", "ŋ"],
    "onɡɜ": ["o", "ŋ"],
    "aːː": ["aː"],
    "ʈʈ": ["ʈː"],
    "t͡st͡s": ["t͡sː"],
    "nʲʲ": ["nʲ"],
    "ɔːɹ": ["ɔː", "ɹ"],
    "aɪə": ["aɪə"],
    "uˈɐ": ["u", "ɐ"],
    "ʲ": ["j"],
    "(en)": [],
    "": [],
    "1": [],
}


@pytest.mark.parametrize(("token", "phones"), CLEANED.items())
def test_mnemonics_become_ipa(token, phones):
    assert clean(token) == [canonical(phone) for phone in phones]


def test_one_output_of_a_model_is_one_phone():
    assert symbol("onɡ5") == "oŋ"
    assert symbol("ɔːɹ") == "ɔːɹ"


def test_what_is_not_understood_is_named():
    with pytest.raises(UnknownPhone, match=r"de: 'a☃': U\+2603 SNOWMAN is not IPA"):
        clean("a☃", "de")


def test_every_token_of_every_voice_is_understood():
    spoken = 0
    for voice in voices():
        try:
            found = {token for text in words(voice)[::3] for word in tokens(text, voice) for token in word}
        except InputError:  # a voice that is listed and cannot be chosen
            continue
        spoken += bool(found)
        for token in found:
            for phone in clean(token, voice):
                assert canonical(phone) == phone
    assert spoken >= 130
