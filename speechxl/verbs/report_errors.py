"""Errors of a recogniser, as a document and as parts of its report."""

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from speechxl.evaluation.confusions import by_articulation, by_frequency, confusion_counts, symbol_counts
from speechxl.evaluation.maps import intervals
from speechxl.evaluation.page import Section
from speechxl.evaluation.report import rates
from speechxl.verbs.judged import Judged, rates_of
from speechxl.verbs.players import Players
from speechxl.verbs.report_figures import aligned_texts, confusion_map

_MOST_SYMBOLS, _MOST_ROWS, _COMMONEST = 60, 40, 15


def errors_document(judged: Judged, worst: int) -> dict[str, Any]:
    """Everything that the page shows, in numbers.

    Args:
        judged: Utterances.
        worst: How many of the worst are named.
    """
    counts = confusion_counts(judged.aligned)
    symbols = symbol_counts(counts)
    classes = by_articulation(symbols) if judged.units == "phoneme" else by_frequency(symbols)
    return {
        "units": judged.units,
        "errors": rates_of(judged.errors),
        "wer": None if judged.units == "phoneme" else _words(judged),
        "per_language": judged.parts(lambda row: row.language or "(unknown)"),
        "per_speaker": judged.parts(lambda row: row.speaker or None),
        "per_duration": judged.durations(),
        "classes": classes,
        "confusions": [[*pair, count] for pair, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))],
        "worst": [
            {
                "id": judged.ids[place],
                "reference": judged.references[place],
                "hypothesis": judged.hypotheses[place],
                **{name: value for name, value in rates_of(judged.errors.select([place])).items() if name in _OF_ONE},
                "place": place,
            }
            for place in judged.worst(worst)
        ],
    }


_OF_ONE = ("units", "rate", "substitutions", "deletions", "insertions")


def lines(found: Mapping[str, Any]) -> list[str]:
    """For people, on standard output."""
    if "errors" not in found:
        return []
    own = found["errors"]
    return [f"{_name(found)} {_rate(own)}, {own['utterances']} utterances"]


def error_sections(judged: Judged, found: Mapping[str, Any], players: Players) -> list[Section]:
    """Parts of the page.

    Args:
        judged: Utterances.
        found: `errors_document`.
        players: For the worst.
    """
    return [
        _overall(found),
        *_parts(found, "per_language", "Languages", "language"),
        *_parts(found, "per_speaker", "Speakers", "speaker"),
        *_parts(found, "per_duration", "Durations", "seconds"),
        *_confusions(found),
        *_worst(judged, found, players),
    ]


def _overall(found: Mapping[str, Any]) -> Section:
    table: list[list[object]] = [_header("")]
    table.append(_row("all", found["errors"]))
    note = "With 95 % bootstrap intervals over utterances."
    if found["wer"] is not None:
        note += f" Word error rate: {_rate(found['wer'])}."
    return Section(_name(found), table=table, note=note)


def _parts(found: Mapping[str, Any], key: str, title: str, column: str) -> Iterator[Section]:
    """Errors by one thing, the highest rate first except for durations."""
    parts = {name: own for name, own in found[key].items() if own["rate"] is not None}
    if len(parts) < 2:
        return
    names = list(parts) if key == "per_duration" else sorted(parts, key=lambda name: -parts[name]["rate"])
    shown = names[:_MOST_ROWS]
    points = {name.replace("$", r"\$"): (parts[name]["rate"], parts[name]["interval"]) for name in shown}
    note = f"{len(names) - len(shown)} more, with lower rates, stand in --json." if len(names) > len(shown) else ""
    figures = [intervals(points, xlabel=_name(found).lower())]
    yield Section(title, "", [_header(column), *(_row(name, parts[name]) for name in shown)], figures, note)


def _confusions(found: Mapping[str, Any]) -> Iterator[Section]:
    counts = {(said, heard): count for said, heard, count in found["confusions"]}
    said = symbol_counts(counts)
    if not said:
        return
    wrong = {symbol: 0 for symbol in said}
    for (first, second), count in counts.items():
        if first != second:
            for symbol in {first, second} - {""}:
                wrong[symbol] += count
    kept = set(sorted(said, key=lambda symbol: (-wrong[symbol], -said[symbol], symbol))[:_MOST_SYMBOLS])
    classes = {name: [symbol for symbol in own if symbol in kept] for name, own in found["classes"].items()}
    note = (
        "Rows: what was said; columns: what was recognised, percent of the row; last column: nothing was; last row: how often a "
        "symbol was put in."
    )
    if len(said) > len(kept):
        note += f" Of {len(said)} symbols, the {len(kept)} with most errors."
    order = "Phones by articulatory class" if found["units"] == "phoneme" else "Characters by frequency"
    yield Section("Confusions", f"{order}.", figures=[confusion_map(classes, counts)], note=note)
    changed = [item for item in counts.items() if item[0][0] != item[0][1]]
    table: list[list[object]] = [["said", "recognised as", "times", "of all that is said"]]
    for (first, second), count in [item for item in changed if all(item[0])][:_COMMONEST]:
        table.append([_visible(first), _visible(second), count, f"{count / said[first]:.0%}"])
    yield Section("Commonest substitutions", table=table)
    table = [["left out", "times", "of all that is said", "put in", "times"]]
    deleted = [(first, count) for (first, second), count in changed if not second][:_COMMONEST]
    inserted = [(second, count) for (first, second), count in changed if not first][:_COMMONEST]
    for place in range(max(len(deleted), len(inserted))):
        left, right = (own[place] if place < len(own) else ("", "") for own in (deleted, inserted))
        share = f"{int(left[1]) / said[left[0]]:.0%}" if left[0] else ""
        table.append([_visible(left[0]), left[1], share, _visible(right[0]), right[1]])
    yield Section("Deletions and insertions", table=table)


def _worst(judged: Judged, found: Mapping[str, Any], players: Players) -> Iterator[Section]:
    if not found["worst"]:
        return
    table: list[list[object]] = [["", "utterance", "rate", "said, and below it what was recognised"]]
    for own in found["worst"]:
        row = judged.rows[own["place"]]
        who = ", ".join(part for part in (row.language, row.speaker) if part) if row is not None else ""
        name = Markup("{}<br><small>{}</small>").format(own["id"], who)
        rate = "-" if own["rate"] is None else f"{own['rate']:.2f}"
        table.append([players(row), name, rate, aligned_texts(judged.aligned[own["place"]])])
    note = (
        f"{players.lacking} recordings have no player: no room (--audio_mb), too long, or not there."
        if players.lacking
        else ""
    )
    text = "Orange: substituted, blue: left out, red: put in."
    yield Section("Worst utterances", text, table, note=note)


def _words(judged: Judged) -> dict[str, Any]:
    measured = rates(judged.references, judged.hypotheses, "char")
    return {"rate": measured["wer"], "interval": measured["intervals"]["wer"]}


def _name(found: Mapping[str, Any]) -> str:
    return "Phone error rate" if found["units"] == "phoneme" else "Character error rate"


def _header(column: str) -> list[object]:
    return [column, "rate (95 %)", "utterances", "symbols", "substitutions", "deletions", "insertions"]


def _row(name: str, own: Mapping[str, Any]) -> list[object]:
    counts = (own[key] for key in ("utterances", "units", "substitutions", "deletions", "insertions"))
    return [name, _rate(own), *counts]


def _rate(own: Mapping[str, Any]) -> str:
    if own["rate"] is None:
        return "-"
    return f"{own['rate']:.3f}" + (
        "" if own["interval"] is None else f" ({own['interval'][0]:.3f} to {own['interval'][1]:.3f})"
    )


def _visible(symbol: str) -> str:
    """A symbol that can be seen."""
    return "space" if symbol.isspace() else symbol
