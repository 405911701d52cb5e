"""What classifies texts: a way to learn, and what was learned. No torch."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from speechxl.classification.choices import find_class, name_of
from speechxl.errors import InputError
from speechxl.files import write_text

RECORD = "classifier.json"
"""Which class wrote a folder, its labels and settings."""


@dataclass(frozen=True)
class Examples:
    """Texts with labels.

    Attributes:
        texts: N.
        labels: N.
        groups: N names of the utterances that they are of: gold text and transcript of an utterance stay together when some
            are held out. Empty where each text is of its own.
    """

    texts: list[str]
    labels: list[str]
    groups: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def owners(self) -> list[str]:
        """N names of utterances."""
        return self.groups or [str(place) for place in range(len(self))]


class TextClassifier(ABC):
    """What was learned.

    Attributes:
        labels: C names of classes.
    """

    labels: list[str]
    files: ClassVar[Sequence[str]] = ()
    """What a folder needs to hold beside `RECORD`."""

    @abstractmethod
    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) probabilities of N texts."""

    @abstractmethod
    def write(self, folder: Path) -> dict[str, Any]:
        """Writes files, none of them a pickle.

        Args:
            folder: To write to; it exists.

        Returns:
            What else is needed to read it again, as JSON.
        """

    @classmethod
    @abstractmethod
    def read(cls, folder: Path, labels: list[str], document: dict[str, Any]) -> "TextClassifier":
        """What `write` has written.

        Args:
            folder: With its files.
            labels: Names of classes.
            document: What it returned.
        """


class TextLearner(ABC):
    """A way to learn to classify texts, with its settings; a dataclass of plain values, chosen by ``class_path``."""

    @abstractmethod
    def learn(
        self, train: Examples, labels: list[str], dev: Examples | None = None, units: str = "char"
    ) -> TextClassifier:
        """Learns from examples.

        Args:
            train: To learn from.
            labels: C names of classes; each occurs in ``train``, and there are no others in ``dev``.
            dev: To choose by, and to fit the temperature on; None to hold out some of ``train``, or to do without.
            units: ``"char"``, or ``"phoneme"`` for phones between spaces.

        Raises:
            InputError: If nothing can be learned, or something is not installed.
        """


def save_classifier(folder: Path, classifier: TextClassifier) -> None:
    """Writes a classifier; `RECORD` is the last file, so that a folder that has it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).unlink(missing_ok=True)
    settings = classifier.write(folder)
    document = {"schema": 1, "class": name_of(type(classifier)), "labels": classifier.labels, "settings": settings}
    write_text(folder / RECORD, json.dumps(document, ensure_ascii=False, indent=1) + "\n")


def load_classifier(folder: Path) -> TextClassifier:
    """Reads what `save_classifier` wrote.

    Raises:
        InputError: If it is not such a folder, is damaged, or is of another version.
    """
    path = folder / RECORD
    document = read_object(path, "a classifier of texts that speechxl has saved")
    try:
        if document["schema"] != 1:
            raise InputError(f"{path}: schema {document['schema']} is not known here; update speechxl.")
        name, labels, settings = document["class"], [*map(str, document["labels"])], dict(document["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is damaged ({error}); train the classifier again.") from None
    kind = find_class(name, TextClassifier, str(path))  # type: ignore[type-abstract]
    for file in kind.files:
        if not (folder / file).exists():
            raise InputError(f"{folder / file}: is missing; train the classifier again.")
    try:
        return kind.read(folder, labels, settings)
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: is damaged ({error}); train the classifier again.") from None


def read_object(path: Path, what: str) -> dict[str, Any]:
    """A JSON object in a file.

    Args:
        path: The file.
        what: Its folder should be, for messages.

    Raises:
        InputError: If there is none, or it holds something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path.parent}: no {path.name} there; it is not {what}.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not JSON ({error}).") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: a JSON object was expected.")
    return document
