"""How far aligned boundaries of phones are from known ones."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from speechxl.data.alignments import Segment
from speechxl.evaluation.metrics import ratio_interval

SILENCE = frozenset({"", "SIL", "sil", "sp", "pau", "<p:>"})
"""Labels of alignments that stand for no phone."""
_TOUCHING_S = 0.001
_WITHIN_MS = (20, 50)


def boundary_errors(aligned: Sequence[Segment], reference: Sequence[Segment]) -> np.ndarray | None:
    """Differences of the boundaries of one utterance.

    The boundary of two phones is the middle between the end of one and the beginning of the other.

    Args:
        aligned: U phones in order of time.
        reference: The same with their known times; silence is passed over, and where phones do not touch in it, their
            boundary is not one time and not compared.

    Returns:
        (U + 1,) aligned minus known times in seconds: the beginning, what is between phones, and the end; not a number
        where that is not compared. None if the phones are others.
    """
    known = [segment for segment in reference if segment.phone not in SILENCE]
    if not known or [segment.phone for segment in aligned] != [segment.phone for segment in known]:
        return None
    errors = _boundaries(aligned) - _boundaries(known)
    apart = [other.start - one.end > _TOUCHING_S for one, other in pairwise(known)]
    errors[1:-1][np.array(apart, dtype=bool)] = np.nan
    return errors


def _boundaries(segments: Sequence[Segment]) -> np.ndarray:
    middles = [(one.end + other.start) / 2 for one, other in pairwise(segments)]
    return np.array([segments[0].start, *middles, segments[-1].end])


def boundary_rates(errors: Sequence[np.ndarray]) -> dict[str, Any]:
    """Measures of all utterances, for boundaries between phones ("inner") and where the first begins and the last ends ("edges").

    Args:
        errors: Of each utterance, from `boundary_errors`.

    Returns:
        ``{"utterances", "inner": measures, "edges": measures}`` with the number of boundaries, the median of the absolute
        error and of the signed one ("bias", positive if late) in ms, the shares within 20 and 50 ms, and 95 % bootstrap
        intervals over utterances; measures are None without any boundary.
    """
    return {
        "utterances": len(errors),
        "inner": _rates([error[1:-1] for error in errors]),
        "edges": _rates([error[[0, -1]] for error in errors]),
    }


def _rates(errors: Sequence[np.ndarray], draws: int = 1000) -> dict[str, Any]:
    milliseconds = [1000 * error[~np.isnan(error)] for error in errors]
    signed = np.concatenate([*milliseconds, np.empty(0)])
    counts = np.array([len(error) for error in milliseconds])
    names = [f"within_{limit}_ms" for limit in _WITHIN_MS]
    if not len(signed):
        return {"boundaries": 0, **dict.fromkeys(["median_ms", "bias_ms", *names]), "intervals": {}}
    absolute = [np.abs(error) for error in milliseconds]
    rng = np.random.default_rng(0)
    picked = rng.integers(len(errors), size=(draws, len(errors)))
    medians = [np.median(drawn) for row in picked if len(drawn := np.concatenate([absolute[place] for place in row]))]
    low, high = np.quantile(medians, [0.025, 0.975])
    inside = {
        name: np.array([(error <= limit).sum() for error in absolute])
        for name, limit in zip(names, _WITHIN_MS, strict=True)
    }
    return {
        "boundaries": len(signed),
        "median_ms": float(np.median(np.abs(signed))),
        "bias_ms": float(np.median(signed)),
        **{name: float(totals.sum() / counts.sum()) for name, totals in inside.items()},
        "intervals": {
            "median_ms": (float(low), float(high)),
            **{name: ratio_interval(totals, counts) for name, totals in inside.items()},
        },
    }


def boundary_table(document: dict[str, Any]) -> str:
    """For people."""
    names = ["median_ms", *(f"within_{limit}_ms" for limit in _WITHIN_MS)]
    lines = [
        f"boundaries  number  bias ms  median ms (95 %)       {'  '.join(f'within {limit} ms (95 %) ' for limit in _WITHIN_MS)}"
    ]
    for kind in ("inner", "edges"):
        rates = document[kind]
        cells = []
        for name in names if rates["boundaries"] else []:
            form = ".1f" if name == "median_ms" else ".3f"
            low, high = rates["intervals"][name]
            cells.append(f"{rates[name]:{form}} ({low:{form}}-{high:{form}})")
        bias = f"{rates['bias_ms']:+7.1f}" if rates["boundaries"] else " " * 7
        lines.append(
            f"{kind:10s}  {rates['boundaries']:6d}  {bias}  {'  '.join(f'{cell:21s}' for cell in cells)}".rstrip()
        )
    return "\n".join(
        [*lines, f"{document['utterances']} utterances compared, {document['disagree']} with other phones left out"]
    )
