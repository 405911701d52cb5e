"""A cascade: texts of utterances in some form, classified. No torch."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from speechxl.classification.choices import describe, name_of, rebuild
from speechxl.classification.classifier import (
    Examples,
    TextClassifier,
    TextLearner,
    load_classifier,
    read_object,
    save_classifier,
)
from speechxl.classification.forms import Romanized, TextForm
from speechxl.classification.labels import Labelled
from speechxl.classification.romanizing import ACKNOWLEDGEMENT
from speechxl.classification.transcribers import Reference, Transcriber
from speechxl.errors import InputError
from speechxl.evaluation.predictions import Predictions
from speechxl.files import write_text
from speechxl.shapes import Utterance

log = logging.getLogger(__name__)
RECORD = "cascade.json"
TrainText: TypeAlias = Literal["gold", "asr", "both"]
"""What texts a classifier learns from: references, transcripts, or both of each utterance."""


@dataclass(frozen=True, eq=False)
class Cascade:
    """A transcriber, a form of text and a classifier that has learned."""

    transcriber: Transcriber
    form: TextForm
    classifier: TextClassifier
    kind: str
    """Of the labels, such as ``topic``."""

    @property
    def labels(self) -> list[str]:
        """Names of classes."""
        return self.classifier.labels

    def texts(self, rows: Sequence[Utterance]) -> list[str]:
        """What the classifier sees of utterances."""
        return formed(self.transcriber, self.form, rows)

    def predict(self, rows: Sequence[Utterance]) -> Predictions:
        """Probabilities of classes."""
        return classify(self.classifier, self.texts(rows), rows)

    def save(self, folder: Path) -> None:
        """Writes it; nothing is pickled. Models of the transcriber stay where they are, and are found by their names."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORD).unlink(missing_ok=True)
        chosen = {"transcriber": describe(self.transcriber), "form": describe(self.form)}
        save_classifier(folder / "classifier", self.classifier)
        document = {"schema": 1, "kind": self.kind, "labels": self.labels, **chosen}
        write_text(folder / "README.md", self._card(chosen))
        write_text(folder / RECORD, json.dumps(document, ensure_ascii=False, indent=1) + "\n")

    def _card(self, chosen: dict[str, Any]) -> str:
        """What the folder is, for people."""
        parts = [
            f"- {part}: `{own['class_path']}` {json.dumps(own['init_args'], ensure_ascii=False)}"
            for part, own in chosen.items()
        ]
        lines = [
            f"# Text classifier of speech: {self.kind}", "",
            f"Classes: {', '.join(self.labels)}.", "",
            *parts, f"- classifier: `{name_of(type(self.classifier))}`",
        ]  # fmt: skip
        if isinstance(self.form, Romanized):
            lines += ["", ACKNOWLEDGEMENT]
        return "\n".join(lines) + "\n"


def load_cascade(folder: Path, transcriber: Transcriber | None = None) -> Cascade:
    """Reads a cascade.

    Args:
        folder: What `Cascade.save` wrote.
        transcriber: Another one than it was saved with; None for that.

    Raises:
        InputError: If it is not such a folder, or is damaged.
    """
    path = folder / RECORD
    document: dict[str, Any] = read_object(path, "a cascade that speechxl has saved")
    lacking = sorted({"schema", "kind", "transcriber", "form"} - document.keys())
    if lacking or document["schema"] != 1:
        raise InputError(
            f"{path}: " + (f"lacks {', '.join(lacking)}" if lacking else f"schema {document['schema']} is not known here")
            + "; update speechxl, or train the cascade again."
        )  # fmt: skip
    form = rebuild(document["form"], TextForm, str(path))  # type: ignore[type-abstract]
    transcriber = transcriber or rebuild(document["transcriber"], Transcriber, str(path))  # type: ignore[type-abstract]
    return Cascade(transcriber, form, load_classifier(folder / "classifier"), document["kind"])


def learn_cascade(
    train: Labelled,
    dev: Labelled | None,
    labels: list[str],
    *,
    transcriber: Transcriber,
    form: TextForm,
    learner: TextLearner,
    train_text: TrainText = "both",
    gold: Transcriber = Reference(),
    choosing: Sequence[Utterance] | None = None,
) -> Cascade:
    """A cascade from labelled utterances.

    Args:
        train: To learn from.
        dev: To choose by and to calibrate on; None if there are none.
        labels: Names of classes, see `labels.class_names`.
        transcriber: Gives the texts that are classified later.
        form: Of all texts.
        learner: Of the classifier.
        train_text: Whether it learns from references, transcripts, or both.
        gold: Gives the references.
        choosing: Rows that a transcriber is chosen by, where several are named; by default those of dev.

    Raises:
        InputError: If there are no texts, or nothing can be learned from them.
    """
    held_rows = [] if dev is None else dev.rows
    transcriber = transcriber.settled(held_rows if choosing is None else choosing)
    spoken = formed(gold, form, train.rows) if train_text != "asr" else None
    heard = (
        formed(transcriber, form, train.rows) if train_text != "gold" and not (spoken and transcriber == gold) else None
    )
    held = None if dev is None else examples(None, formed(transcriber, form, dev.rows), dev)
    classifier = learner.learn(examples(spoken, heard, train), labels, held, form.units)
    return Cascade(transcriber, form, classifier, train.kind)


def examples(spoken: Sequence[str] | None, heard: Sequence[str] | None, labelled: Labelled) -> Examples:
    """Texts to learn from, those of an utterance with its name.

    Args:
        spoken: N references in the form that is classified; None to leave them out.
        heard: N transcripts; None to leave them out. One that is empty is left out where there is a reference.
        labelled: The N utterances.
    """
    texts: list[str] = []
    labels: list[str] = []
    names: list[str] = []
    for source, keeps_empty in ((spoken, True), (heard, spoken is None)):
        for text, label, row in zip(source or (), labelled.values, labelled.rows, strict=source is not None):
            if text or keeps_empty:
                texts.append(text)
                labels.append(label)
                names.append(row.id)
    return Examples(texts, labels, names)


def formed(transcriber: Transcriber, form: TextForm, rows: Sequence[Utterance]) -> list[str]:
    """Texts of utterances in a form."""
    texts = form(transcriber(rows), [row.language for row in rows])
    empty = sum(not text for text in texts)
    if empty:
        log.warning(
            "%d of %d texts are empty; nothing but how common a class is speaks for it there", empty, len(texts)
        )
    return texts


def classify(classifier: TextClassifier, texts: Sequence[str], rows: Sequence[Utterance]) -> Predictions:
    """Probabilities of classes of utterances whose texts are known."""
    return Predictions([row.id for row in rows], classifier.labels, classifier(texts))
