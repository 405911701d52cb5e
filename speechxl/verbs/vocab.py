"""`speechxl vocab`: the symbols of a corpus before it is trained on."""

from pathlib import Path
from typing import Literal

from speechxl.verbs.outcome import Outcome


def vocab(
    manifest: list[Path],
    *,
    units: Literal["char", "phoneme"] | None = None,
    column: str | None = None,
    split: str | None = None,
    dev: list[Path] | None = None,
    model: str | None = None,
    model_language: str | None = None,
) -> Outcome:
    """Show the symbols that a model of these texts would have, and what in them is likely not meant.

    Args:
        manifest: Manifests, or folders of recordings with their texts.
        units: Characters, or phones that are separated by spaces; by default those of --model, else characters.
        column: Manifest column of the texts; by default that of --model, else "text", or "phonemes" for phones.
        split: Rows to use; by default "train", or all rows where there are no splits; "all" for every row.
        dev: Manifests whose symbols should all occur; by default the dev rows of MANIFEST.
        model: Model folder, or name on the hub, whose vocabulary is compared.
        model_language: Language whose vocabulary that is, where --model has one for each.
    """
    from dataclasses import asdict

    from speechxl.errors import InputError
    from speechxl.spelling import findings
    from speechxl.symbols import Line, count_parts, count_words, describe
    from speechxl.verbs.corpora import Corpora, dev_rows, raw_cells, target, with_target
    from speechxl.verbs.vocab_table import table

    vocabulary = None
    if model is not None:
        from speechxl.models.folders import read_card
        from speechxl.models.vocabularies import read_vocabulary

        vocabulary = read_vocabulary(model, model_language)
        if units not in (None, vocabulary.units):
            raise InputError(f"--units {units}: {model} is a model of units {vocabulary.units}; leave --units out.")
        units = "phoneme" if vocabulary.delimiter is None else "char"
        column = column or read_card(model).column
    units = units or "char"
    column = column or ("text" if units == "char" else "phonemes")
    corpora = Corpora.read(manifest)
    rows = with_target(corpora.choose(split, "train"), column, corpora)
    watched = dev_rows(corpora, dev, split, column)
    cells = raw_cells([*manifest, *(dev or [])], column)
    lines = [Line(str(row), cells.get(row.origin, target(row, column))) for row in rows]
    words = count_words(lines, units)
    of_dev = count_words((Line(str(row), target(row, column)) for row in watched), units)
    found = findings(lines, words, of_dev, units, vocabulary)
    counted = count_parts(words) if units == "char" else words
    symbols = [describe(symbol, counted[symbol]) for symbol in sorted(counted, key=lambda x: -counted[x].count)]
    document = {
        "schema": 1,
        "texts": len(lines),
        "dev_texts": len(watched),
        "symbols": symbols,
        "findings": [asdict(finding) for finding in found],
    }
    total = sum(symbol["count"] for symbol in symbols)
    summary = f"{len(lines)} texts, {total} symbols, {len(symbols)} different; {len(watched)} texts for dev"
    text = "\n".join([table(symbols), "", summary, *map(str, found)])
    return Outcome(document, text)
