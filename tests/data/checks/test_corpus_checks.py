import random
from dataclasses import replace

import pytest

from speechxl.data.checks.classes import ERRORS, WARNINGS
from tests.data.checks.faulty import SYMBOLS, clean_corpus, findings, found, noise, seed_faults, write

BETWEEN = {"manifest", "duplicate_id", "uncorrelated", "one_speaker"}
"""Classes that a single row cannot have: two of manifests as files, and two of whole groups."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("corpus")


@pytest.fixture(scope="module")
def original(folder):
    return clean_corpus(folder)


@pytest.fixture
def clean(original):
    return list(original)


@pytest.mark.parametrize("decode", [True, False])
def test_nothing_is_invented_on_a_clean_corpus(clean, decode):
    assert found(clean, decode=decode) == {}
    assert found(clean, decode=decode, symbols=None, languages=()) == {}


@pytest.fixture(scope="module")
def seeded(original, folder):
    rows = list(original)
    (folder / "seeded").mkdir()
    return rows, seed_faults(rows, folder / "seeded")


def test_every_seeded_fault_is_found_and_no_other(seeded):
    rows, expected = seeded
    assert expected.keys() | BETWEEN == ERRORS.keys() | WARNINGS.keys()
    assert found(rows) == expected


def test_headers_alone_show_what_needs_no_decoding(seeded):
    rows, expected = seeded
    inside = {
        "silent", "not_finite", "duplicate", "clipped", "quiet", "dc_offset", "mostly_silence", "band_limited"
    }  # fmt: skip
    assert found(rows, decode=False) == {kind: ids for kind, ids in expected.items() if kind not in inside}


def test_findings_do_not_depend_on_threads_or_on_what_is_cached(seeded, tmp_path):
    rows, _ = seeded
    once = findings(rows)
    assert findings(rows, threads=3, cache=tmp_path / "c.sqlite") == once
    assert findings(rows, threads=3, cache=tmp_path / "c.sqlite") == once
    assert len(once) >= 30


def test_a_finding_says_where_it_is_and_what_is_there(seeded):
    rows, _ = seeded
    messages = {item.kind: item for item in findings(rows)}
    assert messages["missing"].place == "m.tsv:2"
    assert messages["missing"].message.endswith("nowhere.wav: there is no such file")
    assert "'ж' (U+0436 CYRILLIC SMALL LETTER ZHE)" in messages["unknown_symbol"].message
    assert messages["too_short"].message == "text of 100 symbols needs 199 frames, 3.60 s give 179"
    assert messages["mixed_rates"].message == "22050 Hz; 44 of 45 recordings have 16000"
    assert messages["digits"].message.startswith("12 in ")
    assert "of 1 rows, is a macrolanguage" in messages["macrolanguage"].message
    assert "'quy' is not among the languages of the model: ajp, que, swh" in messages["language_not_in_model"].message


def test_one_speaker_with_nearly_everything_is_found(clean):
    rows = [replace(row, speaker="a" if number % 12 else "b", split="") for number, row in enumerate(clean)]
    (item,) = findings(rows)
    assert item.kind == "one_speaker"
    total = sum(row.seconds for row in rows)
    share = sum(row.seconds for row in rows if row.speaker == "a") / total
    assert item.message == f"'a' has {share:.0%} of the {total / 60:.1f} minutes in swh"


def test_a_corpus_without_any_text_is_unlabelled_and_no_fault(clean):
    assert found([replace(row, text="") for row in clean]) == {}


def test_a_corpus_without_any_speaker_is_one_finding(clean):
    (item,) = findings([replace(row, speaker="") for row in clean])
    assert (item.kind, item.message) == ("no_speaker", "none of the 48 rows names one")


def test_shuffled_texts_are_found_and_those_in_order_are_not(clean):
    texts = [row.text for row in clean]
    random.Random(1).shuffle(texts)
    items = findings([replace(row, text=text) for row, text in zip(clean, texts, strict=True)])
    (item,) = [item for item in items if item.kind == "uncorrelated"]
    assert item.message.startswith("language swh, 48 rows: the lengths of text and recording correlate with")
    assert "in the same order?" in item.message


def test_displaced_texts_are_found_with_their_distance(clean):
    rows = [replace(row, text=clean[number - 2].text) for number, row in enumerate(clean)]
    (item,) = [item for item in findings(rows) if item.kind == "uncorrelated"]
    assert "with the text 2 rows below it would be 1.00" in item.message


def test_one_bad_session_among_good_ones_is_named(clean):
    rows = [replace(row, extra={"session": "day1" if number < 24 else "day2"}) for number, row in enumerate(clean)]
    texts = [row.text for row in rows[24:]]
    random.Random(3).shuffle(texts)
    rows[24:] = [replace(row, text=text) for row, text in zip(rows[24:], texts, strict=True)]
    items = [item for item in findings(rows) if item.kind == "uncorrelated"]
    assert [item.message[:21] for item in items] == ["session day2, 24 rows"]


def test_single_words_are_not_expected_to_correlate(clean):
    rng = random.Random(0)
    rows = [
        replace(
            row,
            start=0.0,
            duration=rng.uniform(0.5, 1.2),
            text=rng.choice(["ba", "banana", "ananasi", "embe"]),
            split="",
        )
        for row in clean
    ]
    assert found(rows) == {}


def test_phonemes_can_be_too_many_as_well(clean):
    clean[5] = replace(clean[5], phonemes="a " * 300)
    assert found(clean, symbols=None) == {"too_short": {"u05.wav"}}


def test_digits_that_mark_tones_are_letters(clean):
    assert found([replace(row, text=row.text.replace(" ", "4 ")) for row in clean]) == {}


def test_capitals_are_no_fault_where_they_are_usual(clean):
    assert found([replace(row, text=row.text.capitalize()) for row in clean]) == {}


def test_durations_that_the_manifest_lacks_are_those_of_the_recordings(clean, tmp_path):
    rows = [replace(row, duration=None) for row in clean]
    rows[3] = replace(rows[3], path=write(tmp_path / "long.wav", noise(31, 3)))
    assert found(rows)["very_long"] == {"u03.wav"}


def test_stretches_of_one_recording_are_checked_each(clean, tmp_path):
    path = write(tmp_path / "session.wav", noise(40, 1))
    rows = [replace(row, path=path, start=0.8 * number, duration=0.8, text="") for number, row in enumerate(clean)]
    rows += [
        replace(rows[0], id="again", origin="m.tsv:50"),
        replace(rows[0], id="past", start=39.95, origin="m.tsv:51"),
    ]
    assert found(rows) == {"duplicate": {"again"}, "beyond_end": {"past"}}
    assert found(rows, decode=False) == {"duplicate": {"again"}, "beyond_end": {"past"}}


def test_another_column_is_checked_against_the_vocabulary(clean):
    symbols = replace(SYMBOLS, column="ipa")
    clean[2] = replace(clean[2], extra={"ipa": "ж"})
    assert found(clean, symbols=symbols) == {"unknown_symbol": {"u02.wav"}}
