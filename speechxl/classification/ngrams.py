"""Character n-grams and logistic regression: the classifier of texts that needs no download. No torch.

scikit-learn is needed to learn, numpy and scipy to classify. What is saved is JSON and numbers.
"""

import json
import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from speechxl.classification.classifier import Examples, TextClassifier, TextLearner
from speechxl.errors import InputError
from speechxl.evaluation.calibration import fit_temperature, softmax
from speechxl.evaluation.predictions import numbers_of
from speechxl.files import replace_file, write_text

if TYPE_CHECKING:
    from scipy.sparse import csr_array

log = logging.getLogger(__name__)
_FOLDS = 5


def ngrams(text: str, shortest: int, longest: int, units: str) -> Iterator[str]:
    """Pieces of a text that are counted.

    Args:
        text: Its words are taken with a space before and after, and cut by themselves (``char_wb`` of scikit-learn); phones are
            cut as one word, whatever the letters of each.
        shortest: Units of a piece.
        longest: Likewise.
        units: ``"char"``, or ``"phoneme"`` for phones between spaces.
    """
    words: list[Sequence[str]] = (
        [f" {word} " for word in text.split()] if units == "char" else [["", *text.split(), ""]]
    )
    between = "" if units == "char" else " "
    for word in words:
        for length in range(shortest, longest + 1):
            for start in range(max(1, len(word) - length + 1)):
                yield between.join(word[start : start + length])
            if length >= len(word):
                break  # a short word is counted once


@dataclass(frozen=True, eq=False)
class NGramClassifier(TextClassifier):
    """Logistic regression on TF-IDF of n-grams.

    Attributes:
        labels: C names of classes.
        pieces: P n-grams.
        weights: (C, P) float32.
        intercepts: (C,).
        idf: (P,) float32, inverse document frequencies.
        temperature: Logits are divided by it.
        shortest: Units of an n-gram.
        longest: Likewise.
        units: ``"char"`` or ``"phoneme"``.
    """

    labels: list[str]
    pieces: list[str]
    weights: np.ndarray
    intercepts: np.ndarray
    idf: np.ndarray
    temperature: float
    shortest: int
    longest: int
    units: str
    files: ClassVar[Sequence[str]] = ("ngrams.json", "weights.npz")

    def __post_init__(self) -> None:
        places = {piece: place for place, piece in enumerate(self.pieces)}
        object.__setattr__(self, "_places", places)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) probabilities of N texts."""
        return softmax(self.logits(texts), self.temperature)

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) before the temperature."""
        return np.asarray(self.features(texts) @ self.weights.T.astype(float)) + self.intercepts

    def features(self, texts: Sequence[str]) -> "csr_array":
        """(N, P) TF-IDF with sublinear counts, rows of length 1; n-grams that training did not have are passed over."""
        from scipy.sparse import csr_array  # which takes half a second to import

        places: dict[str, int] = self._places  # type: ignore[attr-defined]
        rows: list[int] = []
        columns: list[int] = []
        values: list[int] = []
        for row, text in enumerate(texts):
            counts = Counter(piece for piece in self._cut(text) if piece in places)
            columns += [places[piece] for piece in counts]
            values += counts.values()
            rows += [row] * len(counts)
        numbers = np.array(columns, dtype=int)
        weighted = (1 + np.log(np.array(values, dtype=float))) * self.idf[numbers]  # (nonzero,)
        norms = np.sqrt(np.bincount(rows, weighted**2, minlength=len(texts))) if rows else np.ones(len(texts))
        weighted /= norms[np.array(rows, dtype=int)]
        return csr_array((weighted, (rows, numbers)), shape=(len(texts), len(self.pieces)))

    def _cut(self, text: str) -> Iterator[str]:
        return ngrams(text, self.shortest, self.longest, self.units)

    def write(self, folder: Path) -> dict[str, Any]:
        """See `TextClassifier`."""
        write_text(folder / "ngrams.json", json.dumps(self.pieces, ensure_ascii=False))
        arrays = {"weights": self.weights, "intercepts": self.intercepts, "idf": self.idf}
        replace_file(folder / "weights.npz", lambda part: _write_arrays(part, arrays))
        return {name: getattr(self, name) for name in ("temperature", "shortest", "longest", "units")}

    @classmethod
    def read(cls, folder: Path, labels: list[str], document: dict[str, Any]) -> "NGramClassifier":
        """See `TextClassifier`."""
        try:
            pieces = json.loads((folder / "ngrams.json").read_text(encoding="utf-8"))
            with np.load(folder / "weights.npz", allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in ("weights", "intercepts", "idf")}
        except (ValueError, OSError, KeyError) as error:
            raise InputError(
                f"{folder}: ngrams.json or weights.npz is damaged ({error}); train the classifier again."
            ) from None
        shapes = arrays["weights"].shape, arrays["intercepts"].shape, arrays["idf"].shape
        wanted = (len(labels), len(pieces)), (len(labels),), (len(pieces),)
        if shapes != wanted:
            raise InputError(
                f"{folder}: weights are {shapes}, labels and n-grams say {wanted}; train the classifier again."
            )
        return cls(labels, pieces, **arrays, **document)


@dataclass(frozen=True)
class NGrams(TextLearner):
    """TF-IDF of character n-grams inside words, sublinear, and balanced logistic regression, with a fitted temperature."""

    shortest: int = 2
    """Characters, or phones, of an n-gram."""
    longest: int = 5
    """Likewise."""
    c: float = 10.0
    """Inverse strength of the L2 penalty."""
    class_weight: Literal["balanced", "none"] = "balanced"
    """Whether all classes count alike, however many examples each has."""
    max_steps: int = 1000
    """Of L-BFGS."""

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise InputError(f"n-grams of {self.shortest} to {self.longest} units: shortest is from 1 to longest.")
        if self.c <= 0:
            raise InputError(f"c must be positive, got {self.c}.")

    def learn(
        self, train: Examples, labels: list[str], dev: Examples | None = None, units: str = "char"
    ) -> NGramClassifier:
        """See `TextLearner`; without dev texts, the temperature is fitted on training texts by cross-validation."""
        classifier = self._fit(train, labels, units)
        if dev is not None and len(dev):
            logits, references = classifier.logits(dev.texts), numbers_of(dev.labels, labels)
        else:
            logits, references = self._held_out(train, labels, units)
        return replace(classifier, temperature=fit_temperature(logits, references))

    def _fit(self, train: Examples, labels: list[str], units: str) -> NGramClassifier:
        feature_extraction, linear_model, _ = _sklearn()
        vectorizer = feature_extraction.TfidfVectorizer(
            analyzer=partial(_pieces, shortest=self.shortest, longest=self.longest, units=units), sublinear_tf=True
        )
        if not any(text.strip() for text in train.texts):
            raise InputError(
                f"All {len(train)} training texts are empty; there is nothing to learn a classifier of texts from."
            )
        features = vectorizer.fit_transform(train.texts)
        model = linear_model.LogisticRegression(
            C=self.c, class_weight="balanced" if self.class_weight == "balanced" else None, max_iter=self.max_steps
        )
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            model.fit(features, numbers_of(train.labels, labels))
        if any("converge" in str(one.message) for one in told):
            log.warning("logistic regression did not converge in %d steps; max_steps gives it more", self.max_steps)
        weights, intercepts = every_class(model.coef_, model.intercept_, model.classes_, len(labels))
        return NGramClassifier(
            labels, [str(piece) for piece in vectorizer.get_feature_names_out()], weights.astype(np.float32), intercepts,
            vectorizer.idf_.astype(np.float32), 1.0, self.shortest, self.longest, units,
        )  # fmt: skip

    def _held_out(self, train: Examples, labels: list[str], units: str) -> tuple[np.ndarray, np.ndarray]:
        """(N', C) logits of training texts by classifiers that were not trained on them, and (N',) their classes."""
        *_, model_selection = _sklearn()
        truth = numbers_of(train.labels, labels)
        owned = dict(zip(train.owners, train.labels, strict=True))
        folds = min(_FOLDS, *Counter(owned.values()).values())
        if folds < 2:
            log.warning("a class has one example only and there are no dev rows: the temperature stays 1")
            return np.empty((0, len(labels))), np.empty(0, dtype=int)
        splitter = model_selection.StratifiedGroupKFold(folds, shuffle=True, random_state=0)
        logits, references = [], []
        for rows, held in splitter.split(np.zeros(len(train)), truth, train.owners):
            if len(set(truth[rows])) < len(labels):
                continue
            some = Examples([train.texts[row] for row in rows], [train.labels[row] for row in rows])
            logits.append(self._fit(some, labels, units).logits([train.texts[row] for row in held]))
            references.append(truth[held])
        if not logits:
            return np.empty((0, len(labels))), np.empty(0, dtype=int)
        return np.concatenate(logits), np.concatenate(references)


def _pieces(text: str, *, shortest: int, longest: int, units: str) -> list[str]:
    return [*ngrams(text, shortest, longest, units)]


def every_class(
    weights: np.ndarray, intercepts: np.ndarray, found: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """(C, P) and (C,): two classes have one row, whose logit is that of the second."""
    if len(found) != classes:
        raise InputError(f"Training texts have {len(found)} of {classes} classes; each needs an example.")
    if classes == 2:
        return np.concatenate([np.zeros_like(weights), weights]), np.concatenate([[0.0], intercepts])
    return weights, intercepts


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _sklearn() -> tuple[Any, Any, Any]:
    """What is needed to learn; it takes a second to import."""
    from sklearn import linear_model, model_selection
    from sklearn.feature_extraction import text

    return text, linear_model, model_selection
