"""What test rows share with training rows."""

import logging
from pathlib import Path

import pytest

from speechxl.classification.leaks import find_leaks, groups, refuse_leaks
from speechxl.errors import InputError
from speechxl.shapes import Utterance


def row(number, speaker="", text="", language="swh", group="", start=0.0):
    extra = {"group": group} if group else {}
    return Utterance(
        Path(f"/corpus/{number}.wav"), f"{number}", language=language, speaker=speaker, text=text, extra=extra, start=start,
        origin=f"m.tsv:{number}",
    )  # fmt: skip


def kinds(train, test):
    return [leak.kind for leak in find_leaks(train, test)]


def test_a_speaker_in_both_is_found_where_the_manifest_says_who_speaks():
    train = [row(1, "ann"), row(2, "bob"), row(3)]
    assert kinds(train, [row(4, "eve"), row(5)]) == []
    (leak,) = find_leaks(train, [row(4, "eve"), row(5, "bob"), row(6, "bob")])
    assert (leak.kind, leak.count, leak.rows, leak.example) == ("speaker", 2, 3, "bob")
    assert (leak.train, leak.test) == ("m.tsv:2", "m.tsv:5")


def test_names_of_speakers_count_within_a_language():
    assert kinds([row(1, "s1", language="swh")], [row(2, "s1", language="deu")]) == []


def test_a_sentence_in_both_is_found_whatever_its_case_and_punctuation():
    assert kinds([row(1, text="Habari, yako?")], [row(2, text="habari yako")]) == ["sentence"]
    assert kinds([row(1, text="habari")], [row(2, text="habari", language="deu")]) == []
    assert kinds([row(1)], [row(2)]) == []


def test_groups_count_across_languages_and_in_the_place_of_texts():
    assert kinds([row(1, group="17", text="one")], [row(2, group="17", language="deu", text="eins")]) == ["group"]
    assert kinds([row(1, group="17", text="same")], [row(2, group="18", text="same")]) == []


def test_a_recording_in_both_is_found_and_its_stretches_are_told_apart():
    assert kinds([row(1)], [row(1)]) == ["recording"]
    assert kinds([row(1)], [row(1, start=2.0)]) == []


def test_a_leak_is_refused_with_places_and_cure():
    with pytest.raises(InputError, match=r"1 of 1 test rows have a speaker of the training rows, such as 'bob' at m.tsv:5 and "
                       r"m.tsv:2; split the rows anew, or say that it is meant by naming 'speaker' as shared"):  # fmt: skip
        refuse_leaks([row(2, "bob")], [row(5, "bob")])


def test_what_is_meant_to_be_shared_is_only_said(caplog):
    caplog.set_level(logging.INFO)
    train, test = [row(1, "ann", "sifuri")], [row(2, "eve", "sifuri")]
    (leak,) = refuse_leaks(train, test, ["sentence"])
    assert leak.kind == "sentence"
    assert "1 of 1 test rows have a sentence of the training rows" in caplog.text
    with pytest.raises(InputError, match="sentence"):
        refuse_leaks(train, test, ["speaker"])


def test_an_unknown_kind_is_named():
    with pytest.raises(
        InputError, match="'sentences' is nothing that train and test can share; there are recording, speaker"
    ):
        refuse_leaks([row(1)], [row(2)], ["sentences"])


def test_groups_are_what_rows_share_and_else_each_row_by_itself():
    rows = [
        row(1, "ann", "Moja!"),
        row(2, "ann", "moja", "deu"),
        row(3, "bob", "moja"),
        row(4, group="g"),
        row(5, group="g"),
    ]

    def partition(names):
        return [names.index(name) for name in names]

    assert partition(groups(rows)) == [0, 1, 2, 3, 3]
    assert partition(groups(rows, "sentence")) == [0, 1, 0, 3, 3]
    assert partition(groups(rows, "speaker")) == [0, 1, 2, 3, 4]  # names of speakers count within a language
    assert partition(groups([row(1, "ann"), row(2, "ann")], "speaker")) == [0, 0]
    assert partition(groups(rows, "utterance")) == [0, 1, 2, 3, 4]
