"""What `transcribe` and `evaluate` share: reading recordings in groups, and keeping going when one is bad."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from speechxl.config import Search
from speechxl.data.audio import AudioError, probe, read_utterance, utterance_blocks
from speechxl.decoding.recogniser import Decoder
from speechxl.decoding.recognisers import Recognisers
from speechxl.errors import InputError
from speechxl.heap import keep_heap
from speechxl.models.device import choose_device, choose_precision
from speechxl.models.folders import Card
from speechxl.models.weights import load_ctc_model
from speechxl.phonology.mapping import PhoneMap
from speechxl.shapes import SAMPLE_RATE, Hypothesis, Utterance
from speechxl.text import UnknownLanguage, Vocabulary

log = logging.getLogger(__name__)
GROUP_SECONDS = 600
"""Audio that is held in memory and sorted by length together."""
_LONG_SECONDS = 300
"""Longer recordings are read in blocks."""
_AHEAD, _READERS = 16, 4
"""Recordings that are read while others are recognised, and threads that do it."""

_CPU_BATCH, _BATCH = 16.0, 120.0
"""Seconds of a batch: on a CPU, what fits its cache is faster than more."""

_Audio: TypeAlias = np.ndarray | float | str
"""A waveform, the seconds of a recording that is too long to hold, or what is wrong with it."""


@dataclass(frozen=True)
class Recognised:
    """One recording and what became of it."""

    utterance: Utterance
    seconds: float
    hypothesis: Hypothesis | None
    """None if the recording could not be used."""
    reason: str = ""
    """Why not."""


@dataclass(frozen=True)
class Engine:
    """What recognises, here or elsewhere."""

    recognise: Callable[[Sequence[Utterance]], Iterator[Recognised]]
    """Gives what became of recordings in their order."""
    precision: str
    """``"32"`` or ``"bf16"``."""
    units: str
    """``"char"`` or ``"phoneme"``."""


def load_recogniser(
    model: str,
    utterances: Iterable[Utterance] = (),
    *,
    device: str,
    precision: str,
    batch_seconds: float | None,
    window_seconds: float,
    model_language: str | None = None,
    maps: Mapping[str, PhoneMap] | None = None,
    alternatives: int = 0,
    lm: Path | None = None,
    lexicon: Path | None = None,
    hot_words: Sequence[str] | None = None,
    search: Search = Search(),
    vad: bool = False,
) -> tuple[Recognisers, Card]:
    """A model folder, or a name on the hub, ready for use.

    Args:
        model: The folder.
        utterances: To be recognised.
        device: Where to compute.
        precision: As asked for.
        batch_seconds: Audio of a batch.
        window_seconds: Audio that is decoded at once.
        model_language: Whose vocabulary, and adapter as in MMS, is used for all; None for that of each utterance.
        maps: Of the model's phones to those of inventories, by language of the utterances; under ``""`` one for all.
        alternatives: Other phones that are given with each.
        lm: Language model.
        lexicon: Words.
        hot_words: Words that are preferred.
        search: Beam search.
        vad: Whether to recognise speech only.

    Raises:
        InputError: If something cannot be used, or the model has no vocabulary for the language of an utterance.
    """
    keep_heap()
    device = choose_device(device)
    network, vocabulary, card = load_ctc_model(model, model_language)
    if alternatives < 0:
        raise InputError(f"--alternatives must be at least 0, got {alternatives}.")
    if alternatives and vocabulary.units == "char":
        raise InputError(f"{model}: --alternatives are those of phones, and the model writes characters.")
    decoder: Callable[[Vocabulary], Decoder] | None = None
    if lm or lexicon or hot_words or search.beam:
        if find_spec("flashlight") is None:
            raise InputError("Beam search needs flashlight-text: pip install 'speechxl[lm]'.")
        from speechxl.decoding.beam import Beam

        decoder = partial(
            Beam, language_model=lm, lexicon=lexicon, hot_words=hot_words or (), beam=search.beam or 100,
            lm_weight=search.lm_weight, word_score=search.word_score, hot_word_score=search.hot_word_score,
        )  # fmt: skip
    find_speech = None
    if vad:
        if find_spec("silero_vad") is None:
            raise InputError("--vad needs silero-vad: pip install 'speechxl[vad]'.")
        from speechxl.decoding.pauses import SpeechDetector

        find_speech = SpeechDetector()
    recognisers = Recognisers(
        network, vocabulary, decoder, maps=maps, alternatives=alternatives, normalise=card.normalise, device=device,
        precision=choose_precision(precision, device),
        batch_seconds=batch_limit(batch_seconds, device), window_seconds=window_seconds,
        find_speech=find_speech,
    )  # fmt: skip
    if not recognisers.by_language:
        recognisers.of("")  # so that a language model that does not fit is named now
    check_languages(recognisers, utterances)
    return recognisers, card


def check_languages(recognisers: Recognisers, utterances: Iterable[Utterance]) -> None:
    """Makes the recognisers that utterances need.

    Raises:
        InputError: If the model has no vocabulary for the language of one.
    """
    for utterance in utterances:
        try:
            recognisers.of(utterance.language)
        except UnknownLanguage as error:
            raise InputError(f"{utterance}: {error}; name one of them with --model_language.") from None


@contextmanager
def here(model: str, utterances: Iterable[Utterance], **settings: Any) -> Iterator[Engine]:
    """Recognisers in this process.

    Args:
        model: As for `load_recogniser`.
        utterances: Likewise.
        **settings: All others of it.
    """
    recognisers, _ = load_recogniser(model, utterances, **settings)
    yield Engine(partial(recognise, recognisers), recognisers.precision, recognisers.vocabulary.units)


def recognise(recognisers: Recognisers, utterances: Sequence[Utterance]) -> Iterator[Recognised]:
    """Recognises recordings in the order given; bad ones are reported and passed over."""
    return reported(recognise_groups(recognisers, utterances))


def recognise_groups(recognisers: Recognisers, utterances: Sequence[Utterance]) -> Iterator[list[Recognised]]:
    """The same, all that is done at once together, without a word about bad ones."""
    for group in groups(utterances):
        yield list(_recognise_group(recognisers, group))


def reported(groups: Iterable[Sequence[Recognised]]) -> Iterator[Recognised]:
    """Results one by one; bad recordings are logged."""
    for group in groups:
        for item in group:
            if item.hypothesis is None:
                log.warning("%s", item.reason)
            yield item


def _recognise_group(recognisers: Recognisers, group: Sequence[tuple[Utterance, _Audio]]) -> Iterator[Recognised]:
    held = [(utterance.language, audio) for utterance, audio in group if isinstance(audio, np.ndarray)]
    hypotheses = iter(recognisers([audio for _, audio in held], [language for language, _ in held]))
    for utterance, audio in group:
        if isinstance(audio, np.ndarray):
            yield Recognised(utterance, len(audio) / SAMPLE_RATE, next(hypotheses))
        elif isinstance(audio, str):
            yield Recognised(utterance, 0.0, None, audio)
        else:
            try:
                blocks = partial(utterance_blocks, utterance)
                yield Recognised(utterance, audio, recognisers.of(utterance.language).stream(blocks))
            except AudioError as error:
                yield Recognised(utterance, 0.0, None, str(error))


def batch_limit(seconds: float | None, device: str) -> float:
    """Seconds of a batch: as asked for, or what suits the device."""
    return seconds or (_CPU_BATCH if device == "cpu" else _BATCH)


def groups(utterances: Iterable[Utterance]) -> Iterator[list[tuple[Utterance, _Audio]]]:
    """Recordings of some minutes together, with waveforms; a long one is alone, with its seconds, a bad one has a reason."""
    group: list[tuple[Utterance, _Audio]] = []
    size = 0.0
    for utterance, audio in _read_ahead(utterances):
        alone = isinstance(audio, float)
        if group and (alone or size >= GROUP_SECONDS):
            yield group
            group, size = [], 0.0
        group.append((utterance, audio))
        size += len(audio) / SAMPLE_RATE if isinstance(audio, np.ndarray) else 0.0
        if alone:
            yield group
            group = []
    if group:
        yield group


def _read_ahead(utterances: Iterable[Utterance]) -> Iterator[tuple[Utterance, _Audio]]:
    """Recordings in the order given, decoded by other threads while the last ones are recognised."""
    with ThreadPoolExecutor(_READERS) as pool:
        waiting: deque[tuple[Utterance, Future[_Audio]]] = deque()
        try:
            for utterance in utterances:
                waiting.append((utterance, pool.submit(_read, utterance)))
                if len(waiting) > _AHEAD:
                    first, audio = waiting.popleft()
                    yield first, audio.result()
            for first, audio in waiting:
                yield first, audio.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _read(utterance: Utterance) -> _Audio:
    try:
        seconds = utterance.duration or probe(utterance.path).duration - utterance.start
        return seconds if seconds > _LONG_SECONDS else read_utterance(utterance)
    except AudioError as error:
        return str(error)
