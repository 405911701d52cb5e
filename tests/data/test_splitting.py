from pathlib import Path

import numpy as np
import pytest

from speechxl.data.splitting import divide, read_size
from speechxl.errors import InputError
from speechxl.shapes import Utterance

SIZES = {"dev": ("share", 0.1), "test": ("share", 0.2)}


def corpus(speakers, languages=("swh", "quy"), seed=0, rows=(5, 40)):
    """Speakers of each language with rows of 1 to 10 s."""
    rng = np.random.default_rng(seed)
    names = [(language, f"{language}{speaker}") for language in languages for speaker in range(speakers)]
    return [
        Utterance(Path(f"{name}-{row}.wav"), "", duration=rng.uniform(1, 10), language=language, speaker=name)
        for language, name in names
        for row in range(rng.integers(*rows))
    ]


def by_speaker(row):
    return row.speaker


def seconds(rows, parts, part, language):
    return sum(row.seconds for row, own in zip(rows, parts, strict=True) if (own, row.language) == (part, language))


@pytest.mark.parametrize("seed", range(5))
def test_no_speaker_is_in_two_parts_and_every_language_has_its_shares(seed):
    rows = corpus(30, seed=seed)
    parts = divide(rows, SIZES, by_speaker, seed)
    for speaker in {row.speaker for row in rows}:
        assert len({part for row, part in zip(rows, parts, strict=True) if row.speaker == speaker}) == 1
    for language in ("swh", "quy"):
        total = sum(row.seconds for row in rows if row.language == language)
        for part, share in (("train", 0.7), ("dev", 0.1), ("test", 0.2)):
            assert seconds(rows, parts, part, language) / total == pytest.approx(share, abs=0.03)


def test_minutes_are_those_of_each_language():
    rows = corpus(40)
    parts = divide(rows, {"dev": ("minutes", 6.0), "test": ("minutes", 0.0)}, by_speaker)
    assert set(parts) == {"train", "dev"}
    for language in ("swh", "quy"):
        assert seconds(rows, parts, "dev", language) == pytest.approx(360, abs=40)


def test_the_seed_decides_and_the_order_of_rows_does_not():
    rows = corpus(20)
    parts = divide(rows, SIZES, by_speaker, 1)
    assert divide(rows, SIZES, by_speaker, 1) == parts
    assert divide(rows[::-1], SIZES, by_speaker, 1)[::-1] == parts
    assert divide(rows, SIZES, by_speaker, 2) != parts


def test_a_speaker_of_two_languages_is_in_one_part():
    rows = corpus(12)
    rows = [Utterance(**vars(row) | {"speaker": row.speaker[3:]}) if row.speaker[3:] in "0123" else row for row in rows]
    parts = divide(rows, SIZES, by_speaker)
    for speaker in "0123":
        own = {(row.language, part) for row, part in zip(rows, parts, strict=True) if row.speaker == speaker}
        assert {language for language, _ in own} == {"swh", "quy"}
        assert len({part for _, part in own}) == 1


@pytest.mark.parametrize(("speakers", "expected"), [(1, {"train"}), (2, {"train"}), (3, {"train", "dev", "test"})])
def test_few_speakers_are_one_in_each_part_or_all_trained_on(speakers, expected):
    assert set(divide(corpus(speakers, ("swh",)), SIZES, by_speaker)) == expected


def test_one_speaker_with_nearly_everything_is_trained_on():
    rows = corpus(8, ("swh",), rows=(2, 4)) + [
        Utterance(Path(f"big{n}.wav"), "", duration=10.0, language="swh", speaker="big") for n in range(60)
    ]
    parts = divide(rows, SIZES, by_speaker)
    assert {part for row, part in zip(rows, parts, strict=True) if row.speaker == "big"} == {"train"}
    assert set(parts) == {"train", "dev", "test"}


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("0.1", ("share", 0.1)), ("10%", ("share", 0.1)), ("15", ("minutes", 15)), ("15m", ("minutes", 15)),
        ("1.5h", ("minutes", 90)), ("0", ("share", 0)), (".2", ("share", 0.2)),
    ],
)  # fmt: skip
def test_sizes_are_shares_or_minutes(size, expected):
    assert read_size("dev", size) == expected


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("much", "--dev much: a share such as 0.1 or 10% was expected"),
        ("-5", "minutes such as 15"),
        ("100%", "less than 100 %"),
    ],
)
def test_other_sizes_are_refused(size, message):
    with pytest.raises(InputError, match=message):
        read_size("dev", size)


def test_parts_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(InputError, match=r"swh: 500.0 min for dev would leave none of \d.*give shares, such as 10%"):
        divide(corpus(3, ("swh",)), {"dev": ("minutes", 500.0)}, by_speaker)
