"""Who learns from what."""

from collections import Counter
from pathlib import Path

import pytest

from speechxl.classification.labels import Labelled
from speechxl.classification.leaks import groups
from speechxl.classification.protocol import Fold, chosen, divide, hold_out, shared_classes
from speechxl.classification.regimes import Job, plan, regime_of, usual_regimes
from speechxl.errors import InputError
from speechxl.shapes import Utterance


def labelled(count=60, languages=("aaa", "bbb"), classes="xyz", speakers=10):
    rows, values = [], []
    for number in range(count):
        language = languages[number % len(languages)]
        value = classes[(number // len(languages)) % len(classes)]
        speaker = f"{language}{number % speakers}"
        rows.append(
            Utterance(Path(f"/{number}.wav"), f"u{number}", language=language, speaker=speaker, text=f"t{number % 7}")
        )
        values.append(value)
    return Labelled(rows, values, "kind")


def test_a_training_serves_the_monolingual_and_the_zero_shot_regime():
    jobs = plan(
        ["aaa", "bbb"], ["aaa", "bbb", "ccc"], ["monolingual", "multilingual", "zero-shot"], [2, None], [1, 2], 3
    )
    assert len(jobs) == 3 * 2 * 2 * 3
    assert len(set(jobs)) == len(jobs)
    first = [job for job in jobs if (job.shots, job.seed, job.fold) == (None, 2, 1)]
    assert [(job.train, job.test) for job in first] == [
        (("aaa",), ("aaa", "bbb", "ccc")), (("bbb",), ("aaa", "bbb", "ccc")), (("aaa", "bbb"), ("aaa", "bbb", "ccc")),
    ]  # fmt: skip
    assert [regime_of(job.train, test, ["aaa", "bbb"]) for job in first for test in job.test] == [
        "monolingual", "zero-shot", "zero-shot", "zero-shot", "monolingual", "zero-shot", *["multilingual"] * 3,
    ]  # fmt: skip
    alone = plan(["aaa", "bbb"], ["bbb", "ccc"], ["monolingual"], [None], [1], 1)
    assert [(job.train, job.test) for job in alone] == [(("bbb",), ("bbb",))]


def test_all_regimes_that_the_languages_allow():
    assert usual_regimes(["a"], ["a"], None) == ["monolingual"]
    assert usual_regimes(["a"], ["b"], None) == ["zero-shot"]
    assert usual_regimes(["a", "b"], ["a"], None) == ["monolingual", "multilingual", "zero-shot"]
    assert usual_regimes(["a", "b"], ["a"], ["zero-shot", "monolingual"]) == ["monolingual", "zero-shot"]
    with pytest.raises(
        InputError, match=r"--regimes zero-shot: training rows are in a, test rows in a; possible is mono"
    ):
        usual_regimes(["a"], ["a"], ["zero-shot"])


FAMILIES = {"aaa": "A", "bbb": "A", "ccc": "C", "ddd": "D"}


def test_languages_of_a_family_and_all_but_one():
    languages = ["aaa", "bbb", "ccc"]
    jobs = plan(languages, [*languages, "ddd"], ["family", "leave-one-out"], [None], [1], 1, FAMILIES)
    assert [(job.train, job.test) for job in jobs] == [
        (("aaa", "bbb"), ("aaa", "bbb", "ccc")), (("bbb", "ccc"), ("aaa",)), (("aaa", "ccc"), ("bbb",)),
    ]  # the family is all but ccc as well  # fmt: skip
    assert [regime_of(job.train, test, languages) for job in jobs for test in job.test] == [
        "family", "family", *["leave-one-out"] * 3,
    ]  # fmt: skip
    assert regime_of(languages, "ddd", languages) == "multilingual"
    many = [*languages, "ddd", "eee"]
    names = [job.name for job in plan(many, many, ["leave-one-out"], [None], [1], 1)]
    assert names[0] == "all but aaa, all examples, seed 1, fold 1"
    assert len(set(names)) == 5


def test_families_and_leaving_out_are_done_when_asked_for_and_possible():
    languages = ["aaa", "bbb", "ccc"]
    assert "family" not in usual_regimes(languages, languages, None, FAMILIES)
    assert usual_regimes(languages, languages, ["leave-one-out", "family"], FAMILIES) == ["family", "leave-one-out"]
    for asked, there in (("family", ["aaa", "ccc"]), ("family", ["aaa", "bbb"]), ("leave-one-out", ["aaa", "bbb"])):
        with pytest.raises(
            InputError, match=f"--regimes {asked}: .* possible are monolingual, multilingual, zero-shot"
        ):
            usual_regimes(there, there, [asked], FAMILIES)


def test_few_examples_are_few_of_dev_rows_too():
    data = labelled(120)
    train, dev = hold_out(data)
    fold = Fold(train, dev, data)
    part = chosen(fold, Job(("aaa",), ("aaa", "bbb"), 2, 1, 0))
    assert part.train.counts == part.dev.counts == Counter({"x": 2, "y": 2, "z": 2})
    assert {row.language for row in [*part.train.rows, *part.dev.rows]} == {"aaa"}
    assert len(part.test) == 120
    more = chosen(fold, Job(("aaa",), ("aaa",), 3, 1, 0))
    assert {row.id for row in part.train.rows} < {row.id for row in more.train.rows}
    assert len(more.dev) == 6  # there are no more
    other = chosen(fold, Job(("aaa",), ("aaa",), 2, 2, 0))
    assert {row.id for row in part.train.rows} != {row.id for row in other.train.rows}
    with pytest.raises(
        InputError, match=r"99 examples of each class were asked for, and there are fewer of kind:x in aaa \(18\)"
    ):
        chosen(fold, Job(("aaa",), ("aaa",), 99, 1, 0))


def test_a_tenth_of_each_class_in_each_language_is_held_out():
    data = labelled(120)
    train, dev = hold_out(data)
    assert len(train) + len(dev) == 120
    assert not {row.id for row in train.rows} & {row.id for row in dev.rows}
    assert set(Counter((row.language, value) for row, value in zip(dev.rows, dev.values, strict=True)).values()) == {2}
    moved = {row.id for row in dev.rows} - {row.id for row in hold_out(labelled(126))[1].rows}
    assert len(moved) <= 6  # as many as there are new rows
    few = labelled(4, languages=("aaa",))
    assert hold_out(few) == (few, None)


@pytest.mark.parametrize("by", ["speaker", "sentence", "utterance"])
def test_in_folds_every_utterance_is_tested_once_by_what_had_nothing_of_its_group(by):
    data = labelled(120)
    folds = divide(data, 3, by)
    assert sorted(row.id for fold in folds for row in fold.test.rows) == sorted(row.id for row in data.rows)
    for fold in folds:
        known = [*fold.train.rows, *fold.dev.rows]
        assert len(known) + len(fold.test) == 120
        assert not set(groups(known, by)) & set(groups(fold.test.rows, by))
        assert {(row.language, value) for row, value in zip(fold.train.rows, fold.train.values, strict=True)} == {
            (language, value) for language in ("aaa", "bbb") for value in "xyz"
        }


def test_folds_that_cannot_be_made_are_refused():
    with pytest.raises(InputError, match=r"--folds 6: aaa has 5 speakers; ask for at most as many folds"):
        divide(labelled(120), 6, "speaker")
    with pytest.raises(InputError, match=r"--folds must be at least 2, got 1"):
        divide(labelled(120), 1, "speaker")


def test_classes_that_all_languages_have():
    one, two = labelled(30, ("aaa",), "xyz"), labelled(30, ("bbb",), "yzw")
    assert shared_classes([one, two]) == ["y", "z"]
    with pytest.raises(
        InputError, match=r"--classes shared: 1 labels of the kind kind occur in all languages.*bbb has w, z"
    ):
        shared_classes([one, labelled(30, ("bbb",), "zw")])
