"""The folder of transcripts: which file belongs to which recording, what is done already, who made it, what failed."""

import json
import logging
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechxl.decoding.lines import Lines
from speechxl.decoding.output import suffixed, write
from speechxl.errors import InputError
from speechxl.files import write_text
from speechxl.shapes import Utterance

log = logging.getLogger(__name__)
RECORD = "transcribe.json"
"""Who made the transcripts of a folder, in which formats, of which recordings."""


def report_name(language: str) -> str:
    """File that says what became of the model's phones, in recordings of a language; empty for all recordings."""
    return f"phones-{language}.json" if language else "phones.json"


@dataclass(frozen=True)
class Entry:
    """A recording, or a stretch of one, and where its transcript goes."""

    utterance: Utterance
    name: str
    """What the user calls it, unique."""
    file: str = ""
    """Name of its files in the folder, without suffix."""
    recording: str = ""
    """The same without the place of a stretch."""


def assign(
    utterances: Sequence[Utterance],
    root: Path,
    known: dict[str, dict[str, str]],
    *,
    overwrite: bool = False,
    reports: Sequence[str] = (),
) -> list[Entry]:
    """Gives each recording its files, in a tree like that of the recordings.

    Args:
        utterances: Of the whole run, whatever its shard.
        root: Folder that holds all of them.
        known: ``recordings`` of the folder's record.
        overwrite: Whether files may change hands.
        reports: Names of other files that the run writes into the folder.

    Raises:
        InputError: If two recordings would share a file, or a file is that of another recording.
    """
    paths = [os.path.normpath(utterance.path) for utterance in utterances]
    inner = [Path(path).relative_to(root) for path in paths]
    choices = [_choices(utterance, path) for utterance, path in zip(utterances, inner, strict=True)]
    owners = {file: entry["path"] for file, entry in known.items()}
    owned = {(path, Path(file).name): file for file, path in owners.items()}
    taken = {_same(Path(name).stem): name for name in (RECORD, *reports)}
    files: dict[int, str] = {}
    for number, path in enumerate(paths):  # those that have files keep them, whatever stands before or above them now
        own = [owned[path, name] for name in map(os.path.basename, choices[number]) if (path, name) in owned]
        for file in [file for file in own if _same(file) not in taken][:1]:
            files[number] = file
            taken[_same(file)] = utterances[number].id
    for number in sorted(set(range(len(paths))) - files.keys()):
        files[number] = _free(choices[number], paths[number], owners, taken, overwrite)
        taken[_same(files[number])] = utterances[number].id
    names = _names(utterances, paths, [files[number] for number in range(len(paths))], known)
    return [
        Entry(utterance, name, files[number], path.with_suffix("").as_posix())
        for number, (utterance, name, path) in enumerate(zip(utterances, names, inner, strict=True))
    ]


def _free(choices: list[str], path: str, owners: dict[str, str], taken: dict[str, str], overwrite: bool) -> str:
    """The first name that no other recording has."""
    for file in choices:
        if _same(file) in taken:
            continue
        if file not in owners:
            return file
        if Path(owners[file]).name == Path(path).name:
            if overwrite:
                return file
            raise InputError(
                f"{file} in --out is the transcript of {owners[file]}, and that of {path} would have the same name; choose "
                "another --out, or replace it with --overwrite."
            )
    other = taken.get(_same(choices[0])) or owners[choices[0]]
    raise InputError(f"{path} and {other} would be written to the same file {choices[0]}.txt.")


def _names(
    utterances: Sequence[Utterance], paths: Sequence[str], files: Sequence[str], known: dict[str, dict[str, str]]
) -> list[str]:
    """What the user called each recording first; where that is not unique, its path."""
    mine = set(files)
    ids = Counter(utterance.id for utterance in utterances)
    ids.update(entry["audio"] for file, entry in known.items() if file not in mine)
    names = []
    for utterance, path, file in zip(utterances, paths, files, strict=True):
        name = utterance.id if ids[utterance.id] == 1 else f"{utterance.path}{_place(utterance)}"
        earlier = known.get(file)
        names.append(earlier["audio"] if earlier and earlier["path"] == path else name)
    return names


def _choices(utterance: Utterance, inner: Path) -> list[str]:
    """Names for a recording's files, the best first."""
    places = [_place(utterance)]
    if utterance.duration is not None:
        places.append(f"@{utterance.start:.3f}-{utterance.start + utterance.duration:.3f}")
    return [inner.with_name(name + place).as_posix() for place in places for name in (inner.stem, inner.name)]


def _place(utterance: Utterance) -> str:
    """Where a stretch begins, to the millisecond; nothing at the beginning."""
    return "@" + f"{utterance.start:.3f}".rstrip("0").rstrip(".") if utterance.start else ""


def _same(name: str) -> str:
    """Equal for names that some file systems do not tell apart."""
    return unicodedata.normalize("NFC", name).casefold()


def read_record(out: Path) -> dict[str, Any]:
    """What ``transcribe.json`` says; empty if there is none.

    Raises:
        InputError: If it is damaged, or ``out`` is a file.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file, a folder was expected.")
    if not (out / RECORD).exists():
        return {}
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
        if record["schema"] == 1 and {"model", "weights", "way", "formats", "recordings"} <= record.keys():
            return record
    raise InputError(f"{out / RECORD}: is damaged; choose another --out, or remove it and redo all with --overwrite.")


class Transcripts:
    """Transcripts of a run in their folder.

    Args:
        out: The folder.
        record: Its `read_record`.
        entries: Every recording of the run and of those that share its folder as shards.
        mine: What of them this run does.
        formats: In which forms.
        shard: ``-3-of-64`` for the third of 64 runs that share the folder; empty otherwise.
        overwrite: Whether what stands there is done again.
        reports: Documents that are written beside the transcripts, by the names of their files.

    Raises:
        InputError: If files stand there that `transcribe` has not made.
    """

    def __init__(
        self,
        out: Path,
        record: dict[str, Any],
        entries: Sequence[Entry],
        mine: Sequence[Entry],
        formats: Sequence[str],
        *,
        shard: str = "",
        overwrite: bool = False,
        reports: Mapping[str, Any] | None = None,
    ) -> None:
        self.out, self.record, self.overwrite, self.reports = out, record, overwrite, reports or {}
        self.entries, self.mine = entries, mine
        self.formats = [format for format in formats if format != "jsonl"]
        self.lines = Lines(out / f"transcripts{shard}.jsonl") if "jsonl" in formats else None
        self.failures = out / f"failures{shard}.jsonl"
        self.failed: list[dict[str, str]] = []
        self.standing = self._list()
        foreign = [] if overwrite else self._foreign()
        if foreign:
            raise InputError(
                f"{foreign[0]} stands there already and is not by speechxl transcribe ({len(foreign)} such files); choose "
                "another --out, or replace them with --overwrite."
            )
        if "eaf" in formats:
            self._keep_originals()

    def files(self, entry: Entry) -> list[Path]:
        """Files of a recording."""
        return [suffixed(self.out / entry.file, format) for format in self.formats]

    def _list(self) -> set[Path]:
        """What is in the folders of the transcripts, read once."""
        folders = {(self.out / entry.file).parent for entry in self.entries} | {self.out}
        return {folder / name for folder in folders if folder.is_dir() for name in os.listdir(folder)}

    def _foreign(self) -> list[Path]:
        made = self.record.get("formats", [])
        known = self.record.get("recordings", {})
        found = [
            file
            for entry in self.entries
            for format, file in zip(self.formats, self.files(entry), strict=True)
            if file in self.standing and (format not in made or entry.file not in known)
        ]
        if self.lines is not None and self.lines.path in self.standing and "jsonl" not in made:
            found.append(self.lines.path)
        reports = self.reports.keys() - set(self.record.get("reports", []))
        return found + [self.out / name for name in sorted(reports) if self.out / name in self.standing]

    def _keep_originals(self) -> None:
        """Annotations that stand beside a recording are never written over, whatever was asked for."""
        for entry in self.entries:
            file = suffixed(self.out / entry.file, "eaf")
            ours = "eaf" in self.record.get("formats", []) and entry.file in self.record.get("recordings", {})
            beside = entry.utterance.path.with_suffix(".eaf")
            if file in self.standing and not ours and beside.exists() and beside.samefile(file):
                raise InputError(f"{beside}: the copy with new tiers would replace it; choose another --out.")

    def begin(self, model: str, weights: str, way: dict[str, Any]) -> list[Entry]:
        """Notes who is at work, and finds what is left to do.

        Args:
            model: Name of the model.
            weights: Hash of what decides on its output.
            way: How it is used, such as its precision.

        Raises:
            InputError: If what stands there was made by another model.
        """
        now = {"weights": weights, "way": way}
        same = not self.record or {key: self.record[key] for key in now} == now
        if not same and not self.overwrite:
            raise InputError(
                f"{self.out}: the transcripts there were made with {_described(self.record)}, not with "
                f"{_described({'model': model, **now})}; choose another --out, or redo them with --overwrite."
            )
        self._clean()
        if self.overwrite:
            for entry in self.mine:
                for file in self.files(entry):
                    if file in self.standing:
                        file.unlink(missing_ok=True)
            self.standing = set()
            if self.lines is not None:
                self.lines.forget({entry.name for entry in self.mine} if same else None)
        earlier = set(self.record.get("reports", []))
        for name in set() if same else earlier - self.reports.keys():
            (self.out / name).unlink(missing_ok=True)
        for name, report in self.reports.items():
            write_text(self.out / name, json.dumps(report, ensure_ascii=False, indent=1) + "\n")
        made_by = {"schema": 1, "model": self.record["model"] if self.record and same else model, **now}
        if reports := sorted({*self.reports, *(earlier if same else ())}):
            made_by["reports"] = reports
        self._write_record(made_by)
        self.failures.unlink(missing_ok=True)
        left = [entry for entry in self.mine if not self._is_done(entry)]
        if done := len(self.mine) - len(left):
            log.info("%d of %d recordings are done already, skipped", done, len(self.mine))
        return left

    def _write_record(self, made_by: dict[str, Any]) -> None:
        formats = [*self.formats, *(["jsonl"] if self.lines is not None else [])]
        formats = sorted({*self.record.get("formats", []), *formats})
        recordings = self.record.get("recordings", {}) | {
            entry.file: {"audio": entry.name, "path": os.path.normpath(entry.utterance.path)} for entry in self.entries
        }
        record = {**made_by, "formats": formats, "recordings": recordings}
        if record != self.record:
            write_text(self.out / RECORD, json.dumps(record, ensure_ascii=False, indent=1) + "\n")

    def _is_done(self, entry: Entry) -> bool:
        return all(file in self.standing for file in self.files(entry)) and (
            self.lines is None or entry.name in self.lines
        )

    def _clean(self) -> None:
        """Removes what writes that were killed have left."""
        wanted = {file for entry in self.mine for file in self.files(entry)}
        wanted |= {self.lines.path} if self.lines is not None else set()
        for file in self.standing:
            name = re.fullmatch(r"\.(.+)\.[0-9a-f]+\.part", file.name)
            if name and file.with_name(name[1]) in wanted:
                file.unlink(missing_ok=True)

    def add(
        self, entry: Entry, result: dict[str, Any], seconds: float, units: str, max_line_width: int, max_gap: float
    ) -> None:
        """Writes the transcript of a recording, as `output.write` does.

        Raises:
            AnnotationError: If annotations stand beside the recording and cannot be added to.
        """
        write(
            self.out / entry.file, entry.recording, result, entry.utterance, seconds, units, self.formats,
            max_line_width=max_line_width, max_gap=max_gap,
        )  # fmt: skip
        if self.lines is not None:
            self.lines.add(result)

    def fail(self, failure: dict[str, str]) -> None:
        """Notes why a recording could not be used."""
        self.failed.append(failure)
        with self.failures.open("a", encoding="utf-8") as file:
            file.write(json.dumps(failure, ensure_ascii=False) + "\n")

    def finish(self) -> None:
        """Puts the lines in order, and says what failed."""
        if self.lines is not None:
            self.lines.finish([entry.name for entry in self.mine])
        if self.failed:
            named = ", ".join(failure["audio"] for failure in self.failed[:5])
            more = ", ..." if len(self.failed) > 5 else ""
            log.warning(
                "%d of %d recordings failed: %s%s; the reasons are in %s",
                len(self.failed), len(self.mine), named, more, self.failures,
            )  # fmt: skip


def _described(record: dict[str, Any]) -> str:
    """Model, first digits of its hash, and how it was used."""
    way = ", ".join(f"{name} {value}" for name, value in record["way"].items() if value)
    return f"{record['model']} ({record['weights'][:8]}, {way})"
