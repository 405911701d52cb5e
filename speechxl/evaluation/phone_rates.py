"""Error rates of phone recognisers: of phones, of their letters, of their features, of attributes, and of inventories."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from speechxl.evaluation.edits import NONE, Alignment, align, edit_distances
from speechxl.evaluation.metrics import Errors, drawn_ratios, interval_of
from speechxl.evaluation.phone_texts import PhoneFeatures, PhoneTexts, features_of, folded, named_counts, toneless
from speechxl.evaluation.prism import feature_edits
from speechxl.phonology.distance import Metric
from speechxl.phonology.inventory import Inventory
from speechxl.phonology.report import in_words

MEASURES = ("per", "per_folded", "pfer", "pfer_panphon", "attribute_error")
"""Rates that have an interval."""
_FOUND = ("inventory_found", "inventory_given")
"""Sets of phones that are compared."""
_TOP = 20


@dataclass(frozen=True, eq=False)
class PhoneErrors:
    """What N utterances cost.

    Attributes:
        texts: Their phones.
        features: Of the phones.
        alignment: Fewest edits, and so `errors`.
        errors: Of phones.
        folded: (N,) edits of letters, and (N,) letters of the references.
        feature_edits: (N,) least cost: 1 for an insertion or a deletion, the share of features that differ for a substitution.
        panphon_edits: (N,) the same as published tables have it, see `prism`.
    """

    texts: PhoneTexts
    features: PhoneFeatures
    alignment: Alignment
    errors: Errors
    folded: tuple[np.ndarray, np.ndarray]
    feature_edits: np.ndarray
    panphon_edits: np.ndarray


def phone_errors(texts: PhoneTexts, metric: Metric) -> PhoneErrors:
    """Aligns and counts all utterances at once.

    Args:
        texts: References and hypotheses.
        metric: Features and their weights.
    """
    features = features_of(texts.symbols, metric)
    alignment = align(texts.references, texts.hypotheses, features.differences)
    return PhoneErrors(
        texts, features, alignment, _errors(alignment, texts.lengths()), _folded_errors(texts),
        edit_distances(texts.references, texts.hypotheses, features.differences), feature_edits(*texts.texts),
    )  # fmt: skip


def _errors(alignment: Alignment, lengths: np.ndarray) -> Errors:
    kinds = (alignment.substituted, alignment.hypothesis == NONE, alignment.reference == NONE)
    counted = [np.bincount(alignment.pair[kind], minlength=len(lengths)) for kind in kinds]
    return Errors(counted[0], counted[1], counted[2], lengths)


def _folded_errors(texts: PhoneTexts) -> tuple[np.ndarray, np.ndarray]:
    letters = [folded(symbol) for symbol in texts.symbols]
    numbers = {letter: number for number, letter in enumerate(dict.fromkeys(x for own in letters for x in own))}
    own = [[numbers[x] for x in found] for found in letters]
    references, hypotheses = (
        [np.array([x for phone in sequence for x in own[phone]], int) for sequence in sequences]
        for sequences in (texts.references, texts.hypotheses)
    )
    edits = edit_distances(references, hypotheses, 1 - np.eye(len(numbers), dtype=np.int32))
    return edits.astype(int), np.array([len(reference) for reference in references], int)


def phone_rates(
    errors: PhoneErrors, languages: Sequence[str], inventories: Mapping[str, Inventory]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Measures of all utterances, and those of each language.

    Args:
        errors: Of N utterances.
        languages: N.
        inventories: What phones were looked for, by language; languages without are not counted in coverage.

    Returns:
        Documents with the rates of `MEASURES` as fractions (None where they do not apply), edits, ``intervals`` (95 %, bootstrap
        over utterances), ``attributes``, ``substitutions``, ``inventory_found`` (phones of the hypotheses against those of the
        references), ``inventory`` (what was looked for, and reference phones that are not in it) and ``inventory_given`` (phones
        of the hypotheses against what was looked for). That of all utterances has ``macro``, the mean over languages, with
        intervals over their utterances.
    """
    names = sorted(set(languages))
    codes = np.array([names.index(language) for language in languages], int)
    places = {name: np.flatnonzero(codes == number) for number, name in enumerate(names)}
    drawn: dict[str, dict[str, np.ndarray | None]] = {}
    parts = {}
    for name, rows in places.items():
        parts[name], drawn[name] = _measured(errors, rows)
        used = inventories.get(name)
        parts[name]["inventory"] = None if used is None else _coverage(errors.texts, rows, used)
        heard = _phones(errors.texts, errors.texts.hypotheses, rows)
        parts[name]["inventory_given"] = None if used is None else compare(heard, set(used.symbols), used.source)
    whole, _ = _measured(errors, np.arange(len(languages)))
    for kind in _FOUND:
        whole[kind] = _found_in_all([part[kind] for part in parts.values()])
    whole["inventory"] = _covered_in_all([part["inventory"] for part in parts.values()])
    whole["macro"] = _macro(parts, drawn, whole["inventory"])
    return whole, parts


def _measured(errors: PhoneErrors, rows: np.ndarray) -> tuple[dict[str, Any], dict[str, np.ndarray | None]]:
    own = errors.errors.select(rows.tolist())
    attributes, totals, pairs = _attributes(errors, rows)
    letters, letter_counts = errors.folded
    measures = {
        "per": (own.total, own.lengths),
        "per_folded": (letters[rows], letter_counts[rows]),
        "pfer": (errors.feature_edits[rows], own.lengths),
        "pfer_panphon": (errors.panphon_edits[rows], np.ones(len(rows), int)),
        "attribute_error": (totals, pairs),
    }
    rates = {
        name: float(total.sum() / count.sum()) if count.sum() else None for name, (total, count) in measures.items()
    }
    drawn = dict(zip(measures, drawn_ratios(list(measures.values())), strict=True))
    document = {
        **rates,
        "substitutions": int(own.substitutions.sum()),
        "deletions": int(own.deletions.sum()),
        "insertions": int(own.insertions.sum()),
        "units": int(own.lengths.sum()),
        "intervals": {name: interval_of(values) for name, values in drawn.items()},
        "attributes": attributes,
        "confusions": _confusions(errors, rows),
        "inventory_found": compare(
            _phones(errors.texts, errors.texts.hypotheses, rows),
            _phones(errors.texts, errors.texts.references, rows),
            "references",
        ),
        "not_ipa": _not_ipa(errors.texts, rows),
    }
    return document, drawn


def _attributes(errors: PhoneErrors, rows: np.ndarray) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """Errors of each attribute per pair of phones, (n,) sums of their mean over utterances, and (n,) pairs.

    Attributes that all phones of the references have alike would only thin out the mean, and are left out.
    """
    alignment, features = errors.alignment, errors.features
    slots = np.full(len(errors.texts.references), NONE)
    slots[rows] = np.arange(len(rows))
    chosen = alignment.paired & (slots[alignment.pair] != NONE)
    chosen[chosen] = features.known[alignment.reference[chosen]] & features.known[alignment.hypothesis[chosen]]
    pair, first, second = slots[alignment.pair[chosen]], alignment.reference[chosen], alignment.hypothesis[chosen]
    pairs = np.bincount(pair, minlength=len(rows))
    heard = np.flatnonzero(errors.texts.counts(errors.texts.references, rows))
    heard = heard[features.known[heard]]
    ends = [values[heard] for values in (features.values.start, features.values.end)]
    varying = np.flatnonzero(sum((x != x[:1]).any(0) for x in ends)) if len(heard) else np.empty(0, int)
    if not len(varying):
        return {}, np.zeros(len(rows)), np.zeros(len(rows), int)
    kinds, kind, counts = np.unique(first * len(errors.texts.symbols) + second, return_inverse=True, return_counts=True)
    one, two = np.divmod(kinds, len(errors.texts.symbols))
    differ = np.zeros((len(kinds), len(varying)), bool)
    for values in (features.values.start, features.values.end):
        differ |= values[one][:, varying] != values[two][:, varying]
    rates = counts @ differ / max(1, counts.sum())
    names = [features.table.names[place] for place in varying]
    totals = np.bincount(pair, weights=differ.mean(1)[kind], minlength=len(rows))
    return {name: float(rate) for name, rate in zip(names, rates, strict=True)}, totals, pairs


def _confusions(errors: PhoneErrors, rows: np.ndarray) -> list[dict[str, Any]]:
    """Commonest substitutions."""
    alignment, symbols = errors.alignment, errors.texts.symbols
    own = np.zeros(len(errors.texts.references), bool)
    own[rows] = True
    chosen = alignment.substituted & own[alignment.pair]
    kinds, counts = np.unique(
        alignment.reference[chosen] * len(symbols) + alignment.hypothesis[chosen], return_counts=True
    )
    totals = errors.texts.counts(errors.texts.references, rows)
    found = []
    for place in np.lexsort([kinds, -counts])[:_TOP]:
        first, second = divmod(int(kinds[place]), len(symbols))
        known = errors.features.known[[first, second]].all()
        differences = errors.features.table.differences(symbols[first], symbols[second]) if known else []
        found.append(
            {
                "reference": symbols[first],
                "hypothesis": symbols[second],
                "count": int(counts[place]),
                "share": float(counts[place] / totals[first]),
                "features": in_words(differences) if known else None,
            }
        )
    return found


def _phones(texts: PhoneTexts, sequences: Sequence[np.ndarray], rows: np.ndarray) -> set[str]:
    """Phones of some hypotheses or references, without tones."""
    return {toneless(texts.symbols[number]) for number in np.flatnonzero(texts.counts(sequences, rows))} - {""}


def compare(found: set[str], known: set[str], source: str) -> dict[str, Any]:
    """Precision, recall and F1 of phones that were found.

    Args:
        found: Phones.
        known: Those that are there.
        source: Of these.
    """
    both = len(found & known)
    return {
        "source": source,
        **_scores(both, len(found), len(known)),
        "missed": sorted(known - found),
        "extra": sorted(found - known),
    }


def _scores(both: int, found: int, known: int) -> dict[str, Any]:
    return {
        "found": found,
        "size": known,
        "both": both,
        "precision": both / found if found else None,
        "recall": both / known if known else None,
        "f1": 2 * both / (found + known) if found + known else None,
    }


def _found_in_all(parts: Sequence[dict[str, Any] | None]) -> dict[str, Any] | None:
    """Of all languages, each of whose phones counts by itself."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    sums = [sum(part[name] for part in known) for name in ("both", "found", "size")]
    return {"source": ", ".join(sorted({part["source"] for part in known})), **_scores(*sums)}


def _coverage(texts: PhoneTexts, rows: np.ndarray, inventory: Inventory) -> dict[str, Any]:
    """Reference phones that cannot be found, as they are not in the inventory, without tones."""
    counts = texts.counts(texts.references, rows)
    phones = {number: toneless(texts.symbols[number]) for number in np.flatnonzero(counts)}
    known = set(inventory.symbols)
    outside = [int(number) for number, phone in phones.items() if phone and phone not in known]
    total = sum(int(counts[number]) for number, phone in phones.items() if phone)
    missing = int(counts[outside].sum())
    return {
        "source": inventory.source,
        "ids": [doculect.id for doculect in inventory.doculects],
        "size": len(inventory),
        "phones": total,
        "uncovered": missing,
        "coverage": 1 - missing / total if total else None,
        "missing": named_counts(texts.symbols, counts, outside),
    }


def _covered_in_all(parts: Sequence[dict[str, Any] | None]) -> dict[str, Any] | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    total, missing = (sum(part[name] for part in known) for name in ("phones", "uncovered"))
    sizes = {part["size"] for part in known}
    missed: dict[str, int] = {}
    for part in known:
        for phone, count in part["missing"].items():
            missed[phone] = missed.get(phone, 0) + count
    return {
        "source": ", ".join(sorted({part["source"] for part in known})),
        "ids": sorted({id for part in known for id in part["ids"]}),
        "size": sizes.pop() if len(sizes) == 1 else None,
        "phones": total,
        "uncovered": missing,
        "coverage": 1 - missing / total if total else None,
        "missing": dict(sorted(missed.items(), key=lambda x: (-x[1], x[0]))),
    }


def _not_ipa(texts: PhoneTexts, rows: np.ndarray) -> dict[Literal["references", "hypotheses"], dict[str, int]]:
    return {
        "references": named_counts(texts.symbols, texts.counts(texts.references, rows), texts.not_ipa),
        "hypotheses": named_counts(texts.symbols, texts.counts(texts.hypotheses, rows), texts.not_ipa),
    }


def _macro(
    parts: Mapping[str, Mapping[str, Any]],
    drawn: Mapping[str, Mapping[str, np.ndarray | None]],
    inventory: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Means over the languages that have a measure."""
    intervals = {}
    for name in MEASURES:
        # turned, so that draws of languages with as many utterances have nothing to do with each other
        draws = [np.roll(x, turn) for turn, own in enumerate(drawn.values()) if (x := own[name]) is not None]
        intervals[name] = interval_of(np.mean(draws, axis=0)) if draws else None
    means: dict[str, Any] = {name: _mean(part[name] for part in parts.values()) for name in MEASURES}
    for kind in _FOUND:
        known = [part[kind] for part in parts.values() if part[kind] is not None]
        means[kind] = {name: _mean(part[name] for part in known) for name in ("precision", "recall", "f1")}
    if inventory is not None:
        covered = [part["inventory"]["coverage"] for part in parts.values() if part["inventory"] is not None]
        means["inventory"] = {"source": inventory["source"], "coverage": _mean(covered)}
    return {"languages": len(parts), **means, "intervals": intervals}


def _mean(values: Iterable[float | None]) -> float | None:
    """Of those that are known."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
