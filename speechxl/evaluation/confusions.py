"""What was taken for what: aligned symbols of transcripts, counted and put in order."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import jiwer

from speechxl.evaluation.edits import NONE
from speechxl.evaluation.phone_rates import PhoneErrors
from speechxl.phonology.chart import chart
from speechxl.phonology.ipa import UnknownPhone, parts
from speechxl.text import normalise

Pairs = list[tuple[str, str]]
"""Symbols of a reference and those that stand for them, in order; "" for nothing: an insertion or a deletion."""


def aligned_letters(references: Sequence[str], hypotheses: Sequence[str]) -> list[Pairs]:
    """Characters, spaces among them, aligned as `jiwer` counts their errors.

    Args:
        references: N texts; compared after NFC and with single spaces.
        hypotheses: As many.
    """
    if not references:
        return []
    found = jiwer.process_characters([*map(normalise, references)], [*map(normalise, hypotheses)])
    aligned = []
    for reference, hypothesis, chunks in zip(found.references, found.hypotheses, found.alignments, strict=True):
        pairs: Pairs = []
        for chunk in chunks:
            said = reference[chunk.ref_start_idx : chunk.ref_end_idx]
            heard = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
            width = max(len(said), len(heard))
            pairs += zip([*said, *[""] * (width - len(said))], [*heard, *[""] * (width - len(heard))], strict=True)
        aligned.append(pairs)
    return aligned


def aligned_phones(errors: PhoneErrors) -> list[Pairs]:
    """Phones in their one spelling, aligned as `evaluate` counts their errors."""
    symbols, alignment = errors.texts.symbols, errors.alignment
    aligned: list[Pairs] = [[] for _ in errors.texts.references]
    for pair, said, heard in zip(alignment.pair, alignment.reference, alignment.hypothesis, strict=True):
        aligned[pair].append(("" if said == NONE else symbols[said], "" if heard == NONE else symbols[heard]))
    return aligned


def confusion_counts(aligned: Iterable[Pairs]) -> Counter[tuple[str, str]]:
    """How often each symbol stands for each, itself included."""
    return Counter(pair for pairs in aligned for pair in pairs)


def symbol_counts(counts: Mapping[tuple[str, str], int]) -> Counter[str]:
    """How often each symbol stands in references; symbols that only stand in hypotheses have 0."""
    found: Counter[str] = Counter()
    for (said, heard), count in counts.items():
        found[said] += count
        found[heard] += 0
    del found[""]
    return found


def by_frequency(symbols: Mapping[str, int]) -> dict[str, list[str]]:
    """All in one class, the commonest first."""
    return {"": sorted(symbols, key=lambda symbol: (-symbols[symbol], symbol))}


def by_articulation(symbols: Iterable[str]) -> dict[str, list[str]]:
    """Phones by class, such as nasals and close vowels, in the order of the IPA chart; what is not IPA comes last."""
    known, others = [], []
    for symbol in sorted(symbols):
        try:
            parts(symbol.split("|")[0])
            known.append(symbol)
        except UnknownPhone:
            others.append(symbol)
    classes: dict[str, list[str]] = {}
    for grid in chart(known):
        for row, cells in grid.rows:
            name = f"{row} {grid.title}".strip() if grid.title == "vowels" else row or grid.title
            classes.setdefault(name, []).extend(symbol for cell in cells for symbol in cell)
    return classes | ({"not IPA": others} if others else {})
