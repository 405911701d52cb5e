"""What a corpus holds: hours, speakers, durations, symbols."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from speechxl.shapes import Utterance
from speechxl.text import normalise

QUANTILES = {"least": 0.0, "5%": 0.05, "median": 0.5, "95%": 0.95, "most": 1.0}


def statistics(utterances: Sequence[Utterance]) -> dict[str, Any]:
    """Of all rows, of each language, and of each split.

    Args:
        utterances: With durations where they are known.

    Returns:
        ``all``, ``languages`` and ``splits`` by name, each with what `_group` gives.
    """
    languages: dict[str, list[Utterance]] = defaultdict(list)
    splits: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        languages[utterance.language].append(utterance)
        splits[utterance.split].append(utterance)
    return {
        "all": _group(utterances),
        "languages": {name: _group(languages[name]) for name in sorted(languages)},
        "splits": {name: _group(splits[name]) for name in sorted(splits)},
    }


def symbol_counts(utterances: Sequence[Utterance]) -> Counter[str]:
    """How often each character stands in the texts, without spaces."""
    counts: Counter[str] = Counter()
    for utterance in utterances:
        counts.update(normalise(utterance.text).replace(" ", ""))
    return counts


def _group(utterances: Sequence[Utterance]) -> dict[str, Any]:
    known = np.array([row.seconds for row in utterances if row.duration])
    texts = [normalise(row.text) for row in utterances if row.text]
    words = Counter(word for text in texts for word in text.split())
    phones = Counter(phone for row in utterances for phone in row.phonemes.split())
    counts = symbol_counts(utterances)
    spoken = sum(row.seconds for row in utterances if row.text)
    speakers: dict[str, float] = defaultdict(float)
    for row in utterances:
        if row.speaker:
            speakers[row.speaker] += row.seconds
    return {
        "utterances": len(utterances),
        "hours": float(known.sum()) / 3600,
        "with_text": len(texts),
        "hours_with_text": spoken / 3600,
        "unknown_durations": len(utterances) - len(known),
        "durations": {name: float(np.quantile(known, at)) for name, at in QUANTILES.items()} if len(known) else None,
        "mean_duration": float(known.mean()) if len(known) else None,
        "speakers": len(speakers),
        "speaker_hours": {
            name: seconds / 3600 for name, seconds in sorted(speakers.items(), key=lambda x: (-x[1], x[0]))
        },
        "without_speaker": sum(not row.speaker for row in utterances),
        "words": words.total(),
        "different_words": len(words),
        "symbols": counts.total(),
        "symbols_per_second": counts.total() / spoken if spoken else None,
        "symbol_counts": _ranked(counts),
        "phone_counts": _ranked(phones),
        "labels": _ranked(Counter(row.label for row in utterances if row.label)),
    }


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], unicodedata.normalize("NFD", item[0]))))
