"""What was left out of a corpus, for people and in a file."""

import logging
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from speechxl.data.manifest import Fault
from speechxl.files import write_text

log = logging.getLogger(__name__)
_SHOWN = 10


def report_left_out(faults: Sequence[Fault], report: Path) -> None:
    """Writes places and reasons as a table, and says the first of each reason; removes the table of an earlier time."""
    alike: dict[str, list[str]] = {}
    for fault in faults:
        alike.setdefault(fault.message, []).append(fault.place)
    for message, places in islice(alike.items(), _SHOWN):
        log.warning("left out: %s%s: %s", places[0], f" and {len(places) - 1} more" * (len(places) > 1), message)
    if faults:
        lines = (f"{_cell(fault.place)}\t{_cell(fault.message)}\n" for fault in faults)
        write_text(report, "place\treason\n" + "".join(lines))
        log.warning("%d left out in all, see %s", len(faults), report)
    else:
        report.unlink(missing_ok=True)


def _cell(text: str) -> str:
    """On one line, without what cannot be written."""
    return " ".join(text.encode("utf-8", "backslashreplace").decode().split())
