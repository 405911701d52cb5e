"""Transcripts against their references: errors of all, and of parts of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechxl.errors import InputError
from speechxl.evaluation.confusions import Pairs, aligned_letters, aligned_phones
from speechxl.evaluation.metrics import Errors, count_errors
from speechxl.evaluation.phone_rates import phone_errors
from speechxl.evaluation.phone_texts import read_texts
from speechxl.phonology.distance import Metric
from speechxl.shapes import Utterance

_HEADER = ("id", "reference", "hypothesis")
_EDGES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds between which utterances are counted together."""


@dataclass(frozen=True, eq=False)
class Judged:
    """N utterances with what was said and what was recognised."""

    ids: list[str]
    references: list[str]
    hypotheses: list[str]
    rows: list[Utterance | None]
    """What is known of each; None where no manifest has its id."""
    errors: Errors
    """Of characters or phones."""
    aligned: list[Pairs]
    units: str
    """``"char"`` or ``"phoneme"``."""

    def parts(self, name: Callable[[Utterance], str | None]) -> dict[str, dict[str, Any]]:
        """Errors of utterances that go by the same name, in the order of the names.

        Args:
            name: Of an utterance; None if it goes by none.
        """
        places: dict[str, list[int]] = {}
        for place, row in enumerate(self.rows):
            if row is not None and (own := name(row)) is not None:
                places.setdefault(own, []).append(place)
        return {own: rates_of(self.errors.select(places[own])) for own in sorted(places)}

    def durations(self) -> dict[str, dict[str, Any]]:
        """Errors of utterances that are about as long, the shortest first."""
        found = self.parts(lambda row: None if row.duration is None else f"{_bin(row.duration):02d}")
        return {_range(int(place)): rates for place, rates in found.items()}

    def worst(self, count: int) -> list[int]:
        """Places of the utterances with the highest rates of errors, of equals those with the most."""
        total, lengths = self.errors.total, self.errors.lengths
        wrong = [place for place in range(len(self.ids)) if total[place]]
        return sorted(wrong, key=lambda place: (-total[place] / max(1, lengths[place]), -total[place], place))[:count]


def judge(
    transcripts: Sequence[tuple[str, str, str]],
    rows: Sequence[Utterance],
    units: str,
    *,
    symbols: Sequence[str] = (),
    metric: Metric | None = None,
) -> Judged:
    """Aligns and counts.

    Args:
        transcripts: Id, reference and hypothesis of N utterances.
        rows: Of manifests, in any order.
        units: ``"char"`` or ``"phoneme"``.
        symbols: Of a model of phones.
        metric: Features, for phones.
    """
    known = {row.id: row for row in rows}
    ids, references, hypotheses = ([row[place] for row in transcripts] for place in range(3))
    if metric is None or units == "char":
        errors, aligned = count_errors(references, hypotheses, "char"), aligned_letters(references, hypotheses)
    else:
        found = phone_errors(read_texts(references, hypotheses, symbols), metric)
        errors, aligned = found.errors, aligned_phones(found)
    return Judged(ids, references, hypotheses, [known.get(id) for id in ids], errors, aligned, units)


def rates_of(errors: Errors) -> dict[str, Any]:
    """Rate with its 95 % interval, None for one utterance alone, and the edits that it is made of."""
    return {
        "utterances": len(errors.lengths),
        "units": int(errors.lengths.sum()),
        "rate": errors.rate,
        "interval": errors.interval() if len(errors.lengths) > 1 else None,
        "substitutions": int(errors.substitutions.sum()),
        "deletions": int(errors.deletions.sum()),
        "insertions": int(errors.insertions.sum()),
    }


def read_transcripts(path: Path) -> list[tuple[str, str, str]]:
    """Id, reference and hypothesis of each line that ``evaluate --transcripts`` wrote.

    Raises:
        InputError: If there is no such file, or it is another one.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(
            f"--transcripts {path}: there is no such file; speechxl evaluate MODEL MANIFEST --transcripts {path} writes one."
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"--transcripts {path}: is not UTF-8 text ({error.reason}).") from None
    if tuple(lines[0].split("\t")) != _HEADER:
        raise InputError(
            f"--transcripts {path}:1: the header is {lines[0][:80]!r}, not {' '.join(_HEADER)} separated by tabs; speechxl "
            "evaluate --transcripts writes such files."
        )
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        cells = line.split("\t")
        if len(cells) != len(_HEADER):
            raise InputError(f"--transcripts {path}:{number}: {len(cells)} fields, {len(_HEADER)} were expected.")
        rows.append((cells[0], cells[1], cells[2]))
    if not rows:
        raise InputError(f"--transcripts {path}: holds no utterance.")
    return rows


def _bin(seconds: float) -> int:
    return max(place for place, edge in enumerate(_EDGES) if seconds >= edge)


def _range(place: int) -> str:
    last = place + 1 == len(_EDGES)
    return f"{_EDGES[place]:g} s and more" if last else f"{_EDGES[place]:g} to {_EDGES[place + 1]:g} s"
