"""Words or phones in time for programs in which people go on with them: Praat, ELAN, NIST's scoring."""

import re
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from praatio.data_classes.interval_tier import IntervalTier
from praatio.data_classes.textgrid import Textgrid
from pympi import Elan

from speechxl.data.elan import MIME, relative
from speechxl.data.praat import Grid, read_textgrid, textgrid_text, with_silence
from speechxl.data.xml import read_xml
from speechxl.decoding.intervals import Interval
from speechxl.errors import InputError

_TYPE, _SCORES = "speechxl", "speechxl-confidence"
"""Linguistic types in ELAN, of words or phones and of their scores."""
_ORDER = ("LICENSE", "HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "LOCALE", "LANGUAGE", "CONSTRAINT")
"""Order of the elements of an annotation document, which its schema fixes."""


class AnnotationError(InputError):
    """A file of annotations that cannot be added to."""


def ctm(words: list[Interval], name: str) -> str:
    """Lines of recording, channel, start, duration (seconds), word and confidence."""
    name = re.sub(r"\s+", "_", name)
    return "".join(
        f"{name} 1 {word.start / 1000:.3f} {(word.end - word.start) / 1000:.3f} {word.text} {word.score:.4f}\n"
        for word in words
    )


def praat(words: list[Interval], tier: str, end: float) -> Textgrid:
    """Two tiers from the beginning of the recording to the end of the clip, empty between the words; three with alternatives.

    Args:
        words: Words or phones.
        tier: ``"words"`` or ``"phones"``.
        end: Of the clip, seconds in the recording.
    """
    grid = Textgrid(0, end)
    tiers = {tier: [word.text for word in words], "scores": [f"{word.score:.4f}" for word in words]}
    if any(word.alternatives for word in words):
        tiers["alternatives"] = [word.alternatives for word in words]
    for name, labels in tiers.items():
        entries = [(word.start / 1000, word.end / 1000, label) for word, label in zip(words, labels, strict=True)]
        grid.addTier(IntervalTier(name, entries, 0, end))
    return grid


def praat_beside(words: list[Interval], tier: str, end: float, beside: Path) -> str:
    """The same tiers in a copy of the annotations that stand beside the recording, whose tiers stay as they are.

    Args:
        words: Words or phones.
        tier: ``"words"`` or ``"phones"``.
        end: Of the clip, seconds in the recording.
        beside: TextGrid; tiers of the same names in it make those here get a number.

    Raises:
        AnnotationError: If it is no TextGrid in text form.
    """
    try:
        grid = read_textgrid(beside)
    except InputError as error:
        raise AnnotationError(f"{beside}: beside the recording, {error}") from None
    start, stop = min(grid.start, 0.0), max(grid.end, end)
    taken = {each.name for each in grid.all}
    number = 1
    while {_counted(name, number) for name in (tier, "scores", "alternatives")} & taken:
        number += 1
    own = [
        with_silence(
            _counted(each.name, number),
            [(entry.start, entry.end, entry.label) for entry in each.entries],
            start,
            stop,
        )
        for each in praat(words, tier, end).tiers
    ]
    return textgrid_text(Grid(start, stop, [*grid.all, *own]))


def _counted(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def elan(words: list[Interval], tier: str, recording: Path, folder: Path, beside: Path | None) -> str:
    """An annotation document with a tier of words or phones, and one of their scores that depends on it.

    Args:
        words: Words or phones.
        tier: ``"words"`` or ``"phones"``.
        recording: What is annotated; the document gets its date, so that it is the same whenever it is written.
        folder: Where the document will stand.
        beside: Annotations of the same recording, to a copy of which the tiers are added; None for a new document.

    Raises:
        AnnotationError: If what stands beside the recording is no annotation document.
    """
    document = _read(beside) if beside is not None else None
    own = Elan.Eaf(author="speechxl")
    own.adocument["DATE"] = datetime.fromtimestamp(int(recording.stat().st_mtime), timezone.utc).isoformat()
    own.remove_tier("default")
    del own.linguistic_types["default-lt"]
    own.add_linguistic_type(_TYPE)
    own.add_linguistic_type(_SCORES, constraints="Symbolic_Association", timealignable=False)
    taken = set()
    if document is not None:
        taken = {element.get("TIER_ID") for element in document.iter("TIER")}
        own.maxts = _highest(document.iter("TIME_SLOT"), "TIME_SLOT_ID")
        own.maxaid = _highest(document.iter(), "ANNOTATION_ID")
    number = next(n for n in range(1, len(taken) + 2) if not {_numbered(tier, n), _numbered("confidence", n)} & taken)
    aligned, scores = _numbered(tier, number), _numbered("confidence", number)
    own.add_tier(aligned, _TYPE)
    own.add_tier(scores, _SCORES, parent=aligned)
    for word in words:
        own.add_annotation(aligned, word.start, word.end, word.text)
    for id, word in zip(list(own.tiers[aligned][0]), words, strict=True):
        own.tiers[scores][1][own.generate_annotation_id()] = (id, f"{word.score:.4f}", None, None)
    own.properties = [("lastUsedAnnotationId", own.maxaid)]
    own.add_linked_file(
        f"file://{recording.absolute().as_posix()}", relative(recording, folder), MIME.get(recording.suffix.lower(), "unknown")
    )  # fmt: skip
    new = Elan.to_adocument(own)
    if document is not None and beside is not None:
        _add(document, new, beside.parent, folder)
        new = document
    return ElementTree.tostring(new, encoding="UTF-8", xml_declaration=True).decode() + "\n"


def _read(path: Path) -> Element:
    try:
        document = read_xml(path)
    except InputError as error:
        line, _, reason = str(error).removeprefix(f"{path}:").partition(": ")
        raise AnnotationError(f"{path}: beside the recording, {reason or error} (line {line or '?'})") from None
    if document.find("HEADER") is None or document.find("TIME_ORDER") is None:
        raise AnnotationError(f"{path}: beside the recording, is not an annotation document of ELAN.")
    for slot in document.iter("TIME_SLOT"):
        value = slot.get("TIME_VALUE", "0")
        if not re.fullmatch(r"-?\d{1,15}", value):
            raise AnnotationError(
                f"{path}: beside the recording, the time of {slot.get('TIME_SLOT_ID', '')[:40]} is {value[:40]!r}, milliseconds "
                "were expected."
            )
    return document


def _add(document: Element, new: Element, source: Path, target: Path) -> None:
    """Puts tiers, their types and times into a document; what stands there stays as it is, but for the paths of media."""
    for kind, name in (("TIER", "TIER_ID"), ("LINGUISTIC_TYPE", "LINGUISTIC_TYPE_ID"), ("CONSTRAINT", "STEREOTYPE")):
        standing = {element.get(name) for element in document.iter(kind)}
        missing = [element for element in new.iter(kind) if element.get(name) not in standing]
        before = _ORDER[: _ORDER.index(kind) + 1]
        place = 1 + max(number for number, element in enumerate(document) if element.tag in before)
        document[place:place] = missing
    for order in document.iter("TIME_ORDER"):
        order[:] = _merged(list(order), list(new.iter("TIME_SLOT")))
    for element in document.iter("PROPERTY"):
        if element.get("NAME") == "lastUsedAnnotationId":
            element.text = str(_highest(document.iter(), "ANNOTATION_ID"))
    for attribute in ("RELATIVE_MEDIA_URL", "RELATIVE_LINK_URL"):
        for element in document.iter():
            if (path := source / element.get(attribute, "")).is_file():
                element.set(attribute, relative(path, target))


def _merged(standing: list[Element], new: list[Element]) -> list[Element]:
    """Time slots by time; those that have none stay between their neighbours."""
    merged = []
    new = sorted(new, key=_milliseconds)
    for slot in standing:
        while new and slot.get("TIME_VALUE") and _milliseconds(slot) > _milliseconds(new[0]):
            merged.append(new.pop(0))
        merged.append(slot)
    return merged + new


def _milliseconds(slot: Element) -> int:
    return int(slot.get("TIME_VALUE", "0"))


def _highest(elements: Iterable[Element], attribute: str) -> int:
    """The greatest number in any of their names, at least 1; numbers too long to be met by counting are passed over."""
    digits = (re.sub(r"\D", "", element.get(attribute, "")) for element in elements)
    return max((int(each or 1) for each in digits if len(each) < 16), default=1)


def _numbered(name: str, number: int) -> str:
    return f"speechxl-{name}" + (f"-{number}" if number > 1 else "")
