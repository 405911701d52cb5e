import pytest

from speechxl.data.g2p.chain import Chain, pronounce, read_choices
from speechxl.data.g2p.reading import bare, words_of
from speechxl.errors import InputError


def test_punctuation_alone_belongs_to_the_word_before_it():
    assert words_of("– les amis ! ont 50 % &") == ["les", "amis !", "ont", "50", "%", "&"]
    assert [bare(word) for word in ("amis !", "(50%)", "n'est", "“so”…", "--")] == ["amis", "50%", "n'est", "so", ""]


def test_words_that_one_tool_cannot_read_go_to_the_next(tmp_path):
    (tmp_path / "l.tsv").write_text("les\tl e\nmir\tm i r\n", encoding="utf-8")
    tools, faults = Chain(read_choices(f"{tmp_path / 'l.tsv'}, espeak")).tools("fra", [])
    found = pronounce("les amis mir привет", tools)
    assert faults == []
    assert found.phones == ("l", "e", "a", "m", "i", "m", "i", "r")
    assert found.words == (("les", "l.tsv"), ("amis", "espeak:fr"), ("mir", "l.tsv"))
    assert [word for word, _ in found.unknown] == ["привет"]
    assert "not in the lexicon; " in found.unknown[0][1]


def test_the_order_of_texts_does_not_matter():
    texts = ["les amis", "3,5 km à 12 h", "un grand homme", "ils ont des enfants", "vingt et un ans", "plus d'eau"] * 3
    forward, _ = Chain(read_choices("espeak")).tools("fra", texts)
    backward, _ = Chain(read_choices("espeak")).tools("fra", texts)
    there = [pronounce(text, forward) for text in texts]
    back = [pronounce(text, backward) for text in reversed(texts)]
    assert there == back[::-1]


@pytest.mark.parametrize(
    ("names", "message"),
    [("words.tsv", "words.tsv: there is no such file"), ("espeak:", "no such file"), (" ,", "names no tool")],
)
def test_what_is_neither_tool_nor_file_is_an_error(names, message):
    with pytest.raises(InputError, match=message):
        read_choices(names)


def test_a_tool_that_is_named_in_full_must_be_there_and_others_are_reported():
    with pytest.raises(InputError, match="no voice 'zzz'"):
        Chain(read_choices("espeak:zzz")).tools("swh", [])
    tools, faults = Chain(read_choices("espeak,espeak:qu")).tools("quy", [])
    assert [tool.name for tool in tools] == ["espeak:qu"]
    assert "no voice for 'quy'" in faults[0]
