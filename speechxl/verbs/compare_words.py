"""What a comparison says, in plain words. No torch."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from speechxl.verbs.compare_cells import CHANCE, MAJORITY

_SURE = 0.05
"""Probability, after Holm's correction, below which a difference is called one."""
_FEW_GROUPS = 50
_PERFECT = 0.99
Rows = Mapping[str, Mapping[str, Any]]
"""Measures of each system, of all test languages."""


def conclusions(document: Mapping[str, Any]) -> list[str]:
    """Sentences on the sides, the size of the test, and what can and cannot be told; they follow from the numbers alone.

    Args:
        document: Of `classify compare`, with results, tests and transcripts.
    """
    found = [_size(document), *_shared(document)]
    for regime, shots in dict.fromkeys((row["regime"], row["shots"]) for row in document["results"]):
        place = regime, shots, None
        rows = {
            row["system"]: row
            for row in document["results"]
            if (row["regime"], row["shots"], row["test"]) == place
        }  # fmt: skip
        tests = [test for test in document["tests"] if (test["regime"], test["shots"], test["test"]) == place]
        own = list(_sides(rows, tests))
        if shots == document["shots"][-1]:
            own += [*_perfect(rows, tests, regime), *_lost(document, tests), *_low(rows), *_seeds(rows)]
        name = regime.capitalize() + ("" if shots is None else f", {shots} examples of each class")
        found += [f"{name}: {sentence}" for sentence in own]
    return found


def _size(document: Mapping[str, Any]) -> str:
    languages = {name: own for name, own in document["languages"].items() if own["test"]}
    utterances = sum(own["test"] for own in languages.values())
    groups = sum(own["test_groups"] for own in languages.values())
    name, least = min(languages.items(), key=lambda item: item[1]["test"])
    text = f"{utterances} test utterances in {len(languages)} language{'s' * (len(languages) > 1)}"
    text += f", {groups} of them independent (by {document['group_by']}). " if groups < utterances else ". "
    points = 100 / least["test"]
    text += f"In {name} there are {least['test']}: one of them more or less right is {points:.1f} points of accuracy. "
    if groups < _FEW_GROUPS:
        text += "So few show large differences only; a small one may be there and not be seen."
    return text.strip()


def _shared(document: Mapping[str, Any]) -> Iterator[str]:
    for leak in document["shared"]:
        yield (
            f"{leak['rows']} of {leak['of']} test rows have a {leak['kind']} that training rows have, which was said to be "
            f"meant; nothing is shown for a new {leak['kind']}."
        )


def _sides(rows: Rows, tests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The better system of either side against that of the other."""
    asked = [test for test in tests if test["what"] == "sides"]
    if not asked:
        return
    names = list(rows)
    one, two = (
        max({test[side] for test in asked}, key=lambda name: (rows[name]["macro_f1"], -names.index(name)))
        for side in ("first", "second")
    )
    test = next(test for test in asked if (test["first"], test["second"]) == (one, two))
    figures = f"macro-F1 {_number(rows[one])} of {one} (speech) against {_number(rows[two])} of {two} (text)"
    gap, p = _gap(test), test["holm"]["macro_f1"]
    if p < _SURE:
        better = "classifying speech directly" if test["difference"]["macro_f1"] > 0 else "transcribing first"
        yield f"{better} is better: {figures}, a difference of {gap}, p = {p:.4f} after Holm's correction."
    else:
        yield (
            f"which side is better cannot be told: {figures}, a difference of {gap}, which may be chance (p = {p:.2f} after "
            "Holm's correction)."
        )


def _perfect(rows: Rows, tests: Sequence[Mapping[str, Any]], regime: str) -> Iterator[str]:
    """What perfect transcripts give."""
    for name in dict.fromkeys(test["first"] for test in tests if test["what"] == "transcription"):
        if _above(rows[name], rows[CHANCE]):
            rest = (
                ", so all that the text side lacks, it loses in transcription."
                if rows[name]["macro_f1"] > _PERFECT
                else "."
            )
            yield f"with perfect transcripts ({name}) the text tells the class with macro-F1 {_number(rows[name])}{rest}"
            continue
        low = f"even with perfect transcripts ({name}, {_number(rows[name])}) the text side is not shown to be above chance"
        if regime in ("zero-shot", "leave-one-out"):
            yield f"{low}: what tells the class in the texts of one language is not found in those of another, in this form."
        else:
            yield f"{low}: where the words do not tell the class, no transcriber can mend that."


def _lost(document: Mapping[str, Any], tests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What transcription costs."""
    rates = {own["system"]: own for own in document["transcripts"]}
    for test in tests:
        name = test["second"]
        if test["what"] == "transcription" and not any(name.startswith(f"{other}, learns") for other in rates):
            own, p = rates.get(name), test["holm"]["macro_f1"]
            errors = f" ({own['unit']} error rate {own['rate']:.2f})" if own and own["rate"] is not None else ""
            sure = "" if p < _SURE else f", which may be chance (p = {p:.2f})"
            yield f"with references in the place of the transcripts of {name}{errors} macro-F1 changes by {_gap(test)}{sure}."


def _low(rows: Rows) -> Iterator[str]:
    low = [name for name, row in rows.items() if name not in (CHANCE, MAJORITY) and not _above(row, rows[CHANCE])]
    if low:
        yield f"not shown to be above chance ({_number(rows[CHANCE])}): {'; '.join(low)}."


def _seeds(rows: Rows) -> Iterator[str]:
    spread = {name: row["sd"]["macro_f1"] for name, row in rows.items() if row.get("sd", {}).get("macro_f1")}
    if spread:
        name = max(spread, key=lambda name: spread[name])
        count = len(rows[name]["per_seed"]["macro_f1"])
        yield f"another seed changes macro-F1 by {spread[name]:.3f} at most ({name}; standard deviation over {count} seeds)."


def _above(row: Mapping[str, Any], chance: Mapping[str, Any]) -> bool:
    """Whether all of an interval is above what guessing mostly gives."""
    bounds = row["intervals"]["macro_f1"]
    return bounds is not None and bounds[0] > chance["intervals"]["macro_f1"][1]


def _number(row: Mapping[str, Any]) -> str:
    bounds = row["intervals"]["macro_f1"]
    return f"{row['macro_f1']:.3f}" + (f" [{bounds[0]:.3f}, {bounds[1]:.3f}]" if bounds else "")


def _gap(test: Mapping[str, Any]) -> str:
    bounds = test["intervals"]["macro_f1"]
    return f"{test['difference']['macro_f1']:+.3f}" + (f" [{bounds[0]:+.3f}, {bounds[1]:+.3f}]" if bounds else "")
