"""Kaldi's data directory."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from speechxl.data.clips import folder_name, unique
from speechxl.data.manifest import Fault
from speechxl.files import write_text
from speechxl.shapes import Utterance

log = logging.getLogger(__name__)


def write(rows: Sequence[Utterance], out: Path, column: str = "text") -> tuple[list[Path], list[Fault]]:
    """Writes ``wav.scp``, ``segments``, ``text``, ``utt2spk``, ``spk2utt``, ``utt2lang`` and ``utt2dur``, sorted as Kaldi wants.

    Ids begin with the speaker; an utterance without one is its own.

    Args:
        rows: With durations.
        out: The directory; one for each split in it if there are several.
        column: What becomes the text, ``"text"`` or ``"phonemes"``.

    Returns:
        Files, and rows that have no place in them.
    """
    files: list[Path] = []
    faults: list[Fault] = []
    splits = sorted({row.split for row in rows})
    for split in splits:
        folder = out / folder_name(split or "rest") if len(splits) > 1 else out
        for name, lines in _tables([row for row in rows if row.split == split], faults, column).items():
            files.append(folder / name)
            write_text(files[-1], "".join(f"{line}\n" for line in sorted(lines, key=str.encode)))
    others = {path.suffix for path in {row.path for row in rows}} - {".wav"}
    if others:
        log.warning(
            "wav.scp names %s files, which Kaldi reads through a command alone: ffmpeg -i FILE -f wav -ar 16000 -ac 1 - |",
            ", ".join(sorted(others)),
        )
    return files, faults


def _tables(rows: Sequence[Utterance], faults: list[Fault], column: str) -> dict[str, list[str]]:
    """Lines of each table."""
    words: dict[str, int] = {}
    names = {path: unique(_word(path.stem), words) for path in dict.fromkeys(row.path for row in rows)}
    found: dict[str, list[str]] = {
        name: [] for name in ("wav.scp", "segments", "text", "utt2spk", "spk2utt", "utt2lang", "utt2dur")
    }
    speakers: dict[str, list[str]] = {}
    taken: set[str] = set()
    recordings: dict[str, Path] = {}
    for row in rows:
        speaker, id = _word(row.speaker), _word(row.id)
        id = id if not speaker or id.startswith(speaker) else f"{speaker}-{id}"
        if id in taken or str(row.path).endswith("|"):
            reason = "as an id stands twice where spaces are underscores" if id in taken else "names a command to Kaldi"
            faults.append(Fault(str(row), f"{id if id in taken else row.path} {reason}"))
            continue
        taken.add(id)
        name = names[row.path]
        recordings[name] = row.path
        found["segments"].append(f"{id} {name} {row.start:.4f} {row.start + row.seconds:.4f}")
        text = row.phonemes if column == "phonemes" else row.text
        found["text"] += [f"{id} {text}"] if text else []
        found["utt2spk"].append(f"{id} {speaker or id}")
        found["utt2lang"] += [f"{id} {row.language}"] if row.language else []
        found["utt2dur"].append(f"{id} {row.seconds:.4f}")
        speakers.setdefault(speaker or id, []).append(id)
    found["wav.scp"] = [f"{name} {path}" for name, path in recordings.items()]
    found["spk2utt"] = [f"{who} {' '.join(sorted(ids, key=str.encode))}" for who, ids in speakers.items()]
    return {name: lines for name, lines in found.items() if lines}


def _word(name: str) -> str:
    return re.sub(r"\s+", "_", name)
