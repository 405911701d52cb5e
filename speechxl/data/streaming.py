"""Batches out of Parquet shards, without end, in memory that does not grow with the corpus.

Each language and corpus is a source of its own, which goes through its shards in passes. The source that is furthest behind its
share of the audio gives the next utterance; a pool of utterances is cut into batches of similar lengths. All of it follows from
the seed and from a few numbers, which every batch carries, so that a stream goes on exactly behind any batch.
"""

import glob
import hashlib
import json
import logging
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import numpy as np
import pyarrow
import torch
from datasets.distributed import split_dataset_by_node
from pyarrow.dataset import ParquetFragmentScanOptions
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from speechxl.data.audio import AudioError, Recording, read_audio
from speechxl.data.batching import plan_batches
from speechxl.data.datamodule import EndlessData, SpeechDataset, draw_key
from speechxl.data.sampling import Group
from speechxl.data.shards import COLUMNS, Shard
from speechxl.errors import InputError
from speechxl.shapes import Batch, Utterance

log = logging.getLogger(__name__)
POOL_BATCHES = 20
"""Batches that are planned together."""
_FEATURES = datasets.Features(
    {
        name: {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
        if name == "audio"
        else datasets.Value("float64" if name == "duration_s" else "string")
        for name in COLUMNS
    }
)
_ONE_AT_A_TIME = ParquetFragmentScanOptions(pre_buffer=False)
_MOST_READERS = 2**20
Row = dict[str, Any]


@dataclass(frozen=True)
class Stored:
    """An utterance and its FLAC."""

    utterance: Utterance
    flac: bytes

    def read(self) -> np.ndarray:
        """(T,) float32 at 16 kHz.

        Raises:
            AudioError: With the shard and the id.
        """
        return read_audio(Recording(self.flac, f"{self.utterance.path}: {self.utterance.id}"))


def read_shard(file: Path, first: int = 0, part: int = 0, parts: int = 1) -> Iterator[Row]:
    """Rows of a shard, one row group in memory at a time.

    Args:
        file: The shard.
        first: Rows to pass over, a multiple of ``parts``.
        part: Of which rows, every ``parts``-th, are given.
        parts: See above.

    Raises:
        InputError: If the file is missing or damaged.
    """
    try:
        rows = _opened(file, part, parts)
        # `iter`, unlike `__iter__`, does not divide the shard among the workers of a DataLoader again.
        for table in (rows.skip(first) if first else rows).iter(batch_size=1):
            yield table.to_pylist()[0]
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(
            f"{file}: the shard cannot be read ({error}); write it again with speechxl prepare shards --overwrite."
        ) from None


@lru_cache(maxsize=64)  # to open takes 40 ms, which small corpora would spend again and again
def _opened(file: Path, part: int, parts: int) -> datasets.IterableDataset:
    with TemporaryDirectory() as cache:  # `datasets` locks a file there, and writes nothing else
        rows = datasets.IterableDataset.from_parquet(
            glob.escape(str(file)), features=_FEATURES, cache_dir=cache, fragment_scan_options=_ONE_AT_A_TIME
        )
    # Row groups are read one by one; as one scan, all of the shard comes into memory at once.
    rows = rows.reshard()
    if parts > 1:
        rows = split_dataset_by_node(rows, part, parts, strategy="examples")
    return rows.with_format("arrow")


def stored(row: Row, file: Path) -> Stored:
    """A row of a shard as an utterance."""
    known: dict[str, Any] = {
        name: row[name] or "" for name in ("language", "speaker", "split", "text", "phonemes", "label")
    }
    return Stored(
        Utterance(file, row["id"], duration=row["duration_s"], **known), (row["audio"] or {}).get("bytes") or b""
    )


class Held:
    """Utterances in memory, for a `SpeechDataset` to read.

    Args:
        items: With their audio.
    """

    def __init__(self, items: Sequence[Stored]) -> None:
        self._items = {(item.utterance.path, item.utterance.id): item for item in items}

    def read(self, utterance: Utterance) -> np.ndarray:
        """Audio of one of them: (T,) float32 at 16 kHz."""
        return self._items[utterance.path, utterance.id].read()


def hold(shards: Sequence[Shard], seconds: float, min_seconds: float = 0.0) -> list[Stored]:
    """The first utterances of each language and corpus, as many seconds of each, and ``seconds`` in all or a little more."""
    held: list[Stored] = []
    groups = _grouped(shards)
    for members in groups.values():
        wanted = seconds / len(groups)
        for shard in members:
            for row in read_shard(shard.file) if wanted > 0 else ():
                if wanted <= 0:
                    break
                if row["duration_s"] >= min_seconds:
                    held.append(stored(row, shard.file))
                    wanted -= row["duration_s"]
    return held


class SpeechStream(IterableDataset):
    """Endless batches out of shards; each process and each of its workers reads a part of its own.

    Args:
        shards: Of all languages and corpora.
        shares: Share of the audio that is drawn from each language and corpus.
        form: Its settings say how audio becomes a batch; its utterances are not looked at.
        batch_seconds: Limit of a batch.
        min_seconds: Shorter utterances are left out.
        quadratic: See `plan_batches`.
        rank: Which of the parallel processes this is.
        world: Parallel processes.
    """

    def __init__(
        self,
        shards: Sequence[Shard],
        shares: Mapping[Group, float],
        form: SpeechDataset,
        batch_seconds: float,
        *,
        min_seconds: float = 0.0,
        quadratic: float = 0.0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.groups = {group: members for group, members in _grouped(shards).items() if shares.get(group)}
        if not self.groups:
            raise InputError("There is no audio to draw from.")
        self.shares, self.form, self.batch_seconds, self.min_seconds = shares, form, batch_seconds, min_seconds
        self.quadratic, self.rank, self.world = quadratic, rank, world
        self._turn = self._pool = 0
        self._workers: int | None = None
        self._next = 0
        self._origins: list[Any] = []

    def note(self, batch: Batch) -> None:
        """Says that a batch of this stream was used; `state_dict` is then that of a stream that goes on behind it."""
        worker, workers, reader = batch.origin
        if self._workers != workers:
            self._workers, self._origins = workers, [None] * workers
        self._origins[worker] = reader
        self._next = (worker + 1) % workers

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands behind the last batch that was noted, as plain values."""
        return {
            "workers": self._workers,
            "next": self._next,
            "readers": list(self._origins),
            "turn": self._turn,
            "pool": self._pool,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on where another stream with the same shards, settings and number of workers stood."""
        self._workers, self._next, self._origins = (
            state_dict["workers"],
            state_dict["next"],
            list(state_dict["readers"]),
        )
        self._turn, self._pool = state_dict["turn"], state_dict["pool"]

    def begin_anew(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Goes through the shards in another order than streams did that stood in ``states``."""
        origins = [origin for state in states for origin in state["readers"] if origin is not None]
        self._turn = 1 + max([*(state["turn"] for state in states), *(origin["turn"] for origin in origins)])
        self._pool = 1 + max([*(state["pool"] for state in states), *(origin["start"]["pool"] for origin in origins)])

    @property
    def seconds_per_batch(self) -> float:
        """Audio of a batch of the first pool on average, without padding."""
        return _Reader(self, 0, 1, None).seconds_per_batch()

    @property
    def workers(self) -> int | None:
        """Workers that the stream has to go on with; None if it is at its beginning."""
        return self._workers

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        workers = info.num_workers if info is not None else 1
        if self._workers not in (None, workers):
            raise InputError(f"The stream was read by {self._workers} workers and cannot go on exactly with {workers}.")
        worker = ((info.id if info is not None else 0) + self._next) % workers  # a loader begins with its worker 0
        origin = self._origins[worker] if self._origins else None
        reader = _Reader(self, self.rank * workers + worker, self.world * workers, origin and origin["start"])
        for place, batch in reader.batches(origin["used"] if origin else 0):
            batch.origin = worker, workers, place
            yield batch


class _Reader:
    """Pool after pool of one worker of one process."""

    def __init__(self, stream: SpeechStream, reader: int, readers: int, start: Mapping[str, Any] | None) -> None:
        self.form, self.seed, self.number = stream.form, stream.form.seed, reader
        self.batch_seconds, self.quadratic = stream.batch_seconds, stream.quadratic
        self.longest = self.form.max_seconds or float("inf")
        self.shares = np.array([stream.shares[group] for group in stream.groups])
        if start is None:
            # The first utterance of a source is due after a random part of its usual distance, or else all readers would begin
            # with the same sources.
            means = [
                min(self.longest, 3600 * sum(s.hours for s in shards) / sum(s.utterances for s in shards))
                for shards in stream.groups.values()
            ]
            rng = np.random.default_rng(draw_key(self.seed, stream._pool, f"begin {reader}"))
            heard = (rng.random(len(means)) * means).tolist()
            start = {"pool": stream._pool, "heard": heard, "places": [[stream._turn, 0, 0]] * len(means)}
        self.pool = start["pool"]
        self.heard = np.array(start["heard"])
        self.sources = [
            _Source(group, shards, self.seed, reader, readers, stream.min_seconds, place)
            for (group, shards), place in zip(stream.groups.items(), start["places"], strict=True)
        ]

    def state(self) -> dict[str, Any]:
        """Plain values that the rest follows from."""
        places = [[source.turn, source.shard, source.row] for source in self.sources]
        return {"pool": self.pool, "heard": self.heard.tolist(), "places": places}

    def batches(self, used: int) -> Iterator[tuple[dict[str, Any], Batch]]:
        """Batches, each with the place behind it.

        Args:
            used: Batches of the first pool to pass over.
        """
        while True:
            start, damaged = self.state(), list[str]()
            pool = self.fill()
            turn = max(turn for _, turn in pool)
            for number, chosen in enumerate(self.plan(pool)):
                if number < used:
                    continue
                items = []
                for item, pass_number in (pool[place] for place in chosen):
                    try:
                        items.append(
                            self.form.item(item.utterance, item.read(), pass_number * _MOST_READERS + self.number)
                        )
                    except AudioError as error:
                        damaged.append(item.utterance.id)
                        log.warning("passed over: %s", error)
                if items:
                    batch = self.form.collate(items)
                    batch.damaged, damaged = damaged, []
                    yield {"start": start, "used": number + 1, "turn": turn}, batch
                elif len(damaged) == len(pool):
                    raise InputError(f"{pool[0][0].utterance.path}: none of {len(pool)} recordings can be decoded.")
            self.pool, used = self.pool + 1, 0

    def plan(self, pool: Sequence[tuple[Stored, int]]) -> list[np.ndarray]:
        """Places in the pool of each batch."""
        seconds = np.array([min(item.utterance.seconds, self.longest) for item, _ in pool])
        rng = np.random.default_rng(draw_key(self.seed, self.pool, f"pool {self.number}"))
        return plan_batches(seconds, self.batch_seconds, rng, self.quadratic)

    def seconds_per_batch(self) -> float:
        """Audio of a batch of the next pool on average."""
        pool = self.fill()
        return sum(min(item.utterance.seconds, self.longest) for item, _ in pool) / len(self.plan(pool))

    def fill(self) -> list[tuple[Stored, int]]:
        """Utterances for some batches, each with the number of the pass through its source."""
        pool, seconds = [], 0.0
        while seconds < POOL_BATCHES * self.batch_seconds:
            behind = int(np.argmin(self.heard / self.shares))
            item, turn = self.sources[behind].next()
            pool.append((item, turn))
            self.heard[behind] += min(item.utterance.seconds, self.longest)
            seconds += min(item.utterance.seconds, self.longest)
        return pool


class _Source:
    """What one reader hears of a language and corpus: pass after pass, the shards in another order each time.

    Readers divide the shards of a pass among themselves. Where these are fewer, each reads its part of the rows of every shard,
    another part in each pass.
    """

    def __init__(
        self,
        group: Group,
        shards: Sequence[Shard],
        seed: int,
        reader: int,
        readers: int,
        min_seconds: float,
        place: Sequence[int],
    ) -> None:
        self.group, self.shards, self.seed, self.min_seconds = group, shards, seed, min_seconds
        self.reader, self.readers = reader, readers
        self.by_shard = len(shards) >= readers
        self.parts = 1 if self.by_shard else min(readers, sum(shard.utterances for shard in shards))
        self.turn, self.shard, self.row = place
        self._order: list[Shard] = []
        self._rows: Iterator[Row] | None = None
        self._close: Any = None

    def next(self) -> tuple[Stored, int]:
        """An utterance, and the number of the pass that it is from."""
        last = self.turn + max(
            self.parts, len(self.shards)
        )  # some passes may have nothing for this reader that is long enough
        while self.turn <= last:
            order = self._order = self._order or self._shuffled()
            while self.shard < len(order):
                file = order[self.shard].file
                for row in self._open(file):
                    self.row += self.parts
                    if row["duration_s"] >= self.min_seconds:
                        return stored(row, file), self.turn
                self._close()
                self._rows, self.shard, self.row = None, self.shard + 1, 0
            self.turn, self.shard, self._order = self.turn + 1, 0, []
        language, corpus = self.group
        raise InputError(
            f"{self.shards[0].file.parent}: no utterance of corpus {corpus!r} ({language or 'unknown language'}) has the "
            f"{self.min_seconds:g} s of --data.min_seconds."
        )

    def _shuffled(self) -> list[Shard]:
        rng = np.random.default_rng(draw_key(self.seed, self.turn, "/".join(self.group)))
        order = rng.permutation(len(self.shards))
        return [self.shards[place] for place in (order[self.reader :: self.readers] if self.by_shard else order)]

    def _open(self, file: Path) -> Iterator[Row]:
        if self._rows is None:
            self._rows = read_shard(file, self.row, (self.reader + self.turn) % self.parts, self.parts)
            # `datasets` complains where its generators are still open when the interpreter ends.
            self._close = weakref.finalize(self, self._rows.close)  # type: ignore[attr-defined]
        return self._rows


def _grouped(shards: Sequence[Shard]) -> dict[Group, list[Shard]]:
    """Shards of each language and corpus, all in the order of their files."""
    groups: dict[Group, list[Shard]] = {}
    for shard in sorted(shards, key=lambda shard: shard.file):
        groups.setdefault((shard.language, shard.corpus), []).append(shard)
    return groups


def shards_digest(shards: Sequence[Shard]) -> str:
    """Changes where a stream over the shards would."""
    rows = [
        [s.file.name, s.language, s.corpus, s.split, s.utterances, s.hours]
        for s in sorted(shards, key=lambda s: s.file)
    ]
    return hashlib.blake2b(json.dumps(rows).encode(), digest_size=16).hexdigest()


class StreamData(EndlessData):
    """Batches of a stream.

    Args:
        stream: Its rank and world are set to those of the trainer.
        dev: Utterances to evaluate on.
        workers: Processes that read shards; None takes `default_workers`. A continued run takes as many as it had.
        max_damaged: Share of the training utterances that may be undecodable.
    """

    def __init__(
        self, stream: SpeechStream, dev: SpeechDataset | None, workers: int | None, max_damaged: float = 1.0
    ) -> None:
        self.stream = stream
        shards = [shard for members in stream.groups.values() for shard in members]
        self._digest = shards_digest(shards)
        self._state: dict[str, Any] = {}
        super().__init__(sum(shard.utterances for shard in shards), dev, stream.batch_seconds, workers, max_damaged)

    @property
    def seconds_per_batch(self) -> float:
        """Audio of a batch of the first pool on average, without padding."""
        return self.stream.seconds_per_batch

    def note(self, batch: Batch) -> None:
        """Counts a batch as trained on."""
        self.stream.note(batch)

    def state_dict(self) -> dict[str, Any]:
        """Where the streams of all processes stand behind the last batches that were trained on; all have to ask for it."""
        ranks: list[Any] = [self.stream.state_dict()]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            ranks = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(ranks, self.stream.state_dict())
        return {"shards": self._digest, "ranks": ranks}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Where to go on."""
        self._state = state_dict

    def train_dataloader(self) -> DataLoader:
        """Endless batches, from where the run stands."""
        trainer: Any = self.trainer
        self.stream.rank, self.stream.world = trainer.global_rank, trainer.world_size
        if self._state:
            self._continue(self._state["ranks"])
        return self.loader(self.stream, self.note_wait, batch_size=None)

    def _continue(self, ranks: Sequence[Mapping[str, Any]]) -> None:
        changes = [] if self._state["shards"] == self._digest else ["the shards are others"]
        if len(ranks) != self.stream.world:
            changes.append(f"there are {self.stream.world} processes instead of {len(ranks)}")
        if changes:
            log.warning("%s: the corpora are begun anew, in another order", ", and ".join(changes))
            self.stream.begin_anew(ranks)
            return
        self.stream.load_state_dict(ranks[self.stream.rank])
        workers = self.stream.workers
        if workers not in (None, max(1, self.workers)):
            log.warning("going on with --data.workers %d, as the run began", workers)
            self.workers = workers or 0
