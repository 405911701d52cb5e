"""From utterances to batches of tensors, for training and evaluation."""

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import lightning
import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from speechxl.data.audio import AudioError, read_utterance, standardise
from speechxl.data.batching import EpochBatches
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
        encode: Gives an utterance's reference text and the numbers of its symbols.
        read: Gives an utterance's waveform.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        languages: Sequence[str],
        *,
        normalise: bool,
        seed: int,
        max_seconds: float | None = None,
        encode: Callable[[Utterance], tuple[str, list[int]]] | None = None,
        read: Callable[[Utterance], np.ndarray] = read_utterance,
    ) -> None:
        self.read = read
        self.utterances, self.normalise, self.seed, self.max_seconds, self.encode = (
            utterances,
            normalise,
            seed,
            max_seconds,
            encode,
        )
        self.damaged: set[str] = set()
        """Ids of utterances that were passed over, in this process."""
        self.numbers = {language: number for number, language in enumerate(languages)}

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, place: tuple[int, int]) -> tuple[Utterance, int, np.ndarray]:
        epoch, index = place
        utterance, waveform = self._readable(index)
        return self.item(utterance, waveform, epoch)

    def item(self, utterance: Utterance, waveform: np.ndarray, epoch: int) -> tuple[Utterance, int, np.ndarray]:
        """What `collate` takes: an utterance with its key and what is heard of its whole ``waveform`` in an epoch."""
        key = draw_key(self.seed, epoch, utterance.id)
        if self.normalise:
            waveform = standardise(waveform)
        if self.max_seconds is not None and (surplus := len(waveform) - int(self.max_seconds * SAMPLE_RATE)) > 0:
            first = key % (surplus + 1)
            waveform = waveform[first : first + int(self.max_seconds * SAMPLE_RATE)]
        return utterance, key, waveform

    def _readable(self, index: int) -> tuple[Utterance, np.ndarray]:
        """An utterance, or the next one whose recording can be decoded, so that damaged ones do not end a long run."""
        for turn in range(len(self.utterances)):
            utterance = self.utterances[(index + turn) % len(self.utterances)]
            try:
                return utterance, self.read(utterance)
            except AudioError as error:
                if utterance.id not in self.damaged:
                    self.damaged.add(utterance.id)
                    log.warning("passed over: %s", error)
        raise InputError("No recording can be decoded; speechxl validate says what is wrong with each.")

    def collate(self, items: list[tuple[Utterance, int, np.ndarray]]) -> Batch:
        """A batch, padded with zeros."""
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
        )
        if self.encode is not None:
            encoded = [self.encode(utterance) for utterance in utterances]
            batch.targets = Targets(
                [text for text, _ in encoded],
                pad_sequence([torch.tensor(tokens) for _, tokens in encoded], batch_first=True),
                torch.tensor([len(tokens) for _, tokens in encoded]),
            )
        return batch


def draw_key(seed: int, epoch: int, id: str) -> int:
    """Number of 63 bits that all draws for an utterance in an epoch follow from."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{epoch}/{id}".encode(), digest_size=8).digest(), "big") >> 1


class SpeechData(lightning.LightningDataModule):
    """Batches for training, without end, and for evaluation, in order of length.

    Training goes on where the trainer's step counter stands, so that a continued run sees what an uninterrupted one sees.

    Args:
        train: Utterances to learn from.
        dev: Utterances to evaluate on.
        batch_seconds: Limit of a batch.
        workers: Processes that read audio; None takes `default_workers`.
        curriculum: Optimizer steps over which the longer utterances come in.
    """

    def __init__(
        self,
        train: SpeechDataset,
        dev: SpeechDataset | None,
        batch_seconds: float,
        workers: int | None,
        curriculum: int = 0,
    ) -> None:
        super().__init__()
        self.train, self.dev, self.batch_seconds, self.curriculum = train, dev, batch_seconds, curriculum
        self.workers = workers if workers is not None else default_workers()

    @property
    def damaged(self) -> set[str]:
        """Ids of utterances that were passed over, in this process."""
        return self.train.damaged | (self.dev.damaged if self.dev is not None else set())

    def note(self, batch: Batch) -> None:
        """Called when a batch was trained on."""
        del batch

    def train_dataloader(self) -> DataLoader:
        """Endless batches."""
        trainer: Any = self.trainer
        sampler = EpochBatches(
            np.array([_seconds(self.train, utterance) for utterance in self.train.utterances]),
            self.batch_seconds,
            self.train.seed,
            trainer.global_step * trainer.accumulate_grad_batches,
            trainer.global_rank,
            trainer.world_size,
            self.curriculum * trainer.accumulate_grad_batches,
        )
        return self._loader(self.train, sampler)

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """Every dev utterance once; each rank evaluates all, so that all reach the same decision."""
        return [] if self.dev is None else self._loader(self.dev, ordered_batches(self.dev, self.batch_seconds))

    def _loader(self, dataset: SpeechDataset, batches: Any) -> DataLoader:
        return DataLoader(
            dataset,
            batch_sampler=batches,
            collate_fn=dataset.collate,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            pin_memory=torch.cuda.is_available(),
        )


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
