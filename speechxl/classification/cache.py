"""Transcripts that were made before, found by the content of the recording and of the model. No torch."""

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from speechxl.classification.hashes import audio_hash
from speechxl.decoding.lines import Lines
from speechxl.files import write_text
from speechxl.shapes import Utterance

log = logging.getLogger(__name__)


def cached(
    rows: Sequence[Utterance],
    folder: Path | None,
    way: dict[str, Any],
    recognise: Callable[[Sequence[Utterance]], Iterable[str | None]],
) -> list[str]:
    """Texts of utterances; only those that are not known yet are recognised.

    What is known stands in one file for each way, which outlives interruptions. A recording may be moved or stand in
    another manifest: its content counts.

    Args:
        rows: N utterances.
        folder: Of the files; None to keep nothing.
        way: All that decides on the texts beside the recordings: a hash of the model, and how it is used.
        recognise: Gives texts in order, None for a recording that cannot be used.

    Returns:
        N texts, empty for recordings that cannot be used; these are tried again another time.
    """
    if folder is None:
        return [text or "" for text in recognise(rows)]
    name = sha256(json.dumps(way, sort_keys=True, default=str).encode()).hexdigest()[:16]
    lines = Lines(Path(folder) / f"{name}.jsonl")
    if not (note := Path(folder) / f"{name}.json").exists():
        write_text(note, json.dumps(way, indent=1, default=str) + "\n")
    keys = [f"{audio_hash(row)}/{row.language}" for row in rows]
    todo = {key: row for key, row in zip(keys, rows, strict=True) if key not in lines}
    if len(todo) < len(set(keys)):
        log.info(
            "%d of %d transcripts are known from before (%s)", len(set(keys)) - len(todo), len(set(keys)), lines.path
        )
    failed = set()
    try:
        for (key, row), text in zip(todo.items(), recognise(list(todo.values())) if todo else [], strict=True):
            if text is None:
                failed.add(key)
            else:
                lines.add({"audio": key, "name": row.id, "text": text})
    finally:
        lines.finish([])
    return ["" if key in failed else str(lines.read(key)["text"]) for key in keys]
