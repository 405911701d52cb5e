"""From recordings to the document of `inspect`."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import ceil, log
from os.path import normpath
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.cluster.hierarchy import leaves_list

from speechxl.config import Mask
from speechxl.data.alignments import ALIGNMENT, Segment, read_alignment
from speechxl.data.datamodule import draw_key
from speechxl.data.families import UNKNOWN
from speechxl.data.manifest import Fault
from speechxl.errors import NothingMatched
from speechxl.evaluation.codes import usage_of
from speechxl.evaluation.metrics import ratio_interval
from speechxl.evaluation.phones import NONE, frame_phones, phone_codes, segment_phones
from speechxl.evaluation.pretrained import Heard
from speechxl.evaluation.similarity import js_divergence, noise_floor, plane, split_divergence, tree
from speechxl.models.frames import FrameGeometry
from speechxl.shapes import SAMPLE_RATE, Utterance
from speechxl.verbs.training import usable

logger = logging.getLogger(__name__)
_PIECE_SECONDS = 30.0
_HALVES = 20
"""Random halves of a language for its noise."""


def sample(
    rows: Sequence[Utterance], limit: float, seed: int, geometry: FrameGeometry
) -> tuple[list[Utterance], list[Fault]]:
    """At most ``limit`` seconds of each language, the same each time, and what of them cannot be used.

    Long recordings are cut into pieces of half a minute; utterances that are too short for a mask are left out.

    Raises:
        NothingMatched: If none is left.
    """
    kept, faults = usable(_choose(_pieces(rows), limit, seed))
    kept = _choose(_pieces(kept), limit, seed)  # of those whose length had to be looked up
    least = Mask().length
    long = [row for row in kept if geometry.num_frames(round(row.seconds * SAMPLE_RATE)) >= least]
    shortest = geometry.samples(0, least)[1] / SAMPLE_RATE
    if len(long) < len(kept):
        logger.warning("%d of %d utterances left out: shorter than %g s", len(kept) - len(long), len(kept), shortest)
    if not long:
        raise NothingMatched(f"{rows[0]} and others: no utterance of at least {shortest:g} s.")
    logger.info("%.1f min of %d languages", sum(row.seconds for row in long) / 60, len({row.language for row in long}))
    return long, faults


def _choose(rows: Iterable[Utterance], limit: float, seed: int) -> list[Utterance]:
    taken: dict[str, float] = {}
    chosen = []
    for row in sorted(rows, key=lambda row: draw_key(seed, 0, row.id)):
        before = taken.get(row.language, 0.0)
        if not before or before + row.seconds <= limit:
            taken[row.language] = before + row.seconds
            chosen.append(row)
    return chosen


def _pieces(rows: Iterable[Utterance]) -> list[Utterance]:
    pieces = []
    for row in rows:
        if (count := ceil(row.seconds / _PIECE_SECONDS)) <= 1:
            pieces.append(row)
        else:
            length = row.seconds / count
            starts = [row.start + length * number for number in range(count)]
            pieces += [
                replace(row, id=f"{row.id}@{start:.2f}", start=start, duration=length, text="", phonemes="")
                for start in starts
            ]
    return pieces


def read_alignments(manifests: Iterable[Path]) -> dict[str, list[Segment]]:
    """Segments of each recording, from alignments that lie beside manifests."""
    folders = {path if path.is_dir() else path.parent for path in manifests}
    tables = [folder / ALIGNMENT for folder in sorted(folders) if (folder / ALIGNMENT).is_file()]
    return {name: segments for table in tables for name, segments in read_alignment(table).items()}


def inspection(
    heard: Sequence[Heard],
    num_codes: int,
    families: Mapping[str, str],
    alignments: Mapping[str, Sequence[Segment]],
    geometry: FrameGeometry,
    seed: int,
) -> dict[str, Any]:
    """All that is reported.

    Args:
        heard: Utterances.
        num_codes: V.
        families: Of languages.
        alignments: Segments of recordings by their path.
        geometry: Of the encoder.
        seed: Of the random halves.
    """
    groups: dict[str, list[Heard]] = {}
    for item in sorted(heard, key=lambda item: (item.utterance.language, item.utterance.id)):
        groups.setdefault(item.utterance.language or UNKNOWN, []).append(item)
    counts = {name: np.stack([_histogram(item.codes, num_codes) for item in items]) for name, items in groups.items()}
    split = {name: _noise(groups[name], counts[name], num_codes, seed) for name in groups}
    kin = [families.get(name, UNKNOWN) for name in groups]
    similarity = _similarity(list(groups), kin, counts, list(split.values()))
    languages = {
        name: {
            "family": family,
            **_language(items, counts[name]),
            "noise": round(split[name], 5),
            "nearest": _nearest(name, similarity),
        }
        for (name, items), family in zip(groups.items(), kin, strict=True)
    }
    ordered = [item for items in groups.values() for item in items]
    return {
        "codebooks": ordered[0].codes.shape[1],
        "codes": num_codes,
        "languages": languages,
        "similarity": similarity,
        "phones": _phones(ordered, num_codes, alignments, geometry),
    }


def _histogram(codes: np.ndarray, num_codes: int) -> np.ndarray:
    """(F, G) to (G, V) frames."""
    return np.stack([np.bincount(column, minlength=num_codes) for column in codes.T])


def _noise(items: Sequence[Heard], counts: np.ndarray, num_codes: int, seed: int) -> float:
    """Divergence between halves of a language: of its utterances, or of the only one."""
    if len(items) == 1:
        counts = np.stack([_histogram(half, num_codes) for half in np.array_split(items[0].codes, 2)])
    return split_divergence(counts, _HALVES, seed)


def _language(items: Sequence[Heard], counts: np.ndarray) -> dict[str, Any]:
    masked, losses = (np.array([getattr(item, name) for item in items]) for name in ("masked", "loss"))
    total = int(masked.sum())
    loss = float(losses.sum() / total)
    bounds = ratio_interval(losses, masked) if len(items) > 1 else None
    use = usage_of(torch.from_numpy(counts.sum(0)))
    return {
        "utterances": len(items),
        "seconds": round(sum(item.utterance.seconds for item in items), 2),
        "masked": total,
        "loss": {
            "nats": round(loss, 4),
            "bits": round(loss / log(2), 4),
            "interval_bits": bounds and [round(bound / log(2), 4) for bound in bounds],
        },
        "accuracy": round(sum(item.correct for item in items) / total, 4),
        "tied_distractors": round(sum(item.tied for item in items) / total, 4),
        **use,
        "used_share": [round(used / counts.shape[2], 4) for used in use["used"]],
    }


def _similarity(
    languages: list[str], families: list[str], counts: Mapping[str, np.ndarray], split: Sequence[float]
) -> dict[str, Any]:
    totals = np.stack([counts[name].sum(0) for name in languages])  # (L, G, V)
    divergence = js_divergence(totals / totals.sum(-1, keepdims=True))
    links = tree(np.sqrt(divergence)) if len(languages) > 1 else np.zeros((0, 4))
    order = leaves_list(links) if len(languages) > 1 else np.zeros(1, int)
    points, shown = plane(np.sqrt(divergence))
    named = np.array([family != UNKNOWN for family in families])
    pairs = np.triu(named[:, None] & named, 1)
    related = np.array(families)[:, None] == np.array(families)
    return {
        "languages": [languages[place] for place in order],
        "matrix": (1 - divergence)[np.ix_(order, order)].round(5).tolist(),
        "noise": noise_floor(split)[np.ix_(order, order)].round(5).tolist(),
        "points": points[order].round(5).tolist(),
        "points_share": round(shown, 4),
        "mean_in_families": _mean(1 - divergence[pairs & related]),
        "mean_between_families": _mean(1 - divergence[pairs & ~related]),
    }


def _mean(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 5) if len(values) else None


def _nearest(language: str, similarity: Mapping[str, Any]) -> str | None:
    row = similarity["matrix"][similarity["languages"].index(language)]
    others = [(value, name) for value, name in zip(row, similarity["languages"], strict=True) if name != language]
    return max(others)[1] if others else None


def _phones(
    heard: Sequence[Heard], num_codes: int, alignments: Mapping[str, Sequence[Segment]], geometry: FrameGeometry
) -> dict[str, Any] | None:
    """Codes of phones, where phones are known: with times, or in order only."""
    timed = [normpath(item.utterance.path) in alignments for item in heard]
    listed = [
        not there and 0 < len(item.utterance.phonemes.split()) <= len(item.codes)
        for there, item in zip(timed, heard, strict=True)
    ]
    unaligned = [item for item, take in zip(heard, listed, strict=True) if take]
    found = iter(
        segment_phones(
            [item.codes for item in unaligned], [item.utterance.phonemes.split() for item in unaligned], num_codes
        )
        if unaligned
        else []
    )
    labels = []
    for item, there, take in zip(heard, timed, listed, strict=True):
        if there:
            segments = alignments[normpath(item.utterance.path)]
            labels.append(frame_phones(segments, len(item.codes), item.utterance.start, geometry))
        else:
            labels.append(next(found) if take else np.full(len(item.codes), NONE, dtype=object))
    phones = np.concatenate(labels)
    if not (phones != NONE).any():
        return None
    document = phone_codes(phones, np.concatenate([item.codes for item in heard]), num_codes)
    return {"aligned_utterances": sum(timed), "segmented_utterances": sum(listed), **document}
