"""TF-IDF of n-grams and logistic regression against scikit-learn."""

import json
import sys

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from speechxl.classification.classifier import RECORD, Examples, load_classifier, save_classifier
from speechxl.classification.ngrams import NGrams, ngrams
from speechxl.errors import InputError
from speechxl.evaluation.calibration import calibration_error, softmax

TOPICS = {
    "food": ["wali", "nyama", "samaki", "chai", "maziwa", "mkate", "chumvi", "sukari"],
    "road": ["gari", "barabara", "baiskeli", "treni", "meli", "ndege", "daraja"],
    "body": ["kichwa", "mkono", "mguu", "jicho", "sikio", "moyo"],
}
FILLER = ["ni", "na", "ya", "kwa", "sana", "leo", "kesho", "hapa", "pale", "mimi", "wewe"]


def corpus(count, seed=0, topics=("food", "road", "body"), doubt=0.0):
    """Texts with one word of their topic, or of any topic in a share of them."""
    rng = np.random.default_rng(seed)
    shares = np.arange(1, len(topics) + 1)
    labels = [str(label) for label in rng.choice(topics, count, p=shares / shares.sum())]
    said = [str(rng.choice(topics)) if rng.random() < doubt else label for label in labels]
    texts = [" ".join(rng.permutation([*rng.choice(TOPICS[topic], 1), *rng.choice(FILLER, 5)])) for topic in said]
    return Examples(texts, labels)


def theirs(train, **settings):
    analyzer = {"analyzer": "char_wb", "ngram_range": (2, 5), "sublinear_tf": True} | settings
    model = make_pipeline(TfidfVectorizer(**analyzer), LogisticRegression(C=10, class_weight="balanced", max_iter=1000))
    return model.fit(train.texts, train.labels)


@pytest.mark.parametrize(
    "text", ["a", "ab", "abcdef", "a bc def ghij", "  two   spaces ", "", "शून्य एक", "x" * 9]
)  # fmt: skip
def test_pieces_are_those_of_scikit_learn(text):
    for shortest, longest in ((2, 5), (1, 3), (3, 3)):
        analyze = TfidfVectorizer(analyzer="char_wb", ngram_range=(shortest, longest)).build_analyzer()
        assert sorted(ngrams(text, shortest, longest, "char")) == sorted(analyze(text))


@pytest.mark.parametrize("topics", [("food", "road", "body"), ("food", "road")])
def test_probabilities_are_those_of_scikit_learn_also_after_reload(tmp_path, topics):
    train, test = corpus(60, topics=topics), corpus(20, seed=1, topics=topics)
    labels = sorted(topics)
    texts = [*test.texts, "", "zzzz qqqq", "wali wali wali"]
    reference = theirs(train)
    assert list(reference.classes_) == labels
    learned = NGrams().learn(train, labels, corpus(30, seed=2, topics=topics))
    assert learned.temperature != 1
    expected = softmax(np.log(reference.predict_proba(texts)), learned.temperature)
    np.testing.assert_allclose(learned(texts), expected, atol=1e-6)
    truth = [labels.index(label) for label in test.labels]
    assert (learned(texts)[: len(test)].argmax(1) == truth).mean() > 0.8
    save_classifier(tmp_path / "c", learned)
    again = load_classifier(tmp_path / "c")
    assert again.labels == labels
    np.testing.assert_array_equal(again(texts), learned(texts))


def test_what_is_saved_is_no_pickle_and_needs_no_scikit_learn(tmp_path):
    import subprocess

    save_classifier(tmp_path / "c", NGrams().learn(corpus(40), ["body", "food", "road"]))
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["classifier.json", "ngrams.json", "weights.npz"]
    with np.load(tmp_path / "c" / "weights.npz", allow_pickle=False) as stored:
        assert {stored[name].dtype.kind for name in stored.files} == {"f"}
    code = (
        "import sys; sys.modules['sklearn'] = None; from pathlib import Path; "
        "from speechxl.classification.classifier import load_classifier; "
        f"print(load_classifier(Path({str(tmp_path / 'c')!r}))(['wali']).argmax(), 'torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["1", "False"]


def test_phones_are_cut_between_phones_whatever_their_letters():
    assert list(ngrams("t͡ʃ a", 1, 3, "phoneme")) == ["", "t͡ʃ", "a", "", " t͡ʃ", "t͡ʃ a", "a ", " t͡ʃ a", "t͡ʃ a "]
    single = [" ".join(word) for word in ("kata", "tika", "sana", "nasa") * 4]
    labels = ["x", "x", "y", "y"] * 4
    learned = NGrams().learn(Examples(single, labels), ["x", "y"], units="phoneme")
    doubled = [" ".join(f"{phone}͡s" for phone in text.split()) for text in single]
    other = NGrams().learn(Examples(doubled, labels), ["x", "y"], units="phoneme")
    np.testing.assert_allclose(learned(single), other(doubled), atol=1e-6)  # a phone counts once, however it is written
    assert "t͡s a͡s" in other.pieces
    assert "t͡s a͡s" not in NGrams().learn(Examples(doubled, labels), ["x", "y"]).pieces


def test_the_temperature_of_dev_texts_mends_calibration():
    train, dev, test = corpus(150), corpus(100, seed=1), corpus(200, seed=2)
    labels = ["body", "food", "road"]
    truth = np.array([labels.index(label) for label in test.labels])
    learned = NGrams().learn(train, labels, dev)
    raw = softmax(learned.logits(test.texts))
    assert learned.temperature < 0.8  # balanced logistic regression is not sure enough
    assert calibration_error(learned(test.texts), truth) < calibration_error(raw, truth)


def test_without_dev_texts_the_temperature_is_cross_validated():
    train = corpus(200, doubt=0.3)
    held = NGrams().learn(train, ["body", "food", "road"], corpus(400, seed=1, doubt=0.3)).temperature
    own = NGrams().learn(train, ["body", "food", "road"]).temperature
    assert own == pytest.approx(held, rel=0.25)
    assert abs(own - 1) > 0.2


def test_texts_of_an_utterance_are_held_out_together():
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcdefghij"), 12)) for _ in range(30)]  # nothing to learn but by heart
    labels = [str(label) for label in rng.choice(["x", "y"], 30)]
    names = [str(n) for n in range(30)]
    together = NGrams().learn(Examples(texts * 2, labels * 2, names * 2), ["x", "y"]).temperature
    apart = NGrams().learn(Examples(texts * 2, labels * 2), ["x", "y"]).temperature
    assert together > 1 > apart
    assert together > 2 * apart


def test_one_example_of_a_class_leaves_the_temperature(caplog):
    learned = NGrams().learn(Examples(["wali", "gari", "meli"], ["food", "road", "road"]), ["food", "road"])
    assert learned.temperature == 1
    assert "one example only and there are no dev rows" in caplog.text


def test_texts_that_cannot_be_learned_from_are_refused():
    with pytest.raises(InputError, match="All 2 training texts are empty"):
        NGrams().learn(Examples(["", " "], ["x", "y"]), ["x", "y"])
    with pytest.raises(InputError, match="have 2 of 3 classes"):
        NGrams().learn(Examples(["ab", "cd"] * 3, ["x", "y"] * 3), ["x", "y", "z"])


def test_settings_are_checked():
    with pytest.raises(InputError, match="n-grams of 3 to 2 units"):
        NGrams(shortest=3, longest=2)
    with pytest.raises(InputError, match="c must be positive, got 0"):
        NGrams(c=0)


class TestDamage:
    @pytest.fixture
    def folder(self, tmp_path):
        save_classifier(tmp_path, NGrams().learn(corpus(30), ["body", "food", "road"]))
        return tmp_path

    def test_another_folder_is_named(self, tmp_path):
        with pytest.raises(InputError, match=r"no classifier.json there; it is not a classifier of texts"):
            load_classifier(tmp_path / "none")

    def test_missing_files_are_named(self, folder):
        (folder / "ngrams.json").unlink()
        with pytest.raises(InputError, match=r"ngrams.json: is missing; train the classifier again"):
            load_classifier(folder)

    def test_damaged_files_are_named(self, folder):
        (folder / "weights.npz").write_bytes(b"PK rubbish")
        with pytest.raises(InputError, match=r"weights.npz is damaged"):
            load_classifier(folder)

    def test_files_that_do_not_fit_are_named(self, folder):
        (folder / "ngrams.json").write_text('["a"]')
        with pytest.raises(InputError, match=r"labels and n-grams say \(\(3, 1\)"):
            load_classifier(folder)

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"schema": 2}, "schema 2 is not known here; update speechxl"),
            (
                {"class": "speechxl.classification.ngrams.None_"},
                "there is no class 'speechxl.classification.ngrams.None_'",
            ),
            ({"class": "speechxl.classification.ngrams.NGrams"}, "NGrams is not a TextClassifier"),
            ({"settings": {"odd": 1}}, "is damaged"),
            ({"labels": None}, "is damaged"),
        ],
    )
    def test_damaged_records_are_named(self, folder, change, match):
        document = json.loads((folder / RECORD).read_text()) | change
        (folder / RECORD).write_text(json.dumps(document))
        with pytest.raises(InputError, match=match):
            load_classifier(folder)

    def test_what_is_not_json_is_named(self, folder):
        (folder / RECORD).write_text("{")
        with pytest.raises(InputError, match=r"classifier.json: is not JSON"):
            load_classifier(folder)
        (folder / RECORD).write_text("[]")
        with pytest.raises(InputError, match="a JSON object was expected"):
            load_classifier(folder)
