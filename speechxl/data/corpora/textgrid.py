"""Praat's TextGrids and their recordings."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from speechxl.data.manifest import Fault
from speechxl.data.praat import Grid, read_textgrid
from speechxl.data.recordings import Recordings
from speechxl.data.tiers import Choice, annotation_files, chosen, name_of, overlaps, utterances
from speechxl.errors import InputError
from speechxl.shapes import Utterance

log = logging.getLogger(__name__)


def read(
    source: Path,
    tier: Sequence[str] = (),
    tier_number: int | None = None,
    column: str = "text",
    audio_root: Path | None = None,
) -> Iterator[Utterance | Fault]:
    """Intervals of the chosen tiers, the tier's name in the column "tier"; intervals without text are silence.

    The recording is what has the name of the TextGrid, beside it or in `audio_root`.

    Args:
        source: TextGrid, or a folder below which they are.
        tier: Patterns of the names of tiers.
        tier_number: Their place in the TextGrid, from 1.
        column: Where their text goes, ``"text"`` or ``"phonemes"``.
        audio_root: Folder below which recordings are that do not stand beside their TextGrid.

    Raises:
        InputError: If a tier has to be chosen, none is, or one of points is.
    """
    recordings = Recordings(audio_root)
    grids: list[tuple[Path, Grid]] = []
    for file in annotation_files(source, (".textgrid",)):
        try:
            grids.append((file, read_textgrid(file)))
        except InputError as error:
            if file == source:
                raise
            yield Fault.of(file, error)
    choice = Choice(tier, number=tier_number)
    try:
        picked = chosen([(file, grid.tiers) for file, grid in grids], choice)
    except InputError as error:
        points = {point.name for _, grid in grids for point in grid.points}
        more = (
            f"\nTiers of points, which have no length, cannot be taken: {', '.join(sorted(points))}" if points else ""
        )
        raise InputError(f"{source}: {error}{more}") from None
    rows: list[Utterance] = []
    for (file, grid), (_, tiers) in zip(grids, picked, strict=True):
        for point in grid.points:
            if point.entries:
                yield Fault(f"{file}#{point.name}", f"a tier of {len(point.entries)} points, which have no length")
        recording = recordings.find([], file)
        if not tiers:
            yield Fault(str(file), "none of the chosen tiers is in it")
        elif recording is None:
            said = [a for each in tiers for a in each.annotations if a.text.strip()]
            yield from (
                Fault(f"{file}@{a.start:.3f}", "its recording is missing; name its folder: --audio_root.") for a in said
            )
        else:
            for each in tiers:
                for item in utterances(
                    file, name_of(file, source), each, recording, recordings, column=column, empty=""
                ):  # fmt: skip
                    rows += [item] if isinstance(item, Utterance) else []
                    yield item
    if count := overlaps(rows):
        log.info("%d of %d intervals overlap in time with another one; all are kept", count, len(rows))
