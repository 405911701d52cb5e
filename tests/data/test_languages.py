import pytest

from speechxl.data.languages import language_fault, retired


@pytest.mark.parametrize("code", ["mdw", "swh", "mis", "und"])
def test_codes_of_iso_639_3_are_accepted(code):
    assert language_fault(code) is None


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("sw", "use 'swa'"),
        ("English", "use 'eng'"),
        ("mdww", "nearest are .*mdw"),
        ("xx-yy", "is not an ISO 639-3 code"),
    ],
)
def test_what_to_write_instead_is_said(code, message):
    pytest.importorskip("iso639")
    import re

    assert re.search(message, language_fault(code))


def test_a_withdrawn_code_is_no_fault_but_has_a_successor():
    assert language_fault("ajp") is None
    assert "apc" in retired("ajp")
    assert retired("mdw") is None
    assert retired("mdww") is None
