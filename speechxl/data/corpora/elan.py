"""Annotation documents of ELAN (``.eaf``) and their recordings."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from speechxl.data.audio import PLAIN
from speechxl.data.elan import Document, read_elan
from speechxl.data.manifest import Fault
from speechxl.data.recordings import Recordings
from speechxl.data.tiers import Choice, Tier, annotation_files, chosen, name_of, overlaps, utterances
from speechxl.errors import InputError
from speechxl.shapes import Utterance

log = logging.getLogger(__name__)


def read(
    source: Path,
    tier: Sequence[str] = (),
    tier_type: str | None = None,
    participant: str | None = None,
    tier_number: int | None = None,
    column: str = "text",
    audio_root: Path | None = None,
) -> Iterator[Utterance | Fault]:
    """Annotations of the chosen tiers, the tier's name in the column "tier".

    The recording is what the document names relative to itself, what has its name, what lies in `audio_root`.

    Args:
        source: Document, or a folder below which they are.
        tier: Patterns of the names of tiers.
        tier_type: Their linguistic type.
        participant: Whose tiers.
        tier_number: Their place in the document, from 1.
        column: Where their text goes, ``"text"`` or ``"phonemes"``.
        audio_root: Folder below which recordings are that are not where the document says.

    Raises:
        InputError: If a tier has to be chosen, or none is.
    """
    recordings = Recordings(audio_root)
    documents: list[tuple[Path, Document]] = []
    for file in annotation_files(source, (".eaf",)):
        try:
            documents.append((file, read_elan(file)))
        except InputError as error:
            if file == source:
                raise
            yield Fault.of(file, error)
    try:
        picked = chosen(
            [(file, document.tiers) for file, document in documents],
            Choice(tier, tier_type, participant, tier_number),
        )
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    rows: list[Utterance] = []
    for (file, document), (_, tiers) in zip(documents, picked, strict=True):
        for item in _document(file, document, tiers, recordings, name_of(file, source), column):
            rows += [item] if isinstance(item, Utterance) else []
            yield item
    if count := overlaps(rows):
        log.info("%d of %d annotations overlap in time with another one; all are kept", count, len(rows))


def _document(
    file: Path, document: Document, tiers: Sequence[Tier], recordings: Recordings, name: str, column: str
) -> Iterator[Utterance | Fault]:
    if not tiers:
        yield Fault(str(file), "none of the chosen tiers is in it")
        return
    found = [(path, media.offset) for media in document.media if (path := recordings.find(media.names, file))]
    found = found or [(path, 0.0) for path in [recordings.find([], file)] if path]
    if not found:
        named = ", ".join(names for media in document.media for names in media.names[:1]) or "none is named"
        yield Fault(
            str(file),
            f"its recording is missing ({named}); looked beside it and for a recording with its name"
            + (
                f", and below {recordings.audio_root}." if recordings.audio_root else "; name its folder: --audio_root."
            ),
        )
        for each in tiers:
            yield from (
                Fault(f"{file}#{each.name}@{a.start:.3f}", "its recording is missing") for a in each.annotations
            )
        return
    recording, offset = min(found, key=lambda pair: pair[0].suffix.lower() not in PLAIN)
    for each in tiers:
        yield from utterances(file, name, each, recording, recordings, column=column, offset=offset)
