import pickle

import pytest

from speechxl.errors import InputError
from speechxl.phonology.inventory import (
    Inventory,
    difference,
    inventory_of_texts,
    new_inventory,
    phoible_inventory,
    read_inventory,
)
from speechxl.phonology.ipa import UnknownPhone, canonical


def test_the_union_the_largest_and_one_inventory(small):
    union = phoible_inventory(small, "quy")
    assert union.symbols == ("a", "ai", "b", "i", "m", "p")
    assert union.counts["p"] == 2
    assert union.allophones["p"] == ("p", "pʰ")
    assert union.tones == {"˥": 1}
    assert [doculect.id for doculect in union.doculects] == [1, 2]
    assert phoible_inventory(small, "quy", marginal=False).symbols == ("a", "ai", "i", "m", "p")
    assert phoible_inventory(small, "quy", "largest").symbols == ("a", "b", "i", "p")
    assert (
        phoible_inventory(small, "quy", "2").symbols
        == phoible_inventory(small, "", "2").symbols
        == ("a", "ai", "m", "p")
    )
    with pytest.raises(
        InputError, match=r"Inventory 3 of PHOIBLE is one of Árabe; those of 'quy' are 1 \(spa\), 2 \(ph, north\)"
    ):
        phoible_inventory(small, "quy", "3")
    with pytest.raises(InputError, match="has no inventory 7"):
        phoible_inventory(small, "", "7")
    with pytest.raises(InputError, match="'union', 'largest' or the number of an inventory was expected, not 'both'"):
        phoible_inventory(small, "quy", "both")


def test_an_inventory_holds_phones_in_their_one_spelling_whatever_it_is_made_of():
    made = Inventory(["tʃ", "g", "a˥", "t̠ʃ", "ã"])
    assert made.symbols == ("a", "a\u0303", "t͡ʃ", "ɡ")
    assert Inventory(made.symbols) == made == Inventory(reversed(made.symbols))
    assert pickle.loads(pickle.dumps(made)) == made
    with pytest.raises(InputError, match="list: there are no phones in the inventory"):
        Inventory(["˥"])
    with pytest.raises(UnknownPhone, match=r"U\+0040 COMMERCIAL AT is not IPA"):
        Inventory(["@"])


def test_every_inventory_of_phoible_stays_as_it_is(phoible):
    for doculect in list(phoible.doculects.values())[::10]:
        spelled = {canonical(row.phoneme) for row in phoible.rows(doculect.id) if row.kind != "tone"}
        assert set(phoible_inventory(phoible, "", str(doculect.id)).symbols) == spelled


def test_a_list_has_one_order():
    assert new_inventory(["t̠ʃ", "a", "g", "a"]).symbols == new_inventory(["ɡ", "tʃ", "a"]).symbols == ("a", "t͡ʃ", "ɡ")
    with pytest.raises(InputError, match=r"list: there are no phones in the inventory"):
        new_inventory([])


@pytest.mark.parametrize(
    ("name", "text", "symbols"),
    [
        ("phones.txt", "# comment\np\na\ntʃ\n\n", ("a", "p", "t͡ʃ")),
        ("phones.txt", "p a tʃ\n", ("a", "p", "t͡ʃ")),
        ("lexicon.txt", "pacha\tp a tʃ a\nno\tn o\n", ("a", "n", "o", "p", "t͡ʃ")),
        ("table.tsv", "word\tIPA\nx\tp a\ny\tm\n", ("a", "m", "p")),
        ("table.csv", 'word,phones\nx,"p a"\n"a,b",m\n', ("a", "m", "p")),
        ("tones.txt", "á\na\n˥\n", ("a",)),
        ("bom.txt", "\ufeffno\n".replace("no", "n\no"), ("n", "o")),
    ],
)
def test_files_of_phones(tmp_path, name, text, symbols):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_inventory(tmp_path / name).symbols == symbols


def test_tones_are_counted(tmp_path):
    path = tmp_path / "tones.txt"
    path.write_text("á\na\n˥\nà\n", encoding="utf-8")
    assert read_inventory(path).tones == {"\u0301": 1, "˥": 1, "\u0300": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p\na\nQ\n", r"inv.txt:3: 'Q': U\+0051 LATIN CAPITAL LETTER Q is not IPA; nearest are ɒ"),
        ("p\nma5\n", "inv.txt:2: 'ma5' has the digit '5'; tones are written with tone letters"),
        ("# nothing\n\n", "inv.txt: there are no phones in the inventory"),
        ("˥\n", "inv.txt: there are no phones in the inventory"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_the_line(tmp_path, text, message):
    path = tmp_path / "inv.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_inventory(path)


def test_a_file_of_transcripts(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("ˈpat͡ʃa po\naːʰka\n", encoding="utf-8")
    found = read_inventory(path, running=True)
    assert found.symbols == ("a", "aː", "o", "p", "t͡ʃ", "ʰk")
    assert read_inventory(path, running=True, least=2).symbols == ("a", "p")


def test_a_column_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text("word\tipa\nx\tp a\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"table.tsv:1: there is no column 'phon'; there are word, ipa"):
        read_inventory(path, "phon")
    (tmp_path / "latin.txt").write_bytes(b"\xe9\n")
    with pytest.raises(InputError, match=r"latin.txt: is not UTF-8 text"):
        read_inventory(tmp_path / "latin.txt")


def test_transcripts_give_an_inventory_with_counts():
    texts = [("p a tʃ a", "m.tsv:2"), ("p o", "m.tsv:3")]
    found = inventory_of_texts(texts, "m.tsv")
    assert found.counts == {"a": 2, "o": 1, "p": 2, "t͡ʃ": 1}
    assert inventory_of_texts(texts, "m.tsv", least=2).symbols == ("a", "p")
    assert inventory_of_texts([("ˈpat͡ʃa po", "m.tsv:2")], "m.tsv", running=True).symbols == found.symbols
    with pytest.raises(
        InputError, match=r"m.tsv:2: 'paʃapo' is not one phone: separate phones by spaces, or use --running"
    ):
        inventory_of_texts([("paʃapo", "m.tsv:2")], "m.tsv")
    with pytest.raises(UnknownPhone, match=r"m.tsv:2: 'ax': U\+003B SEMICOLON|m.tsv:2: 'a;'"):
        inventory_of_texts([("p a;", "m.tsv:2")], "m.tsv")


def test_other_spellings_are_kept_those_of_unicode_are_not():
    assert new_inventory(["\u00e3", "g", "t̠ʃ"]).spelling == {"ɡ": "g", "t͡ʃ": "t̠ʃ"}


def test_differences(small):
    apart = difference(phoible_inventory(small, "quy", "1"), phoible_inventory(small, "arb"))
    assert (apart.both, apart.first, apart.second) == (("b", "i"), ("a", "p"), ("a\u0303", "m", "mb"))
