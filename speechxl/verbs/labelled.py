"""Transcribed corpora for fine-tuning: targets, vocabulary, and a report of what cannot be used."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from speechxl.config import Augment, Data
from speechxl.data.datamodule import draw_key
from speechxl.data.manifest import Fault
from speechxl.data.perturb import Perturb
from speechxl.data.sources import find_audio
from speechxl.errors import InputError
from speechxl.models.frames import FrameGeometry
from speechxl.objectives.ctc import frames_needed
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


def summary(document: dict[str, Any]) -> str:
    """One line on a labelled corpus and the run on it."""
    own = document["vocabulary"]
    each = f" ({', '.join(f'{name} {len(own[name])}' for name in own)})" if isinstance(own, dict) else ""
    return (
        "{utterances} utterances, {hours:.2f} h, {dev_utterances} for dev, {symbols} symbols{each}, {parameters:,} parameters, "
        "{trained_parameters:,} of them trained, {max_steps} steps, about {epochs:.1f} epochs, "
        "about {memory_gib:.1f} GiB of memory".format(**document, each=each)
    )


def only(corpus: Labelled, count: int, seed: int) -> Labelled:
    """The same few utterances to train and to evaluate on."""
    if count < 1:
        raise InputError(f"--overfit must be at least 1, got {count}.")
    few = sorted(corpus.train, key=lambda row: draw_key(seed, 0, row.id))[:count]
    return replace(corpus, train=few, dev=few)


def perturb(augment: Augment) -> Perturb | None:
    """Changes of the waveforms; None where none are asked for.

    Raises:
        NothingMatched: If the folder of noise holds no recordings.
    """
    if not augment.speed_prob and not augment.noise_prob:
        return None
    noises = [] if augment.noise is None else [row.path for row in find_audio([str(augment.noise)])]
    return Perturb(speed_prob=augment.speed_prob, noise_prob=augment.noise_prob, snr=augment.snr, noises=noises)


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
