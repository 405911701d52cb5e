"""Tiers of annotations, as ELAN and Praat have them, and which of them are a corpus."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from unicodedata import normalize

from speechxl.data.audio import AudioError
from speechxl.data.manifest import Fault
from speechxl.data.recordings import Recordings
from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance
from speechxl.text import normalise


@dataclass(frozen=True)
class Annotation:
    """A stretch of a recording and what is written about it."""

    id: str
    """Unique in its file."""
    start: float
    """Seconds."""
    end: float
    text: str


@dataclass(frozen=True)
class Tier:
    """A row of annotations."""

    name: str
    annotations: list[Annotation]
    number: int
    """Its place in the file, from 1."""
    type: str = ""
    """Linguistic type in ELAN."""
    participant: str = ""
    language: str = ""
    """ISO 639-3, where the file says it."""
    faults: list[Fault] = field(default_factory=list)
    """Annotations that cannot be used."""

    @property
    def speaker(self) -> str:
        """Who speaks: the participant, or what follows the @ of a name such as tx@Ana."""
        return self.participant or self.name.partition("@")[2]


@dataclass(frozen=True)
class Choice:
    """Which tiers are taken; nothing for those that need no choice."""

    names: Sequence[str] = ()
    """Patterns of names, such as ``tx@*``."""
    type: str | None = None
    participant: str | None = None
    number: int | None = None
    """Place in the file, from 1."""

    def __bool__(self) -> bool:
        return bool(self.names or self.type or self.participant or self.number)

    def takes(self, tier: Tier) -> bool:
        """Whether a tier is one of those."""
        return (
            (not self.names or any(fnmatchcase(_plain(tier.name), _plain(name)) for name in self.names))
            and (self.type is None or tier.type == self.type)
            and (self.participant is None or tier.participant == self.participant)
            and (self.number is None or tier.number == self.number)
        )

    def __str__(self) -> str:
        said = [f"--tier {name}" for name in self.names]
        said += [f"--tier_type {self.type}"] if self.type is not None else []
        said += [f"--participant {self.participant}"] if self.participant is not None else []
        return " ".join([*said, *([f"--tier_number {self.number}"] if self.number is not None else [])])


def chosen(files: Sequence[tuple[Path, Sequence[Tier]]], choice: Choice) -> list[tuple[Path, list[Tier]]]:
    """Tiers of each file that are taken; without a choice those of the only name or type that hold anything.

    Raises:
        InputError: If none is, or if there are several kinds and none is chosen; with a table of all.
    """
    held = [(path, [tier for tier in tiers if tier.annotations or tier.faults]) for path, tiers in files]
    if not choice:
        kinds = {tier.name for _, tiers in held for tier in tiers}
        types = {tier.type for _, tiers in held for tier in tiers}
        if len(kinds) > 1 and (len(types) > 1 or types == {""}):
            ways = ["--tier NAME (such as 'tx@*')", *["--tier_type TYPE"] * (types != {""})]
            ways += ["--participant NAME"] * any(tier.participant for _, tiers in held for tier in tiers)
            named = f"{', '.join(ways)} or --tier_number N"
            raise InputError(f"there are several kinds of tiers; choose with {named}:\n{overview(files)}")
        return held
    taken = [(path, [tier for tier in tiers if choice.takes(tier)]) for path, tiers in files]
    if not any(tiers for _, tiers in taken):
        raise InputError(f"no tier is {choice}; there are:\n{overview(files)}")
    return taken


def overview(files: Iterable[tuple[Path, Sequence[Tier]]]) -> str:
    """A table of the tiers of all files."""
    counts: dict[tuple[str, str, str], list[int]] = {}
    for _, tiers in files:
        for tier in tiers:
            count = counts.setdefault((tier.name, tier.type, tier.participant), [0, 0])
            count[0] += len(tier.annotations)
            count[1] += 1
    lines = [
        f"  {name!r}" + f", type {type!r}" * bool(type) + f", participant {who!r}" * bool(who) + f": {n} annotations"
        f" in {many} file{'s' * (many > 1)}"
        for (name, type, who), (n, many) in counts.items()
    ]
    return "\n".join(lines[:40] + ([f"  ... and {len(lines) - 40} more"] if len(lines) > 40 else []))


def utterances(
    file: Path,
    name: str,
    tier: Tier,
    recording: Path,
    recordings: Recordings,
    *,
    column: str,
    offset: float = 0.0,
    empty: str = "empty annotation",
) -> Iterator[Utterance | Fault]:
    """Rows of a manifest out of a tier.

    Args:
        file: Annotations.
        name: Of the file, for ids.
        tier: One of its tiers.
        recording: What is annotated.
        recordings: That have been opened.
        column: Where the text goes, ``"text"`` or ``"phonemes"``.
        offset: What is added to times, seconds.
        empty: What to say of annotations without text; empty if they are not worth a word, as silence in Praat.
    """
    yield from tier.faults
    for annotation in tier.annotations:
        place = f"{file}#{tier.name}@{annotation.start:.3f}"
        text = normalise(annotation.text)
        if not text:
            if empty:
                yield Fault(place, empty)
            continue
        if annotation.end <= annotation.start:
            yield Fault(place, "annotation of no length")
            continue
        try:
            start, duration = recordings.stretch(recording, annotation.start + offset, annotation.end + offset)
        except AudioError as error:
            yield Fault(place, str(error))
            continue
        row = Utterance(
            recording, f"{name}#{annotation.id}", start, duration, language=tier.language,
            speaker=normalise(tier.speaker), extra={"tier": normalise(tier.name)}, origin=place,
        )  # fmt: skip
        yield replace(row, phonemes=text) if column == "phonemes" else replace(row, text=text)


def overlaps(rows: Iterable[Utterance]) -> int:
    """Rows during which another one of the same recording begins, or which begin during another."""
    ordered = sorted(rows, key=lambda row: (str(row.path), row.start))
    found: set[str] = set()
    for before, row in pairwise(ordered):
        if before.path == row.path and row.start < before.start + before.seconds - 1e-3:
            found |= {before.id, row.id}
    return len(found)


def annotation_files(source: Path, suffixes: Sequence[str]) -> list[Path]:
    """The file, or those below a folder, by their names; those that begin with a dot are another program's.

    Raises:
        InputError: If there is none.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise InputError(f"{source}: there is no such file or folder.")
    found = sorted(
        path
        for path in source.rglob("*")
        if path.suffix.lower() in suffixes and path.is_file() and not path.name.startswith(".")
    )
    if not found:
        raise NothingMatched(f"{source}: no {' or '.join(suffixes)} below this folder.")
    return found


def name_of(file: Path, source: Path) -> str:
    """Name of a file in ids: relative to the folder that was named, without suffix."""
    inner = file.relative_to(source) if source.is_dir() else Path(file.name)
    return inner.with_suffix("").as_posix()


def _plain(name: str) -> str:
    return normalize("NFC", name)
