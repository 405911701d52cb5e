"""Lhotse's manifests, without Lhotse."""

import gzip
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from speechxl.data.audio import AudioInfo, probe
from speechxl.data.clips import unique
from speechxl.data.manifest import Fault
from speechxl.files import replace_file
from speechxl.shapes import Utterance


def write(rows: Sequence[Utterance], out: Path) -> tuple[list[Path], list[Fault]]:
    """Writes ``recordings.jsonl.gz``, ``supervisions.jsonl.gz`` and ``cuts.jsonl.gz``, a cut for each row.

    Phonemes, label, split and other columns are in "custom" of the supervisions.

    Args:
        rows: With durations.
        out: Folder.

    Returns:
        Files, and no faults.
    """
    recordings: dict[Path, dict[str, Any]] = {}
    names: dict[str, int] = {}
    for row in rows:
        if row.path not in recordings:
            name = unique(row.path.stem, names)
            recordings[row.path] = _recording(name, row.path, probe(row.path))
    supervisions = [_supervision(row, recordings[row.path]) for row in rows]
    cuts = [_cut(row, one, recordings[row.path]) for row, one in zip(rows, supervisions, strict=True)]
    tables: dict[str, Iterable[dict[str, Any]]] = {
        "recordings": recordings.values(), "supervisions": supervisions, "cuts": cuts,
    }  # fmt: skip
    files = []
    for name, lines in tables.items():
        data = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        files.append(out / f"{name}.jsonl.gz")
        replace_file(files[-1], lambda part, data=data: part.write_bytes(gzip.compress(data, mtime=0)))  # type: ignore[misc]
    return files, []


def _recording(name: str, path: Path, info: AudioInfo) -> dict[str, Any]:
    channels = list(range(info.channels))
    return {
        "id": name,
        "sources": [{"type": "file", "channels": channels, "source": str(path)}],
        "sampling_rate": info.rate,
        "num_samples": round(info.duration * info.rate),
        "duration": info.duration,
        "channel_ids": channels,
    }


def _supervision(row: Utterance, recording: dict[str, Any]) -> dict[str, Any]:
    custom = {"split": row.split, "phonemes": row.phonemes, "label": row.label, **row.extra}
    said = {"text": row.text, "language": row.language, "speaker": row.speaker}
    return {
        "id": row.id,
        "recording_id": recording["id"],
        "start": round(row.start, 6),
        "duration": round(row.seconds, 6),
        "channel": _channel(recording),
        **{key: value for key, value in said.items() if value},
        "custom": {key: value for key, value in custom.items() if value},
    }


def _channel(recording: dict[str, Any]) -> int | list[int]:
    channels: list[int] = recording["channel_ids"]
    return channels if len(channels) > 1 else 0


def _cut(row: Utterance, supervision: dict[str, Any], recording: dict[str, Any]) -> dict[str, Any]:
    channel = _channel(recording)
    return {
        "id": row.id,
        "start": supervision["start"],
        "duration": supervision["duration"],
        "channel": channel,
        "supervisions": [{**supervision, "start": 0.0}],
        "recording": recording,
        "type": "MonoCut" if channel == 0 else "MultiCut",
    }
