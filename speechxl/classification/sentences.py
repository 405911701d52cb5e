"""Sentence embeddings and a linear head, for few clean examples in a language that the model knows. No torch at import."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from speechxl.classification.classifier import Examples, TextClassifier, TextLearner
from speechxl.classification.hashes import missing_model, model_hash
from speechxl.errors import InputError
from speechxl.evaluation.calibration import fit_temperature, softmax
from speechxl.evaluation.predictions import numbers_of
from speechxl.files import replace_file

log = logging.getLogger(__name__)
_BODY = "embeddings"


@dataclass(frozen=True, eq=False)
class SentenceClassifier(TextClassifier):
    """Logistic regression on embeddings.

    Attributes:
        labels: C names of classes.
        model: Where the embeddings are from.
        hash: Of that model; empty where the embeddings were tuned and are saved along.
        network: The model of `sentence-transformers`.
        weights: (C, D).
        intercepts: (C,).
        temperature: Logits are divided by it.
        prompt: Before every text, as some models want it.
    """

    labels: list[str]
    model: str
    hash: str
    network: Any
    weights: np.ndarray
    intercepts: np.ndarray
    temperature: float
    prompt: str
    files: ClassVar[Sequence[str]] = ("head.npz",)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) probabilities of N texts."""
        return softmax(self.logits(texts), self.temperature)

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) before the temperature."""
        return np.asarray(embeddings(self.network, texts, self.prompt) @ self.weights.T + self.intercepts)

    def write(self, folder: Path) -> dict[str, Any]:
        """See `TextClassifier`; embeddings that were not tuned are found again by the name of their model."""
        replace_file(folder / "head.npz", self._write_head)
        if not self.hash:
            self.network.save(str(folder / _BODY), create_model_card=False)
        return {name: getattr(self, name) for name in ("model", "hash", "temperature", "prompt")}

    def _write_head(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, weights=self.weights, intercepts=self.intercepts)

    @classmethod
    def read(cls, folder: Path, labels: list[str], document: dict[str, Any]) -> "SentenceClassifier":
        """See `TextClassifier`."""
        try:
            with np.load(folder / "head.npz", allow_pickle=False) as stored:
                head = {name: stored[name] for name in ("weights", "intercepts")}
        except (ValueError, OSError, KeyError) as error:
            raise InputError(f"{folder / 'head.npz'}: is damaged ({error}); train the classifier again.") from None
        if document["hash"]:
            check_model(document["model"], document["hash"], folder)
        network = load_sentence_model(document["model"] if document["hash"] else str(folder / _BODY))
        return cls(labels, network=network, **head, **document)


@dataclass(frozen=True)
class SentenceEmbeddings(TextLearner):
    """Embeddings of `sentence-transformers` (extra sentences) and balanced logistic regression, with a fitted temperature.

    With ``pairs``, the embeddings are first tuned on pairs of examples of the same and of other classes, as in SetFit
    (Tunstall et al. 2022).
    """

    model: str
    """Folder of sentence-transformers, or a name on the hub, such as sentence-transformers/LaBSE."""
    prompt: str = ""
    """Before every text, as some models want it, such as "query: "."""
    c: float = 10.0
    """Inverse strength of the L2 penalty of the head."""
    pairs: int = 0
    """Pairs of each kind for an example that the embeddings are tuned on (SetFit: 20); 0 leaves them as they are."""
    lr: float = 2e-5
    """Of the tuning."""
    batch_size: int = 16
    """Pairs of a step."""
    class_weight: Literal["balanced", "none"] = "balanced"
    """Whether all classes count alike, however many examples each has."""
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        if self.c <= 0 or self.lr <= 0:
            raise InputError(f"c and lr must be positive, got {self.c} and {self.lr}.")
        if self.pairs < 0 or self.batch_size < 1:
            raise InputError(
                f"pairs must be at least 0 and batch_size at least 1, got {self.pairs} and {self.batch_size}."
            )

    def learn(
        self, train: Examples, labels: list[str], dev: Examples | None = None, units: str = "char"
    ) -> SentenceClassifier:
        """See `TextLearner`; without dev texts the temperature is 1."""
        del units
        network = load_sentence_model(self.model, self.device)
        truth = numbers_of(train.labels, labels)
        if self.pairs:
            from speechxl.classification.pairs import tune

            tune(
                network, [self.prompt + text for text in train.texts], truth, pairs=self.pairs, lr=self.lr,
                batch_size=self.batch_size, seed=self.seed,
            )  # fmt: skip
        weights, intercepts = self._head(embeddings(network, train.texts, self.prompt), truth, len(labels))
        own = "" if self.pairs else model_hash(self.model)
        classifier = SentenceClassifier(labels, self.model, own, network, weights, intercepts, 1.0, self.prompt)
        if dev is None or not len(dev):
            return classifier
        temperature = fit_temperature(classifier.logits(dev.texts), numbers_of(dev.labels, labels))
        return replace(classifier, temperature=temperature)

    def _head(self, features: np.ndarray, truth: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
        """(C, D) and (C,)."""
        from sklearn.linear_model import LogisticRegression

        from speechxl.classification.ngrams import every_class

        balanced: Any = "balanced" if self.class_weight == "balanced" else None
        model = LogisticRegression(C=self.c, class_weight=balanced, max_iter=1000).fit(features, truth)
        return every_class(model.coef_, model.intercept_, model.classes_, classes)


def embeddings(network: Any, texts: Sequence[str], prompt: str = "") -> np.ndarray:
    """(N, D) embeddings of N texts.

    Args:
        network: Of `sentence-transformers`.
        texts: N texts.
        prompt: Before every text.
    """
    found = network.encode([prompt + text for text in texts], convert_to_numpy=True, show_progress_bar=False)
    return np.asarray(found, dtype=float)


def check_model(model: str, known: str, folder: Path) -> None:
    """Refuses a model that has changed since a classifier was trained on it.

    Raises:
        InputError: If it has, or is not there any more.
    """
    if model_hash(model) != known:
        raise InputError(
            f"{folder}: the model {model} is not the one that the classifier was trained on; train it again."
        )


@lru_cache(maxsize=1)
def _package() -> Any:
    try:
        import sentence_transformers
    except ImportError:
        raise InputError("Sentence embeddings need sentence-transformers: pip install 'speechxl[sentences]'.") from None
    return sentence_transformers


def load_sentence_model(source: str, device: str = "auto") -> Any:
    """A model of `sentence-transformers`.

    Args:
        source: Folder, or a name on the hub.
        device: Where to compute.

    Raises:
        InputError: If the package or the model is not there.
    """
    package = _package()
    from speechxl.models.device import choose_device

    try:
        return package.SentenceTransformer(source, device=choose_device(device))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(missing_model(source, error)) from None
