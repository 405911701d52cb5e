"""Annotation documents of ELAN (``.eaf``), formats 2.0 to 3.0, as tiers."""

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from speechxl.data.languages import language_fault
from speechxl.data.manifest import Fault
from speechxl.data.tiers import Annotation, Tier
from speechxl.data.xml import read_xml
from speechxl.errors import InputError

MIME = {
    ".wav": "audio/x-wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg", ".opus": "audio/ogg",
    ".m4a": "audio/mp4", ".mp4": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime",
}  # fmt: skip
"""Kinds of media by the ends of their names."""
_DEEP = 100
"""Annotations that refer to each other, one to the next."""


@dataclass(frozen=True)
class Media:
    """A recording that a document is about."""

    names: list[str]
    """What it is called, the most useful first."""
    offset: float
    """Time of the recording at the document's time 0, seconds."""


@dataclass(frozen=True)
class Document:
    """What of a document is used here."""

    media: list[Media]
    tiers: list[Tier]


@dataclass
class _Raw:
    """An annotation as it stands: with slots of time, or with the annotation that it belongs to."""

    id: str
    text: str
    slots: tuple[str, str] | None = None
    parent: str = ""
    previous: str = ""


def read_elan(path: Path) -> Document:
    """Media and tiers of a document; annotations of dependent tiers have the times of those that they belong to.

    Several annotations that divide one without times of their own, such as words of a sentence, become one.

    Raises:
        InputError: If it is not a document of ELAN.
    """
    root = read_xml(path)
    if root.tag != "ANNOTATION_DOCUMENT":
        raise InputError(f"{path}: is no annotation document of ELAN, its root is <{str(root.tag)[:40]}>.")
    slots: dict[str, float | None] = {}
    for slot in root.iter("TIME_SLOT"):
        slots[slot.get("TIME_SLOT_ID", "")] = _seconds(slot.get("TIME_VALUE"), path, slot)
    elements = [element for element in root if element.tag == "TIER"]
    raw = [list(_annotations(element)) for element in elements]
    known = {each.id: each for tier in raw for each in tier}
    times: dict[str, tuple[float, float]] = {}
    for tier in raw:
        _place(tier, slots, times)
    languages = {each.get("LANG_ID", ""): _iso(each) for each in root.iter("LANGUAGE")}
    tiers = []
    for number, (element, annotations) in enumerate(zip(elements, raw, strict=True), start=1):
        name = element.get("TIER_ID", "") or f"tier {number}"
        found, faults = _resolved(annotations, known, times, f"{path}#{name}")
        tiers.append(
            Tier(
                name,
                found,
                number,
                element.get("LINGUISTIC_TYPE_REF", ""),
                element.get("PARTICIPANT", ""),
                languages.get(element.get("LANG_REF", ""), ""),
                faults,
            )
        )
    return Document([_media(each, path) for each in root.iter("MEDIA_DESCRIPTOR")], tiers)


def _seconds(value: str | None, path: Path, element: Element) -> float | None:
    if value is None:
        return None
    try:
        return _finite(value) / 1000
    except ValueError:
        where = element.get("TIME_SLOT_ID") or element.tag
        raise InputError(f"{path}: the time of {where} is {value!r}, milliseconds were expected.") from None


def _finite(value: str) -> float:
    if not math.isfinite(number := float(value)) or abs(number) > 1e12:
        raise ValueError
    return number


def _media(element: Element, path: Path) -> Media:
    origin = _seconds(element.get("TIME_ORIGIN"), path, element) or 0.0
    names = (element.get("RELATIVE_MEDIA_URL"), element.get("MEDIA_URL"))
    return Media([name for name in names if name], origin)


def _iso(element: Element) -> str:
    """ISO 639-3 code of a language of the document, where its definition (.../iso639-3/swh) or label is one."""
    for name in (element.get("LANG_DEF", "").rpartition("/")[2], element.get("LANG_ID", "")):
        if name and language_fault(name) is None:
            return name
    return ""


def _annotations(tier: Element) -> Iterator[_Raw]:
    for element in tier.iter():
        value = element.find("ANNOTATION_VALUE")
        text = "" if value is None else "".join(value.itertext())
        id = element.get("ANNOTATION_ID", "")
        if element.tag == "ALIGNABLE_ANNOTATION":
            yield _Raw(id, text, (element.get("TIME_SLOT_REF1", ""), element.get("TIME_SLOT_REF2", "")))
        elif element.tag == "REF_ANNOTATION":
            yield _Raw(
                id, text, parent=element.get("ANNOTATION_REF", ""), previous=element.get("PREVIOUS_ANNOTATION", "")
            )


def _place(tier: list[_Raw], slots: dict[str, float | None], times: dict[str, tuple[float, float]]) -> None:
    """Times of annotations with slots; slots without a time, which a chain of annotations shares, are spread evenly."""
    following = {each.slots[0]: each.slots[1] for each in tier if each.slots}
    known = dict(slots)
    for first in following:
        if known.get(first) is None:
            continue
        chain, slot = {first: None}, following[first]
        while known.get(slot) is None and slot in following and slot not in chain and slot in slots:
            chain[slot] = None
            slot = following[slot]
        begin, end = known[first], known.get(slot)
        if begin is not None and end is not None:
            for place, middle in enumerate(list(chain)[1:], start=1):
                known[middle] = begin + (end - begin) * place / len(chain)
    for each in tier:
        if each.slots:
            start, stop = known.get(each.slots[0]), known.get(each.slots[1])
            if start is not None and stop is not None:
                times[each.id] = (start, stop)


def _resolved(
    annotations: Iterable[_Raw], known: dict[str, _Raw], times: dict[str, tuple[float, float]], place: str
) -> tuple[list[Annotation], list[Fault]]:
    """Annotations of a tier with their times, in the order of the tier, and those that have none."""
    found, faults = [], []
    parts: dict[str, list[_Raw]] = {}
    for each in annotations:
        parts.setdefault(each.parent or each.id, []).append(each)
    for group in parts.values():
        first, *_ = group = _in_order(group)
        time = _time(first, known, times)
        if time is None:
            faults += [Fault(f"{place}@{each.id}", "its time is not in the document") for each in group]
        else:
            text = " ".join(each.text for each in group)
            found.append(Annotation(first.id, *time, text))
    return found, faults


def _in_order(group: list[_Raw]) -> list[_Raw]:
    """Parts of an annotation, each after the one that it names as previous."""
    after = {each.previous: each for each in group}
    ordered: list[_Raw] = []
    following = after.get("")
    while following is not None and len(ordered) < len(group):
        ordered.append(following)
        following = after.get(following.id)
    return ordered if len(ordered) == len(group) else group


def _time(
    each: _Raw | None, known: dict[str, _Raw], times: dict[str, tuple[float, float]]
) -> tuple[float, float] | None:
    for _ in range(_DEEP):
        if each is None or each.id in times:
            break
        each = known.get(each.parent) if each.parent else None
    return times.get(each.id) if each is not None else None


def relative(path: Path, folder: Path) -> str:
    """Address of a recording as documents in a folder have it."""
    found = Path(os.path.relpath(path, folder)).as_posix()
    return found if found.startswith("../") else f"./{found}"
