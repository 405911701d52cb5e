import pytest

from speechxl.data.espeak import phonemes, tokens, voices
from speechxl.data.inventories import espeak_inventory, find_inventory, language_inventory, words
from speechxl.data.languages import find_language
from speechxl.errors import InputError
from speechxl.phonology.phoible import open_phoible
from tests.phonology.conftest import write_release


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "manifest.tsv"
    rows = [("a", "pacha", "p a tʃ a", "pat͡ʃa"), ("b", "no", "n o", "no")]
    lines = "".join(f"{name}.wav\t{text}\t{phones}\t{running}\n" for name, text, phones, running in rows)
    path.write_text(f"path\ttext\tphonemes\trunning\n{lines}", encoding="utf-8")
    return path


def test_a_manifest_s_column_is_an_inventory(manifest):
    found = find_inventory(str(manifest))
    assert found.symbols == ("a", "n", "o", "p", "t͡ʃ")
    assert found.source == f"{manifest}:phonemes"
    assert find_inventory(str(manifest.parent)).symbols == found.symbols
    assert find_inventory(str(manifest), column="running", running=True).symbols == found.symbols
    with pytest.raises(
        InputError, match=r"manifest.tsv:1: there is no column 'ipa'; name one with --column: path, text, "
    ):
        find_inventory(str(manifest), column="ipa")


def test_what_is_wrong_in_a_manifest_has_its_line(manifest):
    with pytest.raises(InputError, match=r"manifest.tsv:2: 'pacha' is not one phone"):
        find_inventory(str(manifest), column="text")


def test_files_and_names_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SPEECHXL_PHOIBLE", raising=False)
    open_phoible.cache_clear()
    with pytest.raises(InputError, match=r"phones.txt: there is no such file of phones"):
        find_inventory("phones.txt")
    with pytest.raises(InputError, match="PHOIBLE is not installed"):
        find_inventory("swh")


def test_a_language_is_no_folder_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "arb").mkdir()
    (tmp_path / "arb" / "manifest.tsv").write_text("path\tphonemes\na.wav\tp\n")
    folder = write_release(tmp_path / "release")
    assert find_inventory("arb", phoible=folder).symbols == ("p",)
    assert language_inventory("arb", phoible=folder).symbols == ("a\u0303", "b", "i", "m", "mb")
    assert language_inventory("quy", source="2", phoible=folder, split_diphthongs=True).symbols == ("a", "i", "m", "p")


@pytest.mark.parametrize(
    "name", ["arb", "ar", "ARB", "ar-EG", "Arabic", "Standard Arabic", "bbbb1234", "Árabe", "arabe"]
)
def test_a_language_is_the_same_whatever_it_is_called(tmp_path, name):
    found = language_inventory(name, phoible=write_release(tmp_path / "release"))
    assert (found.language, found.symbols) == ("arb", ("a\u0303", "b", "i", "m", "mb"))


def test_a_language_that_phoible_lacks_is_named_by_its_code(tmp_path):
    folder = write_release(tmp_path / "release")
    with pytest.raises(InputError, match=r"has no inventory of 'arz'; of ara, .* it has arb Árabe"):
        language_inventory("Egyptian Arabic", phoible=folder)
    with pytest.raises(InputError, match=r"has no inventory of 'Ayacuch'; nearest are quy"):
        language_inventory("Ayacuch", phoible=folder)


def test_what_a_name_is_taken_for_is_said_of_inventories_too(tmp_path, caplog):
    find_language.cache_clear()
    with caplog.at_level("INFO"):
        language_inventory("Arabic", phoible=write_release(tmp_path / "release"))
    assert any(message.startswith("language 'Arabic' is taken for arb") for message in caplog.messages)


def test_vowels_can_take_the_place_of_diphthongs(tmp_path):
    (tmp_path / "own.txt").write_text("p\nai̯\niau\nt̪|t\nmb\n", encoding="utf-8")
    assert find_inventory(str(tmp_path / "own.txt"), split_diphthongs=True).symbols == ("a", "i", "mb", "p", "t̪|t", "u")


def test_a_voice_has_an_inventory():
    found = espeak_inventory("sw")
    assert {"a", "e", "i", "o", "u", "m̩", "t͡ʃ", "ð", "ɟ"} <= set(found.symbols)
    assert found.source == "espeak:sw"
    assert find_inventory("espeak:sw").symbols == found.symbols
    assert espeak_inventory("sw", ["mama"]).symbols == ("a", "m")
    with pytest.raises(InputError, match="espeak-ng has no voice 'swz'; nearest are sw"):
        espeak_inventory("swz")


def test_phones_of_a_text():
    assert tokens("mama", "sw") == [["m", "ˈa", "m", "a"]]
    assert phonemes("chai moja", "sw") == [["t͡ʃ", "a", "i"], ["m", "o", "ɟ", "a"]]
    assert len(voices()) > 130


def test_what_another_voice_says_is_left_out():
    assert any(token.startswith("(") for word in tokens("東京", "ja") for token in word)
    assert not {"t͡ʃ", "aɪ", "z"} & {phone for word in phonemes("東京", "ja") for phone in word}


def test_words_are_those_of_the_language():
    assert "Uswisi" in words("sw")
    assert words("piqd") == tuple(map(str, range(121)))
