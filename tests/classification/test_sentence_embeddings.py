"""Sentence embeddings with a linear head, with tiny random weights."""

import sys

import numpy as np
import pytest

from speechxl.classification import sentences
from speechxl.classification.classifier import Examples, load_classifier, save_classifier
from speechxl.classification.pairs import draw_pairs
from speechxl.classification.sentences import SentenceEmbeddings
from speechxl.errors import InputError
from tests.classification.tiny_texts import TOPICS, encoder_folder

LABELS = ["food", "road"]


def corpus(count, seed=0):
    rng = np.random.default_rng(seed)
    labels = [str(label) for label in rng.choice(LABELS, count)]
    return Examples([f"{rng.choice(TOPICS[label])} {rng.choice(['na', 'ni', 'leo'])}" for label in labels], labels)


def test_without_its_extra_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    monkeypatch.setattr(sentences, "_package", sentences._package.__wrapped__)
    with pytest.raises(InputError, match=r"need sentence-transformers: pip install 'speechxl\[sentences\]'"):
        SentenceEmbeddings("m").learn(corpus(4), LABELS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    package = pytest.importorskip("sentence_transformers")
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    path = tmp_path_factory.mktemp("sentences")
    body = Transformer(str(encoder_folder(path / "body")))
    modules = [body, Pooling(body.get_embedding_dimension(), "mean"), Normalize()]
    package.SentenceTransformer(modules=modules, device="cpu").save(str(path / "model"), create_model_card=False)
    return str(path / "model")


def test_embeddings_are_found_again_by_their_folder_and_give_the_same(folder, tmp_path):
    from sklearn.linear_model import LogisticRegression

    train, test = corpus(40), corpus(20, seed=1)
    learned = SentenceEmbeddings(folder, device="cpu").learn(train, LABELS, corpus(20, seed=2))
    assert np.mean(np.array(LABELS)[learned(test.texts).argmax(1)] == np.array(test.labels)) > 0.9
    save_classifier(tmp_path / "c", learned)
    again = load_classifier(tmp_path / "c")
    np.testing.assert_allclose(again(test.texts), learned(test.texts), atol=1e-6)
    assert {path.name for path in (tmp_path / "c").iterdir()} == {"classifier.json", "head.npz"}
    import sentence_transformers

    body = sentence_transformers.SentenceTransformer(folder, device="cpu")
    model = LogisticRegression(C=10, class_weight="balanced").fit(body.encode(train.texts), train.labels)
    theirs = model.decision_function(body.encode(test.texts)) / learned.temperature
    np.testing.assert_allclose(learned(test.texts)[:, 1], 1 / (1 + np.exp(-theirs)), atol=1e-3)


def test_a_model_that_has_changed_is_refused(folder, tmp_path):
    import shutil

    shutil.copytree(folder, tmp_path / "model")
    learned = SentenceEmbeddings(str(tmp_path / "model"), device="cpu").learn(corpus(10), LABELS)
    save_classifier(tmp_path / "c", learned)
    (tmp_path / "model" / "more.json").write_text("{}")
    with pytest.raises(InputError, match="model is not the one that the classifier was trained on; train it again"):
        load_classifier(tmp_path / "c")


def test_tuned_embeddings_draw_classes_together_and_are_saved_along(folder, tmp_path):
    train, test = corpus(12), corpus(20, seed=1)
    frozen = SentenceEmbeddings(folder, device="cpu").learn(train, LABELS)
    tuned = SentenceEmbeddings(folder, device="cpu", pairs=10, lr=3e-3).learn(train, LABELS)

    def separation(network):
        found = network.encode(test.texts)
        same = np.equal.outer(test.labels, test.labels)
        return (found @ found.T)[same].mean() - (found @ found.T)[~same].mean()

    assert separation(tuned.network) > separation(frozen.network) + 0.3
    save_classifier(tmp_path / "c", tuned)
    np.testing.assert_allclose(load_classifier(tmp_path / "c")(test.texts), tuned(test.texts), atol=1e-5)


def test_pairs_are_of_one_class_or_of_two_and_never_of_one_example():
    classes = np.array([0, 0, 0, 1, 1, 2])
    places, same = draw_pairs(classes, 4, 0)
    assert (places[:, 0] != places[:, 1]).all()
    np.testing.assert_array_equal(same, classes[places[:, 0]] == classes[places[:, 1]])
    assert (same.sum(), (~same).sum()) == (5 * 4, 6 * 4)  # the only one of its class has no partner


def test_settings_are_checked_and_folders_named(tmp_path):
    pytest.importorskip("sentence_transformers")
    with pytest.raises(InputError, match="c and lr must be positive, got 0"):
        SentenceEmbeddings("m", c=0)
    with pytest.raises(InputError, match="pairs must be at least 0"):
        SentenceEmbeddings("m", pairs=-1)
    with pytest.raises(InputError, match="nowhere/at/all: transformers cannot load it"):
        SentenceEmbeddings(str(tmp_path / "nowhere/at/all")).learn(corpus(4), LABELS)
