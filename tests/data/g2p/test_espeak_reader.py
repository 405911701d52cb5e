import pytest

from speechxl.data.espeak import has_voice, voices
from speechxl.data.g2p.espeak import Espeak, voice_of
from speechxl.errors import InputError


@pytest.mark.parametrize(
    ("voice", "text", "phones"),
    [
        ("sw", "Habari ya asubuhi", "h a b a r i j a a s u b u h i"),
        ("it", "ciao ragazzi", "t͡ʃ a o r a ɡ a t͡sː ɪ"),
        ("tr", "dünya", "d ø n j a"),
        ("pl", "dzień dobry", "d͡ʑ ɛ ɲ d ɔ b r ɨ"),
        ("cmn", "中国", "ʈ͡ʂ o ŋ k uo"),
        ("de", "straße", "ʃ t ɾ ɑː s ə"),
    ],
)
def test_texts_become_phones_in_their_one_spelling(voice, text, phones):
    reader = Espeak(voice)
    assert [reader.fault(word) for word in text.split()] == [None] * len(text.split())
    assert " ".join(reader.read(text.split()).phones) == phones


def test_words_are_read_in_their_context():
    reader = Espeak("fr")
    together = reader.read(["les", "amis"]).phones
    assert together == (*reader.read(["les"]).phones, "z", *reader.read(["amis"]).phones)


def test_stress_is_left_out_and_said():
    reading = Espeak("sw").read(["habari"])
    assert not {"ˈ", "ˌ"} & set("".join(reading.phones))
    assert [(x.kind, x.given) for x in reading.rewrites] == [("stress", "ˈ")]


def test_numbers_are_read_and_said():
    reading = Espeak("sw").read(["watoto", "12!"])
    assert [(x.given, x.becomes) for x in reading.rewrites if x.kind == "digits"] == [("12", "k u m i n a m b i l i")]


def test_words_of_another_language_s_voice_are_refused_or_kept():
    assert Espeak("ru").fault("hello") == "read by the voice of another language (en)"
    assert Espeak("ru").fault("мир") is None
    keeping = Espeak("ru", foreign=True)
    assert keeping.fault("hello") is None
    reading = keeping.read(["hello"])
    assert reading.phones == ("h", "ə", "l", "əʊ")
    assert {x.given for x in reading.rewrites if x.kind == "switch"} == {"(en)", "(ru)"}


@pytest.mark.parametrize(
    ("voice", "word", "reason"),
    [
        ("es", "中国", "the names of its letters"),  # chino símbolo
        ("en", "中", "the names of its letters"),
        ("en", "maʉa", "the name of the letter ʉ"),  # u bar
        ("sw", "maḫa", "the name of the letter ḫ"),  # letter 1 e 2 b
        ("it", "lʼamico", "the name of the letter ʼ"),
        ("sw", "ng'ombe", "the letters beside the apostrophe"),  # en ji ombe
        ("sw", "sawa😀", "says the name of 😀"),
        ("de", "…", "says nothing"),
    ],
)
@pytest.mark.parametrize("foreign", [False, True])
def test_letters_that_are_only_named_are_refused(voice, word, reason, foreign):
    assert reason in Espeak(voice, foreign=foreign).fault(word)


@pytest.mark.parametrize(
    ("voice", "word"),
    [
        ("de", "größe"),
        ("vi", "nước"),
        ("is", "þörf"),
        ("cmn", "双"),
        ("am", "ሰላም"),
        ("it", "l’amico"),
        ("en", "don't"),
        ("qu", "t'anta"),
        ("haw", "ʻōlelo"),
        ("uk", "п'ять"),
    ],
)
def test_letters_of_the_language_are_known(voice, word):
    assert Espeak(voice).fault(word) is None


def test_letters_whose_marks_are_not_heard_are_said():
    reading = Espeak("sw").read(["ñandu"])
    assert [(x.given, x.becomes) for x in reading.rewrites if x.kind == "letter"] == [("ñ", "n")]


@pytest.mark.parametrize(
    ("language", "voice"),
    [
        ("swh", "sw"),
        ("deu", "de"),
        ("eng", "en"),
        ("fra", "fr"),
        ("cmn", "cmn"),
        ("arb", "ar"),
        ("nob", "nb"),
        ("pes", "fa"),
    ],
)
def test_a_voice_is_found_by_the_code_of_a_language(language, voice):
    assert voice_of(language) == voice


def test_a_language_without_a_voice_is_an_error_with_its_kin():
    with pytest.raises(
        InputError, match="no voice for 'quy'; of its macrolanguage que it has qu: name one as --g2p espeak:qu"
    ):
        voice_of("quy")
    with pytest.raises(InputError, match=r"no voice for 'yor'; of the same family \(Atlantic-Congo\) are sw, tn"):
        voice_of("yor")
    with pytest.raises(InputError, match="no voice 'swx'"):
        Espeak("swx")


def test_a_voice_without_a_dictionary_is_an_error():
    assert has_voice("fo")
    assert "fo" in voices()
    with pytest.raises(InputError, match="a voice 'fo', but not its dictionary"):
        Espeak("fo")
