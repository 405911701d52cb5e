"""Names of CLDR, spoken by espeak-ng."""

from dataclasses import replace
from itertools import chain

import pytest
import soundfile

from speechxl.data.espeak import phonemes, tokens
from speechxl.data.languages import language_fault
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.data.names import Part, named_languages, names, spoken, write_names
from speechxl.errors import InputError
from speechxl.phonology.ipa import canonical

PARTS = [Part("train", 5, ("m1", "f1")), Part("test", 3, ("m2",))]


def test_names_are_words_of_the_language():
    german = names("de")
    assert {"Deutschland", "Albanisch", "Januar", "Euro"} <= set(german)
    assert german == sorted(set(german))
    assert not [name for name in german if any(character in "()0123456789./" for character in name)]
    assert "भारत" in names("hi")  # with a mark that is no letter


def test_a_locale_that_is_not_there_is_named():
    with pytest.raises(InputError, match="no names in 'xx'"):
        names("xx")


def test_phones_are_those_that_espeak_ng_says():
    found = spoken("sw", "sw")
    assert len(found) > 500
    for name in ("Tanzania", "Kenya"):
        assert found[name].split() == list(chain.from_iterable(phonemes(name, "sw")))
    assert all(phone == canonical(phone) for text in found.values() for phone in text.split())


def test_names_that_another_voice_speaks_are_left_out():
    assert "(en)" in chain.from_iterable(tokens("Delaware", "de"))
    assert "Delaware" in names("de")
    assert "Delaware" not in spoken("de", "de")


def test_many_languages_can_be_spoken():
    found = named_languages()
    assert len(found) > 80
    assert {"swh", "arb", "deu"} <= set(found)
    assert not {"fao", "chv"} & set(found)  # voices without a dictionary
    assert not [fault for language in found if (fault := language_fault(language))]


def test_each_name_is_in_one_part_and_each_part_has_its_own_voices(tmp_path):
    rows = list(write_names(tmp_path, {"swh": "sw", "tur": "tr"}, PARTS, seed=1))
    write_manifest(tmp_path / "manifest.tsv", rows)
    assert [replace(row, extra={}, origin="") for row in read_manifest(tmp_path / "manifest.tsv")] == [
        replace(row, path=row.path.absolute(), duration=round(row.duration, 4)) for row in rows
    ]
    for language in ("swh", "tur"):
        own = [row for row in rows if row.language == language]
        assert [row.split for row in own] == ["train"] * 5 + ["test"] * 3
        assert len({row.text for row in own}) == 8
        assert {row.speaker for row in own[5:]} == {f"{language}-m2"}
        assert {row.speaker for row in own[:5]} <= {f"{language}-m1", f"{language}-f1"}
    for row in rows:
        info = soundfile.info(row.path)
        assert (info.samplerate, info.frames / 16_000) == (16_000, pytest.approx(row.duration))
        assert row.phonemes


def test_what_is_said_depends_on_the_seed_and_not_on_other_languages(tmp_path):
    def made(folder, languages, seed):
        return [
            (row.text, row.speaker, row.phonemes)
            for row in write_names(tmp_path / folder, languages, PARTS, seed)
            if row.language == "swh"
        ]

    alone = made("a", {"swh": "sw"}, 1)
    assert made("b", {"tur": "tr", "swh": "sw"}, 1) == alone
    assert [text for text, *_ in made("c", {"swh": "sw"}, 2)] != [text for text, *_ in alone]


def test_a_code_that_is_no_language_is_named(tmp_path):
    with pytest.raises(InputError, match="xxx"):
        list(write_names(tmp_path, {"xxx": "sw"}, PARTS, 1))
