"""What `evaluate` says of models that write phones."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from speechxl.evaluation.phone_rates import phone_errors, phone_rates
from speechxl.evaluation.phone_texts import model_inventory, read_texts
from speechxl.phonology.distance import Metric, new_metric
from speechxl.phonology.inventory import Inventory
from speechxl.phonology.known import known_features
from speechxl.phonology.report import in_words
from speechxl.symbols import shown
from speechxl.verbs.inventory_table import columns

_SHOWN, _WORDS = 10, 5


def phone_metric(folder: Path | None = None) -> tuple[Metric, str]:
    """Features that errors are counted in, those of PHOIBLE where it is there or in a folder, and where they are from.

    Raises:
        InputError: If a folder of PHOIBLE is named and has none.
    """
    table, version = known_features(folder)
    if table.name == "panphon":
        return new_metric("panphon"), version
    return new_metric("phoible", phoible=table, weights="uniform"), version


def add_phone_measures(
    document: dict[str, Any],
    references: Sequence[str],
    hypotheses: Sequence[str],
    languages: Sequence[str],
    symbols: Sequence[str],
    metric: tuple[Metric, str],
    inventories: Mapping[str, Inventory] | None = None,
) -> None:
    """Puts the measures of phones into the document of `evaluate`; phones are compared in their one spelling.

    Args:
        document: With ``per_language``.
        references: N texts.
        hypotheses: As many.
        languages: As many.
        symbols: Of the model.
        metric: Of `phone_metric`.
        inventories: What was looked for in each language; by default all phones of the model.
    """
    own = model_inventory(symbols)
    looked_for = inventories or ({} if own is None else dict.fromkeys(languages, own))
    errors = phone_errors(read_texts(references, hypotheses, symbols), metric[0])
    whole, parts = phone_rates(errors, languages, looked_for)
    document.update(whole)
    document["features"] = {"source": metric[0].name, "version": metric[1]}
    for name, part in parts.items():
        document["per_language"][name].update(part)


def phone_table(document: Mapping[str, Any]) -> str:
    """For people."""
    rows = list(document["per_language"].items())
    if len(rows) > 1:
        rows += [("all", document), ("mean", document["macro"])]
    return "\n".join(
        [
            columns([["language", "utterances", "PER (95 %)", "S", "D", "I", "folded PER (95 %)", "empty", "inventory", "covers"]]
                    + [_edits(name, row) for name, row in rows]),
            "",
            columns([["language", "PFER (95 %)", "PRiSM's PFER (95 %)", "attributes (95 %)", "phones F1", "P", "R", "given F1"]]
                    + [_features(name, row) for name, row in rows]),
            *_substitutions(document["confusions"]),
            *_notes(document),
        ]
    )  # fmt: skip


def _edits(name: str, row: Mapping[str, Any]) -> list[str]:
    counts = [str(row.get(kind, "")) for kind in ("substitutions", "deletions", "insertions")]
    empty = f"{row['empty']:.3f}" if "empty" in row else ""
    known = row.get("inventory")
    used = ["", ""] if known is None else [known["source"], _number(known["coverage"])]
    return [name, str(row.get("sentences", "")), _rate(row, "per"), *counts, _rate(row, "per_folded"), empty, *used]


def _features(name: str, row: Mapping[str, Any]) -> list[str]:
    rates = [_rate(row, kind) for kind in ("pfer", "pfer_panphon", "attribute_error")]
    scores = [_number(row["inventory_found"][kind]) for kind in ("f1", "precision", "recall")]
    given = row["inventory_given"]
    return [name, *rates, *scores, "" if given is None else _number(given["f1"])]


def _rate(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return "-"
    low, high = row["intervals"][name]
    return f"{row[name]:5.3f} ({low:.3f}-{high:.3f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _substitutions(confusions: Sequence[Mapping[str, Any]]) -> list[str]:
    if not confusions:
        return []
    rows = [["commonest substitutions", "times", "of the phone", "heard as"]]
    for row in confusions[:_SHOWN]:
        features = _differences(row["features"])
        pair = f"{shown(row['reference'])} → {shown(row['hypothesis'])}"
        rows.append([pair, str(row["count"]), f"{row['share']:.0%}", features])
    return ["", columns(rows)]


def _differences(words: Sequence[str] | None) -> str:
    if not words:
        return "no features" if words is None else "the same features"
    more = f" and {len(words) - _WORDS} more" if len(words) > _WORDS else ""
    return ", ".join(words[:_WORDS]) + more


def _notes(document: Mapping[str, Any]) -> list[str]:
    notes = []
    worst = sorted(document["attributes"].items(), key=lambda x: (-x[1], x[0]))[:_SHOWN]
    if any(rate for _, rate in worst):
        named = ", ".join(f"{in_words([f'+{name}'])[0]} {rate:.3f}" for name, rate in worst if rate)
        notes.append(f"attributes with most errors: {named}")
    inventory = document["inventory"]
    if inventory is not None:
        size = f", {inventory['size']} phones" if inventory["size"] else ""
        notes.append(f"inventory: {inventory['source']}{size}; {_uncovered(inventory)}")
    features = document["features"]
    notes.append(f"PFER and attributes are in the features of {features['source']} ({features['version']})")
    for kind, counts in document["not_ipa"].items():
        if counts:
            notes.append(f"{sum(counts.values())} symbols of the {kind} are not IPA: {_listed(counts.items())}")
    return ["", *notes]


def _uncovered(inventory: Mapping[str, Any]) -> str:
    if not inventory["uncovered"]:
        return f"it has all {inventory['phones']} phones of the references"
    return (
        f"{inventory['uncovered']} of {inventory['phones']} phones of the references are not in it: "
        f"{_listed(inventory['missing'].items())}"
    )


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    named = [f"{shown(symbol)} {count}" for symbol, count in counts]
    return ", ".join(named[:_SHOWN]) + (f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else "")
