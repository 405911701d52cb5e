"""Labels of manifests, and what of them cannot be learned from."""

import logging
from pathlib import Path

import pytest

from speechxl.classification.labels import check_known, class_names, read_labels, split_label
from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance


def row(label, number=0, **known):
    return Utterance(Path(f"/corpus/{number}.wav"), f"{number}.wav", label=label, origin=f"m.tsv:{number + 2}", **known)


def rows(*labels):
    return [row(label, number) for number, label in enumerate(labels)]


def test_values_lose_their_kind_and_may_hold_a_colon():
    found = read_labels(rows("topic:animal", "topic:at 10:30", "topic: plant "))
    assert found.values == ["animal", "at 10:30", "plant"]
    assert found.kind == "topic"
    assert found.counts["plant"] == 1
    assert found.select([2, 0]).values == ["plant", "animal"]


def test_a_chosen_kind_leaves_the_others_out(caplog):
    caplog.set_level(logging.INFO)
    found = read_labels(rows("digit:1", "command:stop", "digit:2"), "digit")
    assert [one.id for one in found.rows] == ["0.wav", "2.wav"]
    assert "1 of 3 rows left out: their labels are of other kinds than digit" in caplog.text


def test_kinds_that_are_mixed_are_named_with_the_first_place():
    with pytest.raises(InputError, match=r"m.tsv:4: label 'command:stop' is of another kind than 'digit:1' at m.tsv:2; there "
                       r"are command \(1 rows\), digit \(2 rows\): choose one"):  # fmt: skip
        read_labels(rows("digit:1", "digit:2", "command:stop"))


def test_a_kind_that_is_not_there_is_named():
    with pytest.raises(NothingMatched, match=r"no label is of the kind 'topic'; there are digit \(1 rows\)"):
        read_labels(rows("digit:1"), "topic")
    with pytest.raises(NothingMatched, match="no rows"):
        read_labels([])


def test_an_empty_label_is_named_with_its_place_and_how_many_there_are():
    with pytest.raises(InputError, match=r"m.tsv:3: the label is empty \(2 such rows of 3\); write one as kind:value"):
        read_labels(rows("digit:1", "", ""))
    with pytest.raises(InputError, match=r"m.tsv:2: the label is empty"):
        split_label(row(""))


@pytest.mark.parametrize(("label", "lacks"), [("digit:", "value"), (":3", "kind"), ("three", "colon"), (":", "kind")])
def test_labels_of_another_form_are_named(label, lacks):
    with pytest.raises(InputError, match=f"m.tsv:2: label '{label}' has no {lacks}; write it as kind:value"):
        read_labels(rows(label))


def test_classes_are_sorted():
    assert class_names(read_labels(rows(*["x:b", "x:a"] * 2))) == ["a", "b"]


def test_one_class_only_is_refused():
    with pytest.raises(InputError, match="all 2 training rows have the label digit:3; a classifier needs at least two"):
        class_names(read_labels(rows("digit:3", "digit:3")))


def test_a_class_with_one_example_is_refused_unless_one_is_enough():
    train = read_labels(rows("x:a", "x:b", "x:a", "x:c"))
    with pytest.raises(
        InputError, match=r"m.tsv:3: fewer than 2 training rows have the label x:b \(1\), x:c \(1\); add"
    ):
        class_names(train)
    assert class_names(train, least=1) == ["a", "b", "c"]


def test_many_rare_classes_are_counted():
    with pytest.raises(InputError, match=r"x:4 \(1\) and 3 more;"):
        class_names(read_labels(rows(*(f"x:{n}" for n in range(8)))))


def test_a_label_that_training_never_saw_is_named_with_its_place():
    test = read_labels(rows("x:a", "x:new", "x:new"))
    with pytest.raises(
        InputError, match=r"m.tsv:3: the label x:new stands in test rows and in no training row; training has a, b"
    ):
        check_known(test, ["a", "b"])
    with pytest.raises(InputError, match="stands in dev rows"):
        check_known(test, ["a", "b"], "dev")
    check_known(test, ["a", "new"])
