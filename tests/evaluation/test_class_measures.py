"""Measures of classes against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from speechxl.errors import InputError
from speechxl.evaluation.class_report import chance_line, class_rates, majority_line
from speechxl.evaluation.predictions import (
    Predictions,
    accuracy,
    class_scores,
    confusion_counts,
    macro_f1,
    numbers_of,
)

LABELS = ["a", "b", "c", "never"]


def predictions(count=60, seed=0, labels=LABELS, skill=1.5):
    """Labels, and probabilities that lean towards them; the last class does not occur."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(labels) - 1, count)
    logits = rng.normal(size=(count, len(labels)))
    logits[np.arange(count), truth] += skill
    logits[:, -1] = -9
    powers = np.exp(logits)
    made = Predictions([f"u{n}" for n in range(count)], list(labels), powers / powers.sum(1, keepdims=True))
    return [labels[number] for number in truth], made


def test_measures_are_those_of_scikit_learn():
    references, made = predictions()
    table = confusion_counts(numbers_of(references, LABELS), made.numbers, 4)
    assert table.tolist() == metrics.confusion_matrix(references, made.best, labels=LABELS).tolist()
    assert accuracy(table) == pytest.approx(metrics.accuracy_score(references, made.best))
    assert macro_f1(table) == pytest.approx(metrics.f1_score(references, made.best, average="macro"))
    assert 0.3 < macro_f1(table) < 1
    found = class_scores(table)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        references, made.best, labels=LABELS, zero_division=0
    )
    for own, other in zip(
        (found.precision, found.recall, found.f1, found.support), (precision, recall, f1, support), strict=True
    ):
        np.testing.assert_allclose(own, other)


def test_many_tables_at_once_are_each_by_itself():
    tables = np.random.default_rng(0).integers(0, 5, (7, 3, 3))
    np.testing.assert_allclose(macro_f1(tables), [macro_f1(table) for table in tables])
    np.testing.assert_allclose(accuracy(tables), [accuracy(table) for table in tables])


def test_a_document_has_all_measures_and_reads_as_json():
    import json

    references, made = predictions()
    document = class_rates(references, made, [f"g{n // 3}" for n in range(60)])
    assert document["utterances"] == 60
    assert document["groups"] == 20
    assert document["nll"] == pytest.approx(metrics.log_loss(references, made.probabilities, labels=LABELS))
    low, high = document["intervals"]["macro_f1"]
    assert low < document["macro_f1"] < high
    assert document["per_class"]["never"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert sum(one["count"] for one in document["reliability"]) == 60
    assert json.loads(json.dumps(document))["confusion"]["labels"] == LABELS


def test_a_document_of_nothing_says_so():
    document = class_rates([], Predictions([], ["a", "b"], np.zeros((0, 2))))
    assert document["accuracy"] is None
    assert document["ece"] is None
    assert document["intervals"] == {"accuracy": None, "macro_f1": None}


def test_the_majority_line_is_always_the_commonest_training_label():
    references = list("aabbbc")
    line = majority_line(list("bba"), references)
    assert line == {
        "label": "b",
        "accuracy": 0.5,
        "macro_f1": pytest.approx(metrics.f1_score(references, ["b"] * 6, average="macro")),
    }
    unseen = majority_line(list("zz"), references)
    assert unseen["macro_f1"] == metrics.f1_score(references, ["z"] * 6, average="macro", zero_division=0) == 0


def test_chance_guesses_every_label_as_often():
    line = chance_line(list("abcd") * 50, list("abcd"))
    assert line["accuracy"] == pytest.approx(0.25, abs=0.005)
    low, high = line["intervals"]["accuracy"]
    spread = 1.96 * np.sqrt(0.25 * 0.75 / 200)
    assert (low, high) == pytest.approx((0.25 - spread, 0.25 + spread), abs=0.012)
    assert line["macro_f1"] == pytest.approx(0.25, abs=0.01)


def test_labels_outside_those_of_the_classifier_are_named():
    with pytest.raises(InputError, match="'d' is not among those of the classifier: a, b"):
        numbers_of(["a", "d"], ["a", "b"])


def test_probabilities_of_other_shapes_or_sums_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 3\), of these ids and labels \(1, 2\)"):
        Predictions(["u"], ["a", "b"], np.full((1, 3), 1 / 3))
    with pytest.raises(ValueError, match="sum to 1"):
        Predictions(["u"], ["a", "b"], np.array([[0.5, 0.6]]))
    with pytest.raises(ValueError, match="stands twice"):
        Predictions(["u"], ["a", "a"], np.array([[0.5, 0.5]]))


def test_some_utterances_can_be_chosen():
    _, made = predictions()
    some = made.select([3, 1])
    assert some.ids == ["u3", "u1"]
    np.testing.assert_array_equal(some.probabilities, made.probabilities[[3, 1]])
