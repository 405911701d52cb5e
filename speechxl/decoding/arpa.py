"""N-gram language models as ARPA files: reading their words, estimating one from text."""

import gzip
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from speechxl.errors import InputError

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
_FALLBACK = (0.0, 0.5, 1.0, 1.5)
"""Discounts where a text is too small for them to be estimated."""

Gram = tuple[str, ...]


def read_unigrams(path: Path) -> set[str]:
    """Words of an ARPA file, gzipped or not.

    Raises:
        InputError: If it is not one.
    """
    words: set[str] = set()
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            lines = iter(file)
            if not any(line.strip() == "\\1-grams:" for line in lines):
                raise UnicodeError
            for line in lines:
                if line.startswith("\\"):
                    break
                if line.strip():
                    words.add(line.rstrip("\n").split("\t")[1].split(" ")[0])
    except (UnicodeError, IndexError):
        raise InputError(
            f"{path}: is not an ARPA file, so that its words are not known; if it is KenLM's binary form of one, name the words "
            "with --lexicon, one a line."
        ) from None
    return words - {BEGIN, END, UNKNOWN, "<UNK>"}


def estimate(sentences: Iterable[Sequence[str]], order: int) -> list[dict[Gram, tuple[float, float]]]:
    """Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998, section 4.1.6), as KenLM's ``lmplz`` does it.

    Args:
        sentences: Their words or symbols.
        order: Length of the longest n-grams.

    Returns:
        For each length, n-grams with log10 probability and log10 back-off weight; `UNKNOWN` has the probability of any
        word that is not there.

    Raises:
        InputError: If there are no words.
    """
    counts: list[Counter[Gram]] = [Counter() for _ in range(order)]
    for sentence in sentences:
        words = [BEGIN, *sentence, END]
        for length in range(1, order + 1):
            counts[length - 1].update(tuple(words[at : at + length]) for at in range(len(words) - length + 1))
    del counts[0][(BEGIN,)]
    if len(counts[0]) < 2:
        raise InputError("The text holds no words, a language model cannot be estimated.")
    adjusted = [_adjusted(counts[n], counts[n + 1]) for n in range(order - 1)] + [counts[-1]]
    lower: dict[Gram, float] = {}
    weights: list[dict[Gram, float]] = []
    levels: list[dict[Gram, float]] = []
    for grams in adjusted:
        lower, backoff = _level(grams, lower, len(counts[0]) + 1)
        levels.append(lower)
        weights.append(backoff)
    levels[0][(UNKNOWN,)] = weights[0][()] / (len(counts[0]) + 1)
    levels[0][(BEGIN,)] = 1e-99
    weights.append({})
    return [
        {gram: (math.log10(p), math.log10(weights[n + 1].get(gram, 1.0))) for gram, p in level.items()}
        for n, level in enumerate(levels)
    ]


def write(levels: Sequence[dict[Gram, tuple[float, float]]]) -> Iterator[str]:
    """Lines of an ARPA file."""
    yield "\\data\\"
    for n, level in enumerate(levels, 1):
        yield f"ngram {n}={len(level)}"
    for n, level in enumerate(levels, 1):
        yield f"\n\\{n}-grams:"
        for gram, (probability, weight) in sorted(level.items()):
            last = "" if n == len(levels) else f"\t{weight:.6g}"
            yield f"{probability:.6g}\t{' '.join(gram)}{last}"
    yield "\n\\end\\"


def _adjusted(counts: Counter[Gram], longer: Counter[Gram]) -> Counter[Gram]:
    """In how many contexts an n-gram occurs; what begins a sentence has but one, and keeps its count."""
    contexts = Counter(gram[1:] for gram in longer)
    return Counter({gram: count if gram[0] == BEGIN else contexts[gram] for gram, count in counts.items()})


def _level(
    counts: Counter[Gram], lower: dict[Gram, float], vocabulary: int
) -> tuple[dict[Gram, float], dict[Gram, float]]:
    """Probabilities of the n-grams of one length, and the share that each context leaves to shorter ones."""
    discounts = _discounts(counts)
    totals: dict[Gram, int] = defaultdict(int)
    left: dict[Gram, float] = defaultdict(float)
    for gram, count in counts.items():
        totals[gram[:-1]] += count
        left[gram[:-1]] += discounts[min(count, 3)]
    backoff = {context: left[context] / total for context, total in totals.items()}
    probabilities = {
        gram: (count - discounts[min(count, 3)]) / totals[gram[:-1]]
        + backoff[gram[:-1]] * (lower[gram[1:]] if lower else 1 / vocabulary)
        for gram, count in counts.items()
    }
    return probabilities, backoff


def _discounts(counts: Counter[Gram]) -> tuple[float, ...]:
    """Taken off a count of 0, 1, 2, 3 or more (Chen and Goodman 1998, equation 26)."""
    n = Counter(min(count, 5) for count in counts.values())
    if not all(n[k] for k in (1, 2, 3, 4)):
        return _FALLBACK
    share = n[1] / (n[1] + 2 * n[2])
    discounts = (0.0, *(k - (k + 1) * share * n[k + 1] / n[k] for k in (1, 2, 3)))
    return discounts if all(0 <= discount <= k for k, discount in enumerate(discounts)) else _FALLBACK
