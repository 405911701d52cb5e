"""Encoders of text, fine-tuned, with tiny random weights."""

import logging

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from speechxl.classification.classifier import Examples, load_classifier, save_classifier
from speechxl.classification.encoders import TextEncoder
from speechxl.classification.finetuning import load_encoder, text_logits, warm_then_falling
from speechxl.errors import InputError
from tests.classification.tiny_texts import TOPICS, encoder_folder

LABELS = ["food", "road"]


def corpus(count, seed=0):
    rng = np.random.default_rng(seed)
    labels = [str(label) for label in rng.choice(LABELS, count)]
    texts = []
    for label in labels:
        filler = rng.choice(["na", "ni", "ya", "kwa"], rng.integers(1, 6))
        texts.append(" ".join(rng.permutation([rng.choice(TOPICS[label]), *filler])))
    return Examples(texts, labels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(encoder_folder(tmp_path_factory.mktemp("xlmr")))


@pytest.fixture(scope="module")
def learner(folder):
    return TextEncoder(folder, lr=5e-3, epochs=10, batch_size=8, device="cpu")


@pytest.fixture(scope="module")
def classifier(learner):
    return learner.learn(corpus(60), LABELS, corpus(30, seed=1))


def test_it_learns_what_tells_classes_apart(classifier):
    test = corpus(40, seed=2)
    probabilities = classifier(test.texts)
    right = [LABELS[number] == label for number, label in zip(probabilities.argmax(1), test.labels, strict=True)]
    assert np.mean(right) > 0.9
    np.testing.assert_allclose(probabilities.sum(1), 1)


def test_transformers_loads_what_was_saved_and_gives_the_same(classifier, tmp_path):
    save_classifier(tmp_path / "c", classifier)
    texts = corpus(7, seed=3).texts
    again = load_classifier(tmp_path / "c")
    np.testing.assert_allclose(again(texts), classifier(texts), atol=1e-6)
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "c" / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "c" / "model")
    assert theirs.config.id2label == {0: "food", 1: "road"}
    with torch.inference_mode():
        alone = [theirs(**tokenizer(text, return_tensors="pt")).logits[0] / classifier.temperature for text in texts]
    np.testing.assert_allclose(torch.stack(alone).softmax(-1).numpy(), classifier(texts), atol=1e-5)


def test_order_and_company_of_texts_change_nothing(classifier):
    texts = corpus(12, seed=4).texts
    together = text_logits(classifier.network, classifier.tokenizer, texts, max_tokens=64)
    alone = [text_logits(classifier.network, classifier.tokenizer, [text], max_tokens=64)[0] for text in texts]
    np.testing.assert_allclose(together, np.array(alone), atol=1e-5)
    assert len({len(text.split()) for text in texts}) > 2


def test_the_same_seed_learns_the_same_and_leaves_other_draws_alone(folder):
    learner = TextEncoder(folder, lr=1e-3, epochs=1, device="cpu")
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, two = (learner.learn(corpus(20), LABELS)(["wali na gari"]) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_best_epoch_on_dev_is_kept(folder, caplog):
    caplog.set_level(logging.INFO)
    dev = corpus(30, seed=1)
    learned = TextEncoder(folder, lr=5e-3, epochs=3, batch_size=8, device="cpu").learn(corpus(40), LABELS, dev)
    reported = [float(record.args[2]) for record in caplog.records if "macro-F1 on dev" in record.msg]
    from sklearn.metrics import f1_score

    answers = [LABELS[number] for number in learned(dev.texts).argmax(1)]
    assert len(reported) == 3
    assert f1_score(dev.labels, answers, average="macro") == pytest.approx(max(reported))
    assert learned.temperature != 1


def test_the_rate_rises_and_falls_in_lines():
    factor = warm_then_falling(100, 0.1)
    assert [factor(step) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert factor(55) == pytest.approx(0.5)
    assert 0 < factor(99) < 0.02


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: transformers cannot load it from there .*copy the model's files"):
        TextEncoder(str(tmp_path / "nowhere")).learn(corpus(4), LABELS)
    with pytest.raises(InputError, match="transformers cannot load it"):
        load_encoder(str(tmp_path), LABELS)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"lr": 0.0}, "lr must be positive, got 0"),
        ({"warmup": 1.0}, "warmup must be from 0 up to 1, got 1"),
    ],
)
def test_settings_are_checked(settings, match):
    with pytest.raises(InputError, match=match):
        TextEncoder("m", **settings)
