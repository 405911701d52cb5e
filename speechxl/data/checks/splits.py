"""Faults that lie between rows: copies, speakers, rates."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from speechxl.data.checks.classes import Finding, finding
from speechxl.data.checks.measuring import Content, Header
from speechxl.shapes import Utterance
from speechxl.text import normalise

_TRAIN = "train"
_MOST = 0.8
"""Share of a language's speech that one speaker has."""
_FEWEST = 10
"""Rows of a language without which that says nothing."""
_LONGEST = 60
"""Characters of a text in a message."""

Measures = Sequence[tuple[Header, Content | None]]


def copies(utterances: Sequence[Utterance], measures: Measures) -> Iterator[Finding]:
    """Rows with the audio of another: the same samples, or, where they were not decoded, the same stretch of a file."""
    seen: dict[object, Utterance] = {}
    for utterance, (header, content) in zip(utterances, measures, strict=True):
        if header.fault or (content is not None and content.fault):
            continue
        name: object = (utterance.path, utterance.start, utterance.duration) if content is None else content.name
        first = seen.setdefault(name, utterance)
        if first is not utterance:
            yield finding("duplicate", utterance, f"the same audio as {first}")


def repeated_texts(utterances: Sequence[Utterance]) -> Iterator[Finding]:
    """Rows outside of training whose text is trained on; where no split is named train, the first one that has it counts."""
    has_train = any(utterance.split == _TRAIN for utterance in utterances)
    counts = Counter((utterance.language, utterance.split) for utterance in utterances if utterance.text)
    seen: dict[tuple[str, str], Utterance] = {}
    for utterance in utterances:
        if utterance.text and utterance.split and (utterance.split == _TRAIN or not has_train):
            seen.setdefault((utterance.language, normalise(utterance.text)), utterance)
    found: list[tuple[Utterance, Utterance]] = []
    for utterance in utterances:
        first = seen.get((utterance.language, normalise(utterance.text))) if utterance.text else None
        if first is not None and utterance.split and utterance.split != first.split:
            found.append((utterance, first))
    repeated = Counter((row.language, row.split) for row, _ in found)
    for row, first in found:
        share = repeated[row.language, row.split] / counts[row.language, row.split]
        text = row.text if len(row.text) <= _LONGEST else f"{row.text[:_LONGEST]}..."
        message = f"{text!r} stands in {first.split} as well, as do {share:.0%} of the texts of {row.split} ({first})"
        yield finding("duplicate_text", row, message)


def speaker_faults(utterances: Sequence[Utterance]) -> Iterator[Finding]:
    """Speakers in several splits, unknown ones, and one who has nearly all."""
    splits: dict[tuple[str, str], dict[str, Utterance]] = defaultdict(dict)
    seconds: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    first: dict[tuple[str, str], Utterance] = {}
    unknown: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        language, speaker = utterance.language, utterance.speaker
        if not speaker:
            unknown[language].append(utterance)
            continue
        seconds[language][speaker] += utterance.seconds
        first.setdefault((language, speaker), utterance)
        if utterance.split:
            splits[language, speaker].setdefault(utterance.split, utterance)
    rows_of = Counter(utterance.language for utterance in utterances)
    for (_, speaker), named in splits.items():
        if len(named) > 1:
            row = next(iter(named.values()))
            yield finding("speaker_in_splits", row, f"speaker {speaker!r} is in {', '.join(sorted(named))}")
    if not seconds and utterances:
        yield finding("no_speaker", utterances[0], f"none of the {len(utterances)} rows names one")
        return
    for language, rows in unknown.items():
        if language not in seconds:
            yield finding(
                "no_speaker", rows[0], f"none of the {len(rows)} rows in {language or 'no language'} names one"
            )
        else:
            yield from (finding("no_speaker", row, "other rows name theirs") for row in rows)
    for language, times in seconds.items():
        speaker, most = max(times.items(), key=lambda item: item[1])
        total = sum(times.values())
        if most > _MOST * total and rows_of[language] >= _FEWEST:
            message = (
                f"{speaker!r} has {most / total:.0%} of the {total / 60:.1f} minutes in {language or 'no language'}"
            )
            yield finding("one_speaker", first[language, speaker], message)


def mixed(utterances: Sequence[Utterance], measures: Measures) -> Iterator[Finding]:
    """Recordings with another sample rate, or number of channels, than most."""
    for kind, what, unit in (("mixed_rates", "rate", "Hz"), ("mixed_channels", "channels", "channels")):
        values = {row.path: getattr(header, what) for row, (header, _) in zip(utterances, measures, strict=True)}
        counts = Counter(value for value in values.values() if value)
        usual = counts.most_common(1)[0][0] if counts else 0
        told = set()
        for row, (header, _) in zip(utterances, measures, strict=True):
            value = getattr(header, what)
            if value and value != usual and row.path not in told:
                told.add(row.path)
                yield finding(kind, row, f"{value} {unit}; {counts[usual]} of {counts.total()} recordings have {usual}")
