"""Where the texts of a cascade come from, without a model: references, files, references with errors. No torch."""

import json
import logging
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

from speechxl.classification.forms import native
from speechxl.classification.noise import with_errors
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

log = logging.getLogger(__name__)


class Transcriber(ABC):
    """Gives texts of utterances; a dataclass of plain settings, chosen by ``class_path``."""

    chooses: ClassVar[bool] = False
    """Whether `settled` gives another one."""

    @abstractmethod
    def __call__(self, rows: Sequence[Utterance]) -> list[str]:
        """Text of each utterance, in order; empty where nothing was recognised or the recording cannot be used.

        Args:
            rows: N utterances.

        Raises:
            InputError: If texts cannot be had.
        """

    def settled(self, dev: Sequence[Utterance]) -> "Transcriber":
        """What is used in the end, where that depends on dev rows.

        Args:
            dev: In all languages.
        """
        del dev
        return self


@dataclass(frozen=True)
class Reference(Transcriber):
    """What was said, as the manifest has it: the upper bound of a transcriber."""

    column: str = "text"
    """Of the manifest: text, phonemes, or any other."""

    def __call__(self, rows: Sequence[Utterance]) -> list[str]:
        """See `Transcriber`; a row without text is refused."""
        texts = [_column(row, self.column) for row in rows]
        empty = [row for row, text in zip(rows, texts, strict=True) if not text]
        if empty:
            raise InputError(
                f"{empty[0]}: column {self.column!r} is empty ({len(empty)} such rows of {len(rows)}); a classifier of "
                "reference texts needs all of them."
            )
        return texts


@dataclass(frozen=True)
class TranscriptColumn(Transcriber):
    """Transcripts that stand in the manifest, as some corpora have them."""

    column: str
    """Of the manifest, such as whisper."""

    def __call__(self, rows: Sequence[Utterance]) -> list[str]:
        """See `Transcriber`; where nothing was recognised, the column is empty, but not in all rows."""
        texts = [_column(row, self.column) for row in rows]
        if rows and not any(texts):
            raise InputError(f"{rows[0]}: column {self.column!r} is empty or absent in all {len(rows)} rows.")
        return texts


@dataclass(frozen=True)
class TranscriptFile(Transcriber):
    """Transcripts that were made before: ``transcripts.jsonl`` of speechxl transcribe --format jsonl, or its --json document."""

    path: Path
    """JSON lines with ``audio`` and ``text``."""
    missing: Literal["raise", "empty"] = "raise"
    """What happens where it has none for an utterance, such as one whose recording could not be used."""

    def __call__(self, rows: Sequence[Utterance]) -> list[str]:
        """See `Transcriber`; transcripts are found by the id of a row, or by its path with the place of a stretch."""
        known = _read_transcripts(
            Path(self.path), Path(self.path).stat().st_mtime_ns if Path(self.path).exists() else 0
        )
        texts = [next((known[name] for name in _names(row) if name in known), None) for row in rows]
        lost = [row for row, text in zip(rows, texts, strict=True) if text is None]
        if lost:
            said = f"{lost[0]}: {self.path} has no transcript of {lost[0].id!r} ({len(lost)} of {len(rows)} rows)"
            if self.missing == "raise":
                raise InputError(
                    f"{said}; transcribe the rest, or choose missing: empty to classify them without a text."
                )
            log.warning("%s; their texts are empty", said)
        return [text or "" for text in texts]


@dataclass(frozen=True)
class NoisyReference(Transcriber):
    """References with errors of a given rate: what a cascade would lose with a transcriber of that error rate."""

    rate: float
    """Character error rate that the utterances of one call have together, from 0."""
    kind: Literal["random", "systematic"] = "random"
    """Errors anywhere, or each character of a language with a rate and a wrong reading of its own."""
    column: str = "text"
    """Of the manifest; texts are first freed of case and punctuation, as a transcript is."""
    seed: int = 0

    def __call__(self, rows: Sequence[Utterance]) -> list[str]:
        """See `Transcriber`."""
        texts = [native(text) for text in Reference(self.column)(rows)]
        languages = [row.language for row in rows]
        return with_errors(texts, languages, [row.id for row in rows], rate=self.rate, kind=self.kind, seed=self.seed)


def _column(row: Utterance, column: str) -> str:
    return normalise(getattr(row, column) if column in ("text", "phonemes") else row.extra.get(column, ""))


def _names(row: Utterance) -> Iterable[str]:
    """What `transcribe` may have called an utterance."""
    place = "@" + f"{row.start:.3f}".rstrip("0").rstrip(".") if row.start else ""
    yield f"{row.path}{place}"
    yield row.id


@lru_cache(maxsize=8)
def _read_transcripts(path: Path, time: int) -> dict[str, str]:
    """Texts by name.

    Args:
        path: The file.
        time: When it was last written.
    """
    del time
    if not path.is_file():
        raise InputError(
            f"{path}: there is no such file of transcripts; speechxl transcribe --format jsonl writes one."
        )
    text = path.read_text(encoding="utf-8")
    found: dict[str, list[str]] = defaultdict(list)
    for place, entry in _entries(path, text):
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("audio"), str)
            or not isinstance(entry.get("text"), str)
        ):
            raise InputError(
                f"{place}: an object with 'audio' and 'text' was expected, as speechxl transcribe writes it."
            )
        found[entry["audio"]].append(normalise(entry["text"]))
    twice = next((name for name, texts in found.items() if len(set(texts)) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: {twice!r} has several transcripts, and they differ; leave one of them.")
    return {name: texts[0] for name, texts in found.items()}


def _entries(path: Path, text: str) -> Iterable[tuple[str, object]]:
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        whole = None
    if isinstance(whole, dict) and isinstance(whole.get("results"), list):
        yield from ((f"{path}: results[{number}]", entry) for number, entry in enumerate(whole["results"]))
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield f"{path}:{number}", json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{path}:{number}: is not JSON ({error.msg} at character {error.pos + 1}).") from None
