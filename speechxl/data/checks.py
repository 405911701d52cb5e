"""Faults of a corpus that training would trip over, all found in one pass."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from speechxl.data.audio import AudioError, probe, read_utterance
from speechxl.data.languages import language_fault, retired
from speechxl.shapes import SAMPLE_RATE, Utterance
from speechxl.text import normalise

ERRORS = {
    "manifest": "the manifest's line cannot be used",
    "missing": "the recording does not exist",
    "unreadable": "the recording cannot be decoded",
    "silent": "all samples are zero",
    "beyond_end": "the stretch passes the end of the recording",
    "empty_text": "there is no text, where other rows have one; adapt uses such rows, finetune and evaluate leave them out",
    "too_short": "the text needs more frames than the audio gives (CTC)",
    "unknown_language": "the language is not an ISO 639-3 code",
}
"""Classes that make an utterance unusable."""
WARNINGS = {
    "retired_language": "the language's code was withdrawn from ISO 639-3",
    "duplicate": "the same audio stands in another row",
    "speaker_in_splits": "the speaker occurs in several splits",
    "duplicate_text": "the same text stands in another split",
}
"""Classes that make results misleading."""


@dataclass(frozen=True)
class Finding:
    """One fault of one utterance."""

    kind: str
    """Key of `ERRORS` or `WARNINGS`."""
    place: str
    """``manifest:line``."""
    id: str
    message: str

    @property
    def is_error(self) -> bool:
        """Whether the utterance is unusable."""
        return self.kind in ERRORS


def check(
    utterances: Sequence[Utterance],
    *,
    decode: bool,
    frames: Callable[[int], int],
    frames_needed: Callable[[list[str]], int],
) -> Iterator[Finding]:
    """Faults of a corpus, utterance by utterance, then those that lie between utterances.

    Args:
        utterances: Of one manifest.
        decode: Whether to decode the audio, and not only to read headers.
        frames: Frames that the encoder gives for a number of samples.
        frames_needed: Frames that CTC needs for symbols.
    """
    has_text = any(normalise(utterance.text) for utterance in utterances)
    audio: dict[str, Utterance] = {}
    for utterance in utterances:
        duration, name, fault = _audio_fault(utterance, decode=decode)
        if fault is not None:
            yield fault
        if name is not None:
            if name in audio:
                yield _finding("duplicate", utterance, f"the same audio as {audio[name]}")
            audio.setdefault(name, utterance)
        yield from _text_faults(replace(utterance, duration=duration), has_text, frames, frames_needed)
        if utterance.language and (wrong := language_fault(utterance.language)):
            yield _finding("unknown_language", utterance, wrong)
        elif utterance.language and (advice := retired(utterance.language)):
            yield _finding("retired_language", utterance, advice)
    yield from _split_faults(utterances)


def _audio_fault(utterance: Utterance, *, decode: bool) -> tuple[float | None, str | None, Finding | None]:
    """True duration, a name that only the same audio has, and what is wrong with the audio; None where not known."""
    duration = utterance.duration
    if not utterance.path.exists():
        return duration, None, _finding("missing", utterance, f"{utterance.path}: there is no such file")
    try:
        total = probe(utterance.path).duration
        duration = duration or total - utterance.start
        if utterance.start + duration > total + 0.1 or utterance.start >= total:
            message = f"from {utterance.start:.2f} s to {utterance.start + duration:.2f} s, the recording ends at {total:.2f} s"
            return utterance.duration, None, _finding("beyond_end", utterance, message)
        if not decode:
            return duration, f"{utterance.path.resolve()}@{utterance.start}+{duration}", None
        samples = read_utterance(replace(utterance, duration=duration, origin=""))
    except AudioError as error:
        return duration, None, _finding("unreadable", utterance, str(error))
    if not samples.any():
        return duration, None, _finding("silent", utterance, f"{utterance.path}: all samples are zero")
    return duration, hashlib.blake2b(samples.tobytes()).hexdigest(), None


def _text_faults(
    utterance: Utterance, has_text: bool, frames: Callable[[int], int], frames_needed: Callable[[list[str]], int]
) -> Iterator[Finding]:
    text = normalise(utterance.text)
    if has_text and not text:
        yield _finding("empty_text", utterance, "no text, but other rows have one")
    for what, symbols in (("text", list(text)), ("phonemes", utterance.phonemes.split())):
        if symbols and utterance.duration:
            given, needed = frames(round(utterance.duration * SAMPLE_RATE)), frames_needed(symbols)
            if given < needed:
                message = (
                    f"{what} of {len(symbols)} symbols needs {needed} frames, {utterance.duration:.2f} s give {given}"
                )
                yield _finding("too_short", utterance, message)


def _split_faults(utterances: Sequence[Utterance]) -> Iterator[Finding]:
    speakers: dict[tuple[str, str], dict[str, Utterance]] = defaultdict(dict)
    texts: dict[tuple[str, str], dict[str, Utterance]] = defaultdict(dict)
    for utterance in utterances:
        if utterance.split and utterance.speaker:
            speakers[utterance.language, utterance.speaker].setdefault(utterance.split, utterance)
        if utterance.split and utterance.text:
            texts[utterance.language, normalise(utterance.text)].setdefault(utterance.split, utterance)
    for (_, speaker), splits in speakers.items():
        if len(splits) > 1:
            first = next(iter(splits.values()))
            yield _finding("speaker_in_splits", first, f"speaker {speaker!r} is in {', '.join(sorted(splits))}")
    for (_, text), splits in texts.items():
        if len(splits) > 1:
            first = next(iter(splits.values()))
            yield _finding("duplicate_text", first, f"{text!r} is in {', '.join(sorted(splits))}")


def _finding(kind: str, utterance: Utterance, message: str) -> Finding:
    return Finding(kind, str(utterance), utterance.id, message)
