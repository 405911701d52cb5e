"""`speechxl lm`: a language model from text."""

from pathlib import Path
from typing import Literal

from speechxl.verbs.outcome import Outcome


def lm(
    text: list[Path],
    *,
    out: Path,
    units: Literal["char", "word", "phoneme"] = "char",
    order: int | None = None,
    column: str | None = None,
    split: str | None = None,
    overwrite: bool = False,
) -> Outcome:
    """Estimate an n-gram language model (modified Kneser-Ney) that transcribe and evaluate take with --lm.

    Args:
        text: Text files with a sentence a line, or manifests.
        out: ARPA file.
        units: Characters, which suits little text and long words, words, or phones that are separated by spaces.
        order: Length of the longest n-grams; by default 6, for words 3.
        column: Manifest column; by default "text", or "phonemes" for phones.
        split: Rows of manifests to use; by default "train", or all rows where there are no splits.
        overwrite: Replace the file.
    """
    from speechxl.data.sources import is_manifest
    from speechxl.decoding.arpa import estimate, write
    from speechxl.errors import InputError
    from speechxl.files import write_text
    from speechxl.text import normalise
    from speechxl.verbs.corpora import Corpora, target

    if out.exists() and not overwrite:
        raise InputError(f"--out {out}: stands there already; replace it with --overwrite, or name another.")
    order = order or (3 if units == "word" else 6)
    if order < 1:
        raise InputError(f"--order must be at least 1, got {order}.")
    column = column or ("phonemes" if units == "phoneme" else "text")
    sentences: list[str] = []
    for path in text:
        if is_manifest(path) or path.is_dir():
            sentences += [target(row, column) for row in Corpora.read([path]).choose(split, "train")]
        else:
            try:
                sentences += path.read_text(encoding="utf-8-sig").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"{path}: cannot be read as UTF-8 text ({error}).") from None
    split_up = [
        list(sentence.replace(" ", "|")) if units == "char" else sentence.split()
        for sentence in map(normalise, sentences)
        if sentence
    ]
    levels = estimate(split_up, order)
    write_text(out, "\n".join(write(levels)) + "\n")
    document = {
        "schema": 1,
        "out": str(out),
        "sentences": len(split_up),
        "units": sum(map(len, split_up)),
        "different": len(levels[0]) - 3,
        "ngrams": [len(level) for level in levels],
    }
    return Outcome(document, str(out))
