"""From utterances to batches of tensors, for training and evaluation."""

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

import lightning
import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from speechxl.data.audio import AudioError, read_utterance, standardise
from speechxl.data.batching import Corpus, EpochBatches, Place
from speechxl.data.sampling import Group, group_of
from speechxl.errors import InputError
from speechxl.shapes import SAMPLE_RATE, Batch, Targets, Utterance

log = logging.getLogger(__name__)


class SpeechDataset(Dataset):
    """Waveforms of utterances, with their targets.

    Args:
        utterances: With their durations.
        languages: Names whose places number the languages.
        normalise: Whether the model expects zero mean and unit variance, taken over the whole utterance.
        seed: Of the crops and of the keys.
        max_seconds: Longer utterances are cropped to this at a random place.
        crop_to_shortest: Whether each batch is cropped to its shortest utterance, at random places.
        encode: Gives an utterance's reference text and the numbers of its symbols.
        read: Gives an utterance's waveform.
        perturb: Changes a waveform by the draws of a key, before it is normalised.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        languages: Sequence[str],
        *,
        normalise: bool,
        seed: int,
        max_seconds: float | None = None,
        crop_to_shortest: bool = False,
        encode: Callable[[Utterance], tuple[str, list[int]]] | None = None,
        read: Callable[[Utterance], np.ndarray] = read_utterance,
        perturb: Callable[[np.ndarray, int], np.ndarray] | None = None,
    ) -> None:
        self.utterances, self.normalise, self.seed, self.read = utterances, normalise, seed, read
        self.perturb = perturb
        self.max_seconds, self.crop_to_shortest, self.encode = max_seconds, crop_to_shortest, encode
        self._damaged: list[str] = []
        """Ids of utterances that were passed over for the batch that is being made."""
        self._named: set[str] = set()
        """Those that were told of, in this process."""
        self.numbers = {language: number for number, language in enumerate(languages)}

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, place: tuple[int, int]) -> tuple[Utterance, int, np.ndarray]:
        turn, index = place
        utterance, waveform = self._readable(index)
        return self.item(utterance, waveform, turn)

    def item(self, utterance: Utterance, waveform: np.ndarray, turn: int) -> tuple[Utterance, int, np.ndarray]:
        """What `collate` takes of an utterance that is heard for the ``turn``-th time; ``waveform`` is the whole of it."""
        key = draw_key(self.seed, turn, utterance.id)
        if self.perturb is not None:
            waveform = self.perturb(waveform, key)
        if self.normalise:
            waveform = standardise(waveform)
        if self.max_seconds is not None:
            waveform = _crop(waveform, int(self.max_seconds * SAMPLE_RATE), key)
        return utterance, key, waveform

    def _readable(self, index: int) -> tuple[Utterance, np.ndarray]:
        """An utterance, or the next one whose recording can be decoded, so that damaged ones do not end a long run.

        It is no longer than the one that was planned for the batch, if there is such a one.
        """
        for utterance in chain(self._from(index, longer=False), self._from(index, longer=True)):
            try:
                return utterance, self.read(utterance)
            except AudioError as error:
                self._damaged.append(utterance.id)
                if utterance.id not in self._named:
                    self._named.add(utterance.id)
                    log.warning("passed over: %s", error)
        raise InputError("No recording can be decoded; speechxl validate says what is wrong with each.")

    def _from(self, index: int, *, longer: bool) -> Iterator[Utterance]:
        """All utterances, beginning with one, that are longer than it or not."""
        limit = _seconds(self, self.utterances[index])
        for place in chain(range(index, len(self.utterances)), range(index)):
            if (_seconds(self, self.utterances[place]) > limit) == longer:
                yield self.utterances[place]

    def collate(self, items: list[tuple[Utterance, int, np.ndarray]]) -> Batch:
        """A batch, padded with zeros."""
        if self.crop_to_shortest:
            shortest = min(len(waveform) for _, _, waveform in items)
            items = [(utterance, key, _crop(waveform, shortest, key >> 20)) for utterance, key, waveform in items]
        utterances = [utterance for utterance, _, _ in items]
        lengths = torch.tensor([len(waveform) for _, _, waveform in items])
        waveform = torch.zeros(len(items), int(lengths.max()))
        for row, (_, _, samples) in zip(waveform, items, strict=True):
            row[: len(samples)] = torch.from_numpy(samples)
        batch = Batch(
            ids=[utterance.id for utterance in utterances],
            keys=torch.tensor([key for _, key, _ in items]),
            waveform=waveform,
            lengths=lengths,
            padded=bool(lengths.min() < lengths.max()),
            languages=torch.tensor([self.numbers[utterance.language] for utterance in utterances]),
            damaged=self._damaged,
        )
        self._damaged = []
        if self.encode is not None:
            encoded = [self.encode(utterance) for utterance in utterances]
            batch.targets = Targets(
                [text for text, _ in encoded],
                pad_sequence([torch.tensor(tokens) for _, tokens in encoded], batch_first=True),
                torch.tensor([len(tokens) for _, tokens in encoded]),
            )
        return batch


def _crop(waveform: np.ndarray, length: int, draw: int) -> np.ndarray:
    """At most ``length`` samples, from a place that follows from ``draw``."""
    first = draw % (max(0, len(waveform) - length) + 1)
    return waveform[first : first + length]


def draw_key(seed: int, turn: int, id: str) -> int:
    """Number of 63 bits that all draws for an utterance follow from when it is heard for the ``turn``-th time."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{turn}/{id}".encode(), digest_size=8).digest(), "big") >> 1


class EndlessData(lightning.LightningDataModule):
    """Batches for training, without end, and for evaluation, in order of length.

    Where a run stands in its data is part of a checkpoint, so that a continued run sees what an uninterrupted one sees.

    Args:
        utterances: Number of those to train on.
        dev: Utterances to evaluate on.
        batch_seconds: Limit of a batch.
        workers: Processes that read audio; None takes `default_workers`.
        max_damaged: Share of the training utterances that may be undecodable.
    """

    def __init__(
        self,
        utterances: int,
        dev: SpeechDataset | None,
        batch_seconds: float,
        workers: int | None,
        max_damaged: float,
    ) -> None:
        super().__init__()
        self.utterances, self.dev, self.batch_seconds, self.max_damaged = utterances, dev, batch_seconds, max_damaged
        self.workers = workers if workers is not None else default_workers()
        self.damaged: set[str] = set()
        """Ids of utterances that were passed over, of ``dev``, too."""
        self._damaged_train: set[str] = set()
        self.waited = 0.0
        """Seconds for which training waited for a batch."""

    @property
    def seconds_per_batch(self) -> float:
        """Audio of a batch on average, without padding."""
        raise TypeError(f"{type(self).__name__} has no batches.")

    def note(self, batch: Batch) -> None:
        """Called when a batch was trained on."""
        del batch

    def on_before_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Counts what was passed over.

        Raises:
            InputError: If it is more than ``max_damaged`` of the utterances to train on.
        """
        del dataloader_idx
        self.damaged.update(batch.damaged)
        trainer: Any = self.trainer
        if not trainer.training:
            return batch
        self._damaged_train.update(batch.damaged)
        if len(self._damaged_train) > self.max_damaged * self.utterances:
            count, named = len(self._damaged_train), ", ".join(sorted(self._damaged_train)[:5])
            named += ", ..." if count > 5 else ""
            raise InputError(
                f"{count} of {self.utterances} training utterances cannot be decoded ({named}), which is more "
                f"than --data.max_damaged {self.max_damaged:g}; speechxl validate says what is wrong with each, and --fix "
                "writes a manifest of the others."
            )
        return batch

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """Every dev utterance once; each rank evaluates all, so that all reach the same decision."""
        if self.dev is None:
            return []
        batches = ordered_batches(self.dev, self.batch_seconds)
        return self.loader(self.dev, batch_sampler=batches, collate_fn=self.dev.collate)

    def note_wait(self, seconds: float) -> None:
        """Adds to the time that was waited."""
        self.waited += seconds

    def loader(self, dataset: Any, note: Callable[[float], None] | None = None, **options: Any) -> DataLoader:
        """A loader with this module's workers."""
        return _TimedLoader(
            dataset,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_one_thread,
            note=note,
            **options,
        )


class SpeechData(EndlessData):
    """Batches of recordings that are files.

    Args:
        train: Utterances to learn from.
        dev: Utterances to evaluate on.
        batch_seconds: Limit of a batch.
        workers: Processes that read audio; None takes `default_workers`.
        curriculum: Optimizer steps over which the longer utterances come in.
        shares: Share of the audio for each language and corpus; None for every utterance once an epoch.
        quadratic: See `plan_batches`.
        max_damaged: Share of the training utterances that may be undecodable.
    """

    def __init__(
        self,
        train: SpeechDataset,
        dev: SpeechDataset | None,
        batch_seconds: float,
        workers: int | None,
        *,
        curriculum: int = 0,
        shares: Mapping[Group, float] | None = None,
        quadratic: float = 0.0,
        max_damaged: float = 1.0,
    ) -> None:
        super().__init__(len(train), dev, batch_seconds, workers, max_damaged)
        self.train, self.curriculum, self.quadratic = train, curriculum, quadratic
        self.corpus = _corpus(train, shares)
        self._start, self._trained = Place(), 0
        self._sampler: EpochBatches | None = None

    @property
    def seconds_per_batch(self) -> float:
        """Audio of a batch of the first epoch on average, without padding."""
        batches = EpochBatches(self.corpus, self.batch_seconds, self.train.seed, quadratic=self.quadratic).epoch(0)
        return float(np.mean([self.corpus.durations[batch[:, 1]].sum() for batch in batches]))

    def note(self, batch: Batch) -> None:
        """Counts the batches that were trained on."""
        del batch
        self._trained += 1

    def state_dict(self) -> dict[str, Any]:
        """Where the run stands."""
        return {} if self._sampler is None else asdict(self._sampler.place(self._trained))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Where to go on."""
        self._start = Place(**state_dict)

    def train_dataloader(self) -> DataLoader:
        """Endless batches."""
        trainer: Any = self.trainer
        self._trained = 0
        self._sampler = EpochBatches(
            self.corpus,
            self.batch_seconds,
            self.train.seed,
            start=self._start,
            rank=trainer.global_rank,
            world=trainer.world_size,
            curriculum=self.curriculum * trainer.accumulate_grad_batches,
            quadratic=self.quadratic,
        )
        return self.loader(self.train, self.note_wait, batch_sampler=self._sampler, collate_fn=self.train.collate)


class _TimedLoader(DataLoader):
    """Says how long each batch was waited for."""

    def __init__(self, *arguments: Any, note: Callable[[float], None] | None, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.note = note

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        batches = super().__iter__()
        while True:
            begun = time.monotonic()
            batch = next(batches, None)
            if batch is None:
                return
            if self.note is not None:
                self.note(time.monotonic() - begun)
            yield batch


def _one_thread(worker: int) -> None:
    """Keeps workers from competing with the training for the cores."""
    del worker
    torch.set_num_threads(1)


def _corpus(dataset: SpeechDataset, shares: Mapping[Group, float] | None) -> Corpus:
    durations = np.array([_seconds(dataset, utterance) for utterance in dataset.utterances])
    if shares is None:
        return Corpus.unbalanced(durations)
    numbers = {group: number for number, group in enumerate(shares)}
    groups = np.array([numbers[group_of(utterance)] for utterance in dataset.utterances])
    return Corpus(durations, groups, np.array(list(shares.values())))


def default_workers() -> int:
    """None on a CPU, where decoding is a hundredth of the work; else what feeds one accelerator."""
    return min(8, (os.cpu_count() or 1) // 2) if torch.cuda.is_available() else 0


def ordered_batches(dataset: SpeechDataset, batch_seconds: float) -> list[list[tuple[int, int]]]:
    """Every utterance once, the longest first, so that memory never grows later."""
    seconds = [_seconds(dataset, utterance) for utterance in dataset.utterances]
    batches: list[list[tuple[int, int]]] = []
    longest = 0.0
    for index in sorted(range(len(seconds)), key=lambda index: -seconds[index]):
        if not batches or longest * (len(batches[-1]) + 1) > batch_seconds:
            batches.append([])
            longest = seconds[index]
        batches[-1].append((0, index))
    return batches


def _seconds(dataset: SpeechDataset, utterance: Utterance) -> float:
    return min(utterance.seconds, dataset.max_seconds or float("inf"))
