"""Reports: one HTML page with everything in it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from speechxl.files import write_text


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


def write_page(path: Path, title: str, summary: str, sections: Sequence[Section]) -> None:
    """Writes a self-contained page; all text is escaped."""
    template = jinja2.Environment(autoescape=True).from_string(
        files("speechxl.evaluation").joinpath("page.html").read_text()
    )
    shown = [vars(section) | {"figures": [Markup(figure) for figure in section.figures]} for section in sections]
    write_text(path, template.render(title=title, summary=summary, sections=shown))


def player(audio: Path) -> Markup:
    """An audio file inside the page."""
    data = base64.b64encode(audio.read_bytes()).decode()
    kind = audio.suffix.lstrip(".")
    return Markup(f'<audio controls preload="none" src="data:audio/{kind};base64,{data}"></audio>')
