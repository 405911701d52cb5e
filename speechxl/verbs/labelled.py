"""Transcribed corpora for fine-tuning: targets, vocabulary, and a report of what cannot be used."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechxl.config import Data
from speechxl.data.manifest import Fault
from speechxl.errors import InputError
from speechxl.models.frames import FrameGeometry, frames_needed
from speechxl.shapes import SAMPLE_RATE, Utterance
from speechxl.symbols import Occurrences, describe
from speechxl.text import UnknownLanguage, UnknownSymbol, Vocabularies, Vocabulary
from speechxl.verbs.corpora import Corpora, dev_rows, target, with_target
from speechxl.verbs.training import hold_out, hours_by_language, seconds, usable, within, without
from speechxl.verbs.vocabularies import training_vocabulary, unseen_symbols

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Labelled:
    """Utterances with targets."""

    train: list[Utterance]
    dev: list[Utterance]
    vocabulary: Vocabulary | Vocabularies
    column: str
    infeasible: list[Utterance]
    """Training utterances that were left out, as their text needs more frames than the audio has."""
    faults: list[Fault]
    """Rows that were left out, as their audio cannot be used."""
    unseen: dict[str, Occurrences]
    """Symbols of dev texts that the vocabulary lacks, the most frequent first."""

    @property
    def languages(self) -> list[str]:
        """Of train and dev."""
        return sorted({utterance.language for utterance in [*self.train, *self.dev]})

    @property
    def document(self) -> dict[str, Any]:
        """What there is, for a report."""
        return {
            "languages": {
                name or "(unknown)": round(hours, 4) for name, hours in hours_by_language(self.train).items()
            },
            "utterances": len(self.train),
            "hours": seconds(self.train) / 3600,
            "dev_utterances": len(self.dev),
            "symbols": len(self.vocabulary),
            "vocabulary": self.vocabulary.written,
            "unseen_in_train": [describe(symbol, found) for symbol, found in self.unseen.items()],
            "dropped": {"too_short_for_text": len(self.infeasible), "unusable_audio": len(self.faults)},
        }

    def encode(self, utterance: Utterance) -> tuple[str, list[int]]:
        """Reference text and the outputs that stand for it; symbols of dev texts that training never saw are left out of them."""
        text, vocabulary = target(utterance, self.column), self.vocabulary.of(utterance.language)
        try:
            numbers = vocabulary.encode(text)
        except UnknownSymbol as error:
            numbers = vocabulary.encode(text, without=error.symbols)
        outputs = self.vocabulary.outputs(utterance.language)
        return text, [outputs[number] for number in numbers]


def symbols_of(document: dict[str, Any]) -> str:
    """What is learnt, in words.

    Args:
        document: With the vocabulary and the attributes.
    """
    own = document["vocabulary"]
    each = f" ({', '.join(f'{name} {len(own[name])}' for name in own)})" if isinstance(own, dict) else ""
    told = f", {len(document['attributes'])} attributes" if document["attributes"] else ""
    return f"{document['symbols']} symbols{each}{told}"


def read(
    train: Sequence[Path],
    dev: Sequence[Path] | None,
    split: str | None,
    units: str,
    column: str,
    vocabulary: Path | None,
    data: Data,
    seed: int,
    *,
    separate: bool = False,
    language: str | None = None,
) -> Labelled:
    """Reads corpora, builds the vocabulary from the training text and drops what CTC cannot learn from.

    Args:
        train: Manifests or folders.
        dev: The same; None for the dev rows of ``train``.
        split: Of the rows of ``train``.
        units: ``"char"`` or ``"phoneme"``.
        column: Of the targets.
        vocabulary: File with one; None for the symbols of the training text.
        data: Which utterances are used.
        seed: For what is held out.
        separate: Whether each language has its own vocabulary.
        language: Whose vocabulary is taken from a file that has one for each.

    Raises:
        InputError: If no usable utterance is left, or a training text holds a symbol that a given vocabulary lacks.
    """
    corpora = Corpora.read(train)
    rows, faults = usable(with_target(corpora.choose(split, "train"), column, corpora))
    rows = within(rows, data.min_seconds or 0, data.max_seconds)
    held, more = usable(dev_rows(corpora, dev, split, column))
    if not held:
        rows, held = hold_out(rows, seed)
        log.info("no dev rows: %d utterances, a tenth of the training rows, are held out", len(held))
    elif not (held := without(held, rows)):
        raise InputError("Every dev row is a training row as well; name other recordings with --dev.")
    symbols = training_vocabulary(rows, units, column, vocabulary, separate=separate, language=language)
    kept: list[Utterance] = []
    infeasible: list[Utterance] = []
    geometry = FrameGeometry()
    for row in rows:
        try:
            needed = frames_needed(symbols.of(row.language).encode(target(row, column)))
        except UnknownSymbol as error:
            raise InputError(f"{row}: {error} Add them to --vocabulary {vocabulary}, or change the text.") from None
        except UnknownLanguage as error:
            raise InputError(f"{row}: {error}; see --vocabulary {vocabulary}.") from None
        fits = geometry.num_frames(round(row.seconds * SAMPLE_RATE)) >= needed
        (kept if fits else infeasible).append(row)
    if infeasible:
        log.warning(
            "%d utterances left out: their text needs more frames (20 ms) than the audio has, for example %s",
            len(infeasible), infeasible[0],
        )  # fmt: skip
    if not kept:
        raise InputError("No training utterance is left: every text is too long for its audio.")
    return Labelled(kept, held, symbols, column, infeasible, [*faults, *more], unseen_symbols(held, column, symbols))
