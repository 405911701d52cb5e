import pytest

from speechxl.data.languages import find_language, language_fault, languages_meant, members, named_language, retired
from speechxl.errors import InputError


@pytest.fixture(autouse=True)
def afresh():
    find_language.cache_clear()


@pytest.mark.parametrize("code", ["mdw", "swh", "mis", "und", "que"])
def test_codes_of_iso_639_3_are_accepted(code):
    assert language_fault(code) is None
    assert find_language(code) == code


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("en", "eng"), ("English", "eng"), ("ENGLISH", "eng"), ("ger", "deu"), ("zh-CN", "cmn"), ("zh_HK", "yue"), ("sw", "swh"),
        ("Swahili", "swh"), ("Kiswahili", "swh"), ("quechua, ayacucho", "quy"), ("Ayacucho Quechua", "quy"), ("Arabic", "arb"),
        ("Yorùbá", "yor"), ("yoruba", "yor"), ("sr-Latn", "srp"), ("Modern Greek", "ell"), ("quechua", "que"),
    ],
)  # fmt: skip
def test_other_codes_locales_and_names_are_understood(name, code):
    assert find_language(name) == named_language(name) == code
    assert language_fault(name) == f"{name!r} is not an ISO 639-3 code; use {code!r}"


def test_what_a_name_is_taken_for_is_said_and_macrolanguages_are_explained(caplog):
    caplog.set_level("INFO")
    find_language("en")
    find_language("Akan")
    find_language("eng")
    assert caplog.messages == [
        "language 'en' is taken for eng (English)",
        "language 'Akan' is taken for aka (Akan), a macrolanguage; name one of fat (Fanti), twi (Twi) where it is known",
    ]


def test_a_long_list_of_members_is_cut():
    assert members("que").endswith(" more")
    assert members("que").count("(") == 8
    assert members("quy") == members("nothing") == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Swahilli", "'Swahilli' is no language of ISO 639-3; nearest are .*swh"),
        ("Greek", r"nearest are .*ell \(Modern Greek"),
        ("mdww", r"nearest are .*mdw \(Mbosi\)"),
        ("xx-yy", "'xx-yy' is no language of ISO 639-3.$"),
    ],
)
def test_the_nearest_names_are_said_of_unknown_ones(name, message):
    with pytest.raises(InputError, match=message):
        find_language(name)
    assert named_language(name) == name
    assert "is not an ISO 639-3 code" in language_fault(name)


def test_a_name_of_several_languages_is_refused():
    with pytest.raises(InputError, match=r"'Baka' is the name of several languages: bdh \(.*bkc \(.*; use the code"):
        find_language("Baka")


def test_a_withdrawn_code_is_no_fault_but_has_a_successor():
    assert language_fault("ajp") is None
    assert find_language("ajp") == "ajp"
    assert "apc" in retired("ajp")
    assert retired("mdw") is None
    assert retired("mdww") is None


def test_a_name_that_looks_like_a_locale_is_a_name():
    assert find_language("Avá-Canoeiro") == "avv"
    assert find_language("av-RU") == "ava"


def test_a_withdrawn_name_is_no_code():
    assert retired("aam")
    assert retired("Aramanik") is None
    with pytest.raises(InputError, match="'Aramanik' is no language of ISO 639-3"):
        find_language("Aramanik")
    assert "is not an ISO 639-3 code" in language_fault("Aramanik")


def test_rows_are_compared_to_what_is_named_and_to_its_code():
    assert languages_meant(["sw", "quy", "Swahili", "village-3"]) == ["sw", "swh", "quy", "Swahili", "village-3"]
    assert languages_meant(None) == []
