"""`speechxl prepare text`: texts of a manifest rewritten, with a report of every rewrite."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from speechxl.config import Rewriting
from speechxl.data.manifest import write_manifest
from speechxl.data.rewriting import Change, Rewriter
from speechxl.data.sources import is_manifest, read_corpora
from speechxl.errors import InputError, NothingMatched
from speechxl.files import write_text
from speechxl.shapes import Utterance
from speechxl.symbols import code_points, shown
from speechxl.verbs.corpora import raw_cells
from speechxl.verbs.inventory_table import columns
from speechxl.verbs.outcome import Outcome

log = logging.getLogger(__name__)
RAW, ROMANIZED = "raw_text", "romanized"
"""Columns for what texts were, and for them in Latin letters."""
_SHOWN, _WIDTH = 12, 48


def prepare_text(
    source: Path, out: Path, asked: Rewriting, *, language: str | None, split: str | None, overwrite: bool
) -> Outcome:
    """Writes the manifest with its texts rewritten, and ``.text.tsv`` beside it; see `prepare`.

    Raises:
        InputError: If the output is there already, or an optional library is needed for numbers or letters.
        NothingMatched: If no row has text.
    """
    manifest = out if is_manifest(out) else out / "manifest.tsv"
    if manifest.exists() and not overwrite:
        raise InputError(f"{manifest} stands there already; replace it with --overwrite.")
    rows = [
        replace(row, language=row.language or language or "", split=row.split or split or "")
        for row in read_corpora([source])
    ]
    raw = raw_cells([source], "text")
    if not any(row.text for row in rows):
        raise NothingMatched(f"{source}: no row has text.")
    rewriter = Rewriter(asked, _words() if asked.digits == "words" else None)
    new = [replace(row, text=rewriter(raw.get(row.origin, row.text), row.language, str(row))) for row in rows]
    emptied = [row for row, after in zip(rows, new, strict=True) if row.text and not after.text]
    changed = sum(before.text != after.text for before, after in zip(rows, new, strict=True))
    if changed:
        new = [
            replace(after, extra={**after.extra, RAW: before.extra.get(RAW) or before.text})
            for before, after in zip(rows, new, strict=True)
        ]
    if asked.romanize:
        new = _romanized(new)
    report = manifest.with_name(f"{manifest.name.partition('.')[0]}.text.tsv")
    write_text(report, "".join("\t".join(cells) + "\n" for cells in _lines(rewriter)))
    write_manifest(manifest, new)
    if emptied:
        log.warning("%d texts are empty now, the first at %s", len(emptied), emptied[0])
    document = {
        "schema": 1,
        "manifest": str(manifest),
        "report": str(report),
        "asked": asdict(asked),
        "utterances": len(rows),
        "changed": changed,
        "emptied": len(emptied),
        "changes": [
            {"language": code, **asdict(change), "count": count, **_example(rewriter, code, change)}
            for (code, change), count in _ranked(rewriter.counts)
        ],
    }
    return Outcome(document, _summary(document))


def _words() -> Any:
    from speechxl.classification.numbers import in_words

    return lambda digits, language: " ".join(in_words(digits, language).split())


def _romanized(rows: Sequence[Utterance]) -> list[Utterance]:
    from speechxl.classification.romanizing import ACKNOWLEDGEMENT, romanize

    latin = romanize([row.text for row in rows], [row.language for row in rows])
    log.info("column %r by uroman; publications are to say: %s", ROMANIZED, ACKNOWLEDGEMENT)
    return [replace(row, extra={**row.extra, ROMANIZED: text}) for row, text in zip(rows, latin, strict=True)]


def _ranked(counts: Counter[tuple[str, Change]]) -> list[tuple[tuple[str, Change], int]]:
    return sorted(counts.items(), key=lambda item: (item[0][1].kind == "left", item[0][1].kind, -item[1], str(item[0])))


def _example(rewriter: Rewriter, language: str, change: Change) -> dict[str, str]:
    return dict(zip(("place", "before", "after"), rewriter.examples[language, change], strict=True))


def _lines(rewriter: Rewriter) -> Iterable[list[str]]:
    """The report: one line for each change in each language."""
    yield ["kind", "language", "given", "code_points", "becomes", "count", "place", "before", "after"]
    for (language, change), count in _ranked(rewriter.counts):
        points = " ".join(code_points(change.given))
        cells = [change.kind, language, change.given, points, change.becomes, str(count)]
        yield [" ".join(cell.split()) for cell in (*cells, *rewriter.examples[language, change])]


def _summary(document: dict[str, Any]) -> str:
    """Before and after, for the terminal."""
    table = [["", "before", "code points", "after", "count", "first text before", "and after"]]
    of_kind: Counter[str] = Counter()
    for change in document["changes"]:
        of_kind[change["kind"]] += 1
        if of_kind[change["kind"]] <= _SHOWN:
            points = " ".join(code_points(change["given"])[:4]) + (" ..." if len(change["given"]) > 4 else "")
            becomes = change["becomes"] or "(left out)"
            becomes = "(stays)" if change["kind"] == "left" else becomes
            texts = [_cut(change["before"]), _cut(change["after"])]
            table.append(
                [change["kind"], _cut(shown(change["given"])), points, _cut(becomes), str(change["count"]), *texts]
            )
    lines = [columns(table), ""] if document["changes"] else ["nothing had to be rewritten"]
    more = [f"{count - _SHOWN} more of {kind}" for kind, count in of_kind.items() if count > _SHOWN]
    lines += [f"{', '.join(more)} in {document['report']}"] if more else []
    emptied = f", {document['emptied']} of them are empty now" if document["emptied"] else ""
    lines.append(f"{document['manifest']}: {document['changed']} of {document['utterances']} texts rewritten{emptied}")
    return "\n".join(lines)


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
