"""`speechxl prepare phonemes`: phones of the texts of a manifest."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from speechxl.data.g2p.chain import Chain, Pronunciation, pronounce, read_choices
from speechxl.data.g2p.reading import Rewrite, Tool
from speechxl.data.manifest import write_manifest
from speechxl.data.sources import is_manifest, read_corpora
from speechxl.errors import InputError
from speechxl.files import write_text
from speechxl.phonology.inventory import phoible_inventory
from speechxl.phonology.phoible import Phoible, open_phoible
from speechxl.shapes import Utterance
from speechxl.text import normalise
from speechxl.verbs.inventory_table import columns
from speechxl.verbs.outcome import NOTHING, PARTIAL, Outcome

log = logging.getLogger(__name__)
_SHOWN = 10


@dataclass
class _Language:
    """What became of the texts of a language."""

    tools: list[str] = field(default_factory=list)
    words: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By word and tool."""
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By word and reason."""
    rewrites: Counter[tuple[str, Rewrite]] = field(default_factory=Counter)
    """By tool."""
    phones: Counter[str] = field(default_factory=Counter)
    rows: list[tuple[Utterance, str]] = field(default_factory=list)
    """Without phones, and why."""
    lacking: list[str] | None = None
    """Phones that PHOIBLE's inventory of the language has not; None if it is not known."""


def prepare_phonemes(
    source: Path,
    out: Path,
    *,
    language: str | None,
    split: str | None,
    g2p: str,
    unknown: str,
    foreign: str,
    redo: bool,
    phoible: Path | None,
    overwrite: bool,
) -> Outcome:
    """Writes the manifest with its column ``phonemes``, and ``.g2p.tsv`` beside it; the settings are those of `prepare`.

    Raises:
        InputError: If a tool or the manifest cannot be had, or the output is there already.
    """
    manifest = out if is_manifest(out) else out / "manifest.tsv"
    if manifest.exists() and not overwrite:
        raise InputError(f"{manifest} stands there already; replace it with --overwrite.")
    chain = Chain(read_choices(g2p), foreign=foreign == "keep")
    known = open_phoible(phoible)
    rows = [
        replace(row, language=row.language or language or "", split=row.split or split or "")
        for row in read_corpora([source])
    ]
    todo: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if redo or not row.phonemes:
            todo[row.language].append(place)
    found: dict[str, _Language] = {}
    faults: list[str] = []
    for code in sorted(todo):
        chosen = [rows[place] for place in todo[code]]
        texts = [normalise(row.text) for row in chosen]
        tools, wrong = chain.tools(code, texts)
        faults += wrong
        found[code], phonemes = _language(chosen, texts, tools, wrong, skip=unknown == "skip")
        for place, phones in zip(todo[code], phonemes, strict=True):
            rows[place] = replace(rows[place], phonemes=phones)
        found[code].lacking = _lacking(found[code].phones, code, known)
    if faults and not any(result.tools for result in found.values()):
        raise InputError("\n".join(dict.fromkeys(faults)))
    for fault in dict.fromkeys(faults):
        log.warning("%s", fault)
    report = manifest.with_name(f"{manifest.name.partition('.')[0]}.g2p.tsv")
    write_text(report, "".join("\t".join(cells) + "\n" for cells in _lines(found)))
    document = _document(rows, found, manifest, report, sum(map(len, todo.values())))
    if document["with_phonemes"]:
        write_manifest(manifest, rows)
        return Outcome(document, _summary(document, known), PARTIAL if document["failed"] else 0)
    log.warning("no row has phonemes; see %s", report)
    return Outcome(document, "", NOTHING)


def _language(
    rows: Sequence[Utterance], texts: Sequence[str], tools: Sequence[Tool], faults: Sequence[str], *, skip: bool
) -> tuple[_Language, list[str]]:
    """What became of rows, and their phones."""
    result = _Language([tool.name for tool in tools])
    read: dict[str, Pronunciation] = {}
    phonemes = []
    for row, text in zip(rows, texts, strict=True):
        if text and tools and text not in read:
            read[text] = pronounce(text, tools)
        reason, pronunciation = "no text", read.get(text)
        if text and not tools:
            reason = "; ".join(faults)
        if pronunciation is not None:
            result.words.update(pronunciation.words)
            result.unknown.update(pronunciation.unknown)
            result.rewrites.update(pronunciation.rewrites)
            names = ", ".join(dict.fromkeys(word for word, _ in pronunciation.unknown))
            reason = f"unknown: {names}" if names else "nothing to read"
            if pronunciation.phones and (skip or not names):
                result.phones.update(pronunciation.phones)
                phonemes.append(normalise(" ".join(pronunciation.phones)))
                continue
        result.rows.append((row, reason))
        phonemes.append("")
    return result, phonemes


def _lacking(phones: Iterable[str], language: str, phoible: Phoible | None) -> list[str] | None:
    if phoible is None or not language:
        return None
    try:
        inventory = set(phoible_inventory(phoible, language).symbols)
    except InputError:
        return None
    return sorted(set(phones) - inventory)


def _lines(found: dict[str, _Language]) -> Iterable[list[str]]:
    """The report: one line for each word without phones, rewrite, phone, and row without phones."""
    yield ["kind", "language", "tool", "item", "becomes", "count"]
    for code, result in found.items():
        for (word, reason), count in _ranked(result.unknown):
            yield ["unknown word", code, "", word, reason, str(count)]
        for row, reason in result.rows:
            yield ["row without phonemes", code, "", str(row), reason, "1"]
        for (tool, rewrite), count in _ranked(result.rewrites):
            yield [rewrite.kind, code, tool, rewrite.given, rewrite.becomes, str(count)]
        lacking = set(result.lacking or ())
        for phone, count in _ranked(result.phones):
            place = "" if result.lacking is None else f"{'not ' * (phone in lacking)}in PHOIBLE"
            yield ["phone", code, "", phone, place, str(count)]


def _ranked(counts: Counter[Any]) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))


def _document(
    rows: Sequence[Utterance], found: dict[str, _Language], manifest: Path, report: Path, todo: int
) -> dict[str, Any]:
    return {
        "schema": 1,
        "manifest": str(manifest),
        "report": str(report),
        "utterances": len(rows),
        "with_phonemes": sum(bool(row.phonemes) for row in rows),
        "kept": len(rows) - todo,
        "without_text": sum(not row.text for result in found.values() for row, _ in result.rows),
        "failed": sum(bool(row.text) for result in found.values() for row, _ in result.rows),
        "languages": {code: _described(result) for code, result in found.items()},
    }


def _described(result: _Language) -> dict[str, Any]:
    tools: Counter[str] = Counter()
    for (_, tool), count in result.words.items():
        tools[tool] += count
    return {
        "tools": {tool: tools[tool] for tool in result.tools},
        "words": sum(result.words.values()) + sum(result.unknown.values()),
        "unknown": [{"word": x, "reason": why, "count": count} for (x, why), count in _ranked(result.unknown)],
        "rewrites": [
            {"kind": x.kind, "tool": tool, "given": x.given, "becomes": x.becomes, "count": count}
            for (tool, x), count in _ranked(result.rewrites)
        ],
        "rows": [{"row": str(row), "reason": reason} for row, reason in result.rows],
        "phones": dict(_ranked(result.phones)),
        "not_in_phoible": result.lacking,
    }


def _summary(document: dict[str, Any], phoible: Phoible | None) -> str:
    """For the terminal: numbers, the most frequent of everything, and where the rest is."""
    head = "{manifest}: {with_phonemes} of {utterances} rows have phonemes; {failed} could not be read".format(
        **document
    )
    head += f", {document['without_text']} have no text" if document["without_text"] else ""
    head += f", {document['kept']} had them already" if document["kept"] else ""
    lines = [f"{head}; see {document['report']}"]
    for code, result in document["languages"].items():
        tools = ", ".join(f"{count} by {tool}" for tool, count in result["tools"].items()) or "no tool"
        lines.append(f"\n{code or 'no language'}: {result['words']} words, {tools}; {len(result['phones'])} phones")
        lines += _first("unknown words", [[x["word"], str(x["count"]), x["reason"]] for x in result["unknown"]])
        changed = [x for x in result["rewrites"] if x["kind"] != "stress"]
        lines += _first(
            "rewrites",
            [[x["kind"], x["given"], x["becomes"] or "(left out)", str(x["count"]), x["tool"]] for x in changed],
        )
        if result["not_in_phoible"]:
            listed = " ".join(f"{phone} ({result['phones'][phone]})" for phone in result["not_in_phoible"])
            lines.append(f"phones that PHOIBLE does not have for {code}: {listed}")
        elif result["not_in_phoible"] is None:
            why = "is not installed (speechxl inventory install)" if phoible is None else "does not have this language"
            lines.append(f"not compared to PHOIBLE, which {why}")
    return "\n".join(lines)


def _first(title: str, rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    more = f", the first {_SHOWN}" if len(rows) > _SHOWN else ""
    return [f"{title} ({len(rows)}{more}):", columns([["  " + row[0], *row[1:]] for row in rows[:_SHOWN]])]
