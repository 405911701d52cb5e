"""Corpora as Parquet shards: FLAC and all that is known about it in one row, for corpora too large for files.

A folder of shards holds ``LANGUAGE/CORPUS-00000.parquet`` and so on, and ``shards.tsv``, the index, which is written last.
`datasets`, Ray, DuckDB and others read the shards as they are; their audio column is what `datasets` expects of its feature
``Audio``. No torch at import.
"""

import hashlib
import io
import json
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import soundfile

from speechxl.data.audio import AudioError, probe, read_audio
from speechxl.data.manifest import Fault
from speechxl.errors import InputError
from speechxl.files import replace_file, write_text
from speechxl.shapes import SAMPLE_RATE, Utterance

log = logging.getLogger(__name__)
INDEX = "shards.tsv"
COLUMNS = ("id", "audio", "duration_s", "language", "speaker", "split", "text", "phonemes", "label")
"""Columns of a shard."""
SHARD_SECONDS = 3600.0
"""Audio of a shard, about; 115 MB."""
_GROUP_SECONDS = 30.0
"""Audio of a row group: what is in memory of each shard that is being read, 0.5 MB."""
_UNKNOWN = "und"
"""ISO 639-3 for a language that is not known."""
_SCHEMA = pyarrow.schema(
    [
        (name, pyarrow.float64() if name == "duration_s" else pyarrow.string())
        if name != "audio"
        else (name, pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())]))
        for name in COLUMNS
    ]
)
_PLAN = b"speechxl"
"""Key of what a shard was made from, in its metadata."""


@dataclass(frozen=True)
class Shard:
    """A line of the index: one file, of one split of one corpus in one language."""

    file: Path
    """Absolute."""
    language: str
    """ISO 639-3, empty if unknown."""
    corpus: str
    split: str
    utterances: int
    hours: float


@dataclass(frozen=True)
class Written:
    """What became of a corpus."""

    shards: list[Shard]
    faults: list[Fault]
    """Recordings that cannot be used."""


def holds_shards(path: Path) -> bool:
    """Whether a path is a folder of shards."""
    return (path / INDEX).is_file()


def read_index(folder: Path) -> list[Shard]:
    """Shards of a folder.

    Raises:
        InputError: If the index is missing or cannot be read, or names shards that are not there.
    """
    path = folder / INDEX
    if not path.is_file():
        raise InputError(
            f"{folder}: no {INDEX} in this folder; it is made, or continued, with speechxl prepare shards MANIFEST {folder}"
        )
    shards = []
    header, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
    for number, line in enumerate(lines, start=2):
        try:
            row: dict[str, Any] = dict(zip(header.split("\t"), line.split("\t"), strict=True))
            numbers: dict[str, Any] = {"utterances": int(row.pop("utterances")), "hours": float(row.pop("hours"))}
            shard = Shard(folder.absolute() / row.pop("file"), **row, **numbers)
        except (KeyError, TypeError, ValueError):
            raise InputError(
                f"{path}:{number}: {line!r} was not written by speechxl prepare shards; run it again with --overwrite."
            ) from None
        if not shard.file.is_file():
            raise InputError(
                f"{path}:{number}: the shard {shard.file} is missing; run prepare shards with --overwrite."
            )
        shards.append(shard)
    return shards


def write_shards(
    utterances: Iterable[Utterance],
    out: Path,
    *,
    corpus: str,
    shard_seconds: float = SHARD_SECONDS,
    threads: int = 1,
    overwrite: bool = False,
) -> Written:
    """Writes a corpus beside what ``out`` holds of others, in an order that only the ids decide.

    Shards that an interrupted call has finished are kept. A few utterances are in memory at a time.

    Args:
        utterances: With unique ids.
        out: Folder of shards.
        corpus: Name of the corpus, where the manifest has no column ``corpus``.
        shard_seconds: Audio of a shard, about.
        threads: That decode and encode audio.
        overwrite: Whether to write it again where it is there already.

    Raises:
        InputError: If the corpus is there already, or a language or the corpus cannot name a file.
    """
    utterances, faults = _completed(utterances)
    plan = list(_plan(utterances, corpus, shard_seconds))
    groups = {(shard.language, shard.corpus) for shard, _ in plan}
    index = read_index(out) if holds_shards(out) else []
    others = [shard for shard in index if (shard.language, shard.corpus) not in groups]
    if len(others) < len(index):
        if not overwrite:
            names = sorted({f"{s.language or _UNKNOWN}/{s.corpus}" for s in index if s not in others})
            raise InputError(
                f"{out / INDEX}: {', '.join(names)} stands there already; replace it with --overwrite, or name another --corpus."
            )
        _write_index(out, others)
    wanted = {out / shard.file for shard, _ in plan}
    for file in {file for shard, _ in plan for file in _files(out, shard)}:
        if overwrite or file not in wanted:  # of another plan
            file.unlink()
    for rest in {
        rest for file in wanted for rest in file.parent.glob(f".{file.name}.*.part")
    }:  # of a call that was killed
        rest.unlink()
    shards: list[Shard] = []
    with ThreadPoolExecutor(threads) as pool:
        for shard, rows in plan:
            made = _kept(out / shard.file, rows) or _write(out / shard.file, rows, pool, threads)
            faults += [Fault(place, message) for place, message in made["faults"]]
            if made["utterances"]:
                shard = replace(shard, utterances=made["utterances"], hours=made["seconds"] / 3600)
                log.info("%s: %d utterances, %.2f h", shard.file, shard.utterances, shard.hours)
                shards.append(shard)
            else:
                (out / shard.file).unlink()
    _write_index(out, [*others, *shards])
    return Written(shards, faults)


def _completed(utterances: Iterable[Utterance]) -> tuple[list[Utterance], list[Fault]]:
    """With durations out of headers where the manifest gives none, as the plan needs them."""
    kept, faults = [], []
    for utterance in utterances:
        try:
            seconds = (
                utterance.duration
                if utterance.duration is not None
                else probe(utterance.path).duration - utterance.start
            )
        except AudioError as error:
            faults.append(Fault(str(utterance), str(error)))
        else:
            language = "" if utterance.language == _UNKNOWN else utterance.language
            kept.append(replace(utterance, duration=seconds, language=language))
    return kept, faults


def _plan(utterances: list[Utterance], corpus: str, shard_seconds: float) -> Iterator[tuple[Shard, list[Utterance]]]:
    """Evenly filled shards of each language, corpus and split."""

    def part(utterance: Utterance) -> tuple[str, str, str]:
        return utterance.language, utterance.extra.get("corpus") or corpus, " ".join(utterance.split.split())

    numbers: dict[tuple[str, str], int] = {}
    for (language, name, split), group in groupby(sorted(utterances, key=part), part):
        stem = f"{_file_name(language or _UNKNOWN, 'language')}/{_file_name(name, 'corpus')}"
        rows = sorted(group, key=lambda row: hashlib.blake2b(row.id.encode()).digest())
        ends = np.cumsum([row.seconds for row in rows])
        count = max(1, min(len(rows), round(ends[-1] / shard_seconds)))
        places = np.minimum((ends - ends[0]) / max(ends[-1] - ends[0], 1e-9) * count, count - 1).astype(int)
        for chosen in (np.flatnonzero(places == place) for place in range(count)):
            if len(chosen):
                number = numbers.setdefault((language, name), 0)
                numbers[language, name] += 1
                shard = Shard(Path(f"{stem}-{number:05d}.parquet"), language, name, split, 0, 0.0)
                yield shard, [rows[place] for place in chosen]


def _file_name(name: str, what: str) -> str:
    if not re.fullmatch(r"\w[\w.+-]*", name):
        raise InputError(f"{what} {name!r} cannot name a file; letters, digits and . + - _ were expected.")
    return name


def _files(out: Path, shard: Shard) -> list[Path]:
    """Shards that stand there of the same language and corpus."""
    stem = re.escape(shard.file.name.rpartition("-")[0])
    folder = (out / shard.file).parent
    return [file for file in folder.glob("*.parquet") if re.fullmatch(rf"{stem}-\d+\.parquet", file.name)]


def _digest(rows: Sequence[Utterance]) -> str:
    plain = json.dumps([asdict(replace(row, origin="")) for row in rows], default=str)
    return hashlib.blake2b(plain.encode(), digest_size=16).hexdigest()


def _kept(path: Path, rows: Sequence[Utterance]) -> dict[str, Any] | None:
    """What an earlier call wrote, if it is of the same rows."""
    try:
        made = json.loads((pyarrow.parquet.read_metadata(path).metadata or {}).get(_PLAN, b"{}"))
    except (OSError, pyarrow.ArrowInvalid):
        return None
    return made if made.get("plan") == _digest(rows) else None


def _write(path: Path, rows: Sequence[Utterance], pool: ThreadPoolExecutor, threads: int) -> dict[str, Any]:
    made: dict[str, Any] = {"plan": _digest(rows), "utterances": 0, "seconds": 0.0, "faults": []}

    def write(part: Path) -> None:
        with pyarrow.parquet.ParquetWriter(
            part, _SCHEMA, compression="none", use_dictionary=False, write_statistics=False
        ) as writer:
            pending: list[dict[str, Any]] = []
            for row in _rows(rows, pool, threads):
                if isinstance(row, Fault):
                    made["faults"].append((row.place, row.message))
                    continue
                pending.append(row)
                made["utterances"] += 1
                made["seconds"] += row["duration_s"]
                if sum(row["duration_s"] for row in pending) >= _GROUP_SECONDS:
                    writer.write_table(pyarrow.Table.from_pylist(pending, _SCHEMA))
                    pending = []
            if pending:
                writer.write_table(pyarrow.Table.from_pylist(pending, _SCHEMA))
            writer.add_key_value_metadata({_PLAN: json.dumps(made)})

    replace_file(path, write)
    return made


def _rows(rows: Sequence[Utterance], pool: ThreadPoolExecutor, threads: int) -> Iterator[dict[str, Any] | Fault]:
    """A few rows at a time, in order."""
    rest = iter(rows)
    while chosen := list(islice(rest, 4 * threads)):
        yield from pool.map(_row, chosen)


def _row(utterance: Utterance) -> dict[str, Any] | Fault:
    try:
        samples = read_audio(utterance.path, utterance.start, utterance.duration)
    except AudioError as error:
        return Fault(str(utterance), str(error))
    known = {column: getattr(utterance, column, "") for column in COLUMNS}
    audio = {"bytes": flac(samples), "path": f"{utterance.id}.flac"}
    return known | {"audio": audio, "duration_s": len(samples) / SAMPLE_RATE}


def flac(samples: np.ndarray) -> bytes:
    """(T,) float at 16 kHz as FLAC of 16 bits; exact for what was recorded so."""
    file = io.BytesIO()
    values = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
    soundfile.write(file, values, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _write_index(out: Path, shards: Iterable[Shard]) -> None:
    """Sorted by file, so that the order in which corpora were written does not matter."""
    lines = ["\t".join(("file", "language", "corpus", "split", "utterances", "hours"))]
    for shard in sorted(shards, key=lambda shard: (out.absolute() / shard.file).as_posix()):
        file = (out.absolute() / shard.file).relative_to(out.absolute()).as_posix()
        lines.append(
            "\t".join(map(str, (file, shard.language, shard.corpus, shard.split, shard.utterances, shard.hours)))
        )
    write_text(out / INDEX, "".join(f"{line}\n" for line in lines))
