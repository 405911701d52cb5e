"""What a verb gives back; the command line prints it."""

from dataclasses import dataclass, field
from typing import Any

DONE, INVALID, PARTIAL, NOTHING = 0, 3, 4, 5
"""Exit codes: done, validation found errors, some inputs failed, nothing matched."""


@dataclass
class Outcome:
    """Result of a verb."""

    document: dict[str, Any] = field(default_factory=dict)
    """For ``--json``."""
    text: str = ""
    """For people, on standard output."""
    code: int = DONE
    """Exit code."""
