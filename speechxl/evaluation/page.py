"""Reports: one HTML page with everything in it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from speechxl.files import write_text

GENERATOR = '<meta name="generator" content="speechxl">'
"""Stands in every page."""


@dataclass(frozen=True)
class Section:
    """A part of a report."""

    title: str
    text: str = ""
    table: Sequence[Sequence[object]] = ()
    """Header and rows."""
    figures: Sequence[str] = field(default_factory=list)
    """SVG, taken as it is."""
    note: str = ""
    points: Sequence[str] = ()
    """Sentences, one below the other."""


def write_page(path: Path, title: str, summary: str, sections: Sequence[Section]) -> None:
    """Writes a self-contained page; all text is escaped."""
    template = jinja2.Environment(autoescape=True).from_string(
        files("speechxl.evaluation").joinpath("page.html").read_text()
    )
    shown = [vars(section) | {"figures": [Markup(figure) for figure in section.figures]} for section in sections]
    write_text(path, template.render(title=title, summary=summary, sections=shown))


def player(audio: Path) -> Markup:
    """An audio file inside the page."""
    return embedded(base64.b64encode(audio.read_bytes()).decode(), audio.suffix.lstrip("."))


def embedded(data: str, kind: str) -> Markup:
    """Audio inside the page.

    Args:
        data: Base64.
        kind: Such as ``wav``, ``mpeg``.
    """
    return Markup('<audio controls preload="none" src="data:audio/{};base64,{}"></audio>').format(kind, data)


def is_page(path: Path) -> bool:
    """Whether a file was written by `write_page`."""
    with path.open("rb") as file:
        return GENERATOR.encode() in file.read(1024)
