"""Speech recognition and understanding for languages with little or no transcribed speech."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speechxl.verbs.python import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    """``load`` when it is first asked for, so that the command line starts without torch."""
    if name == "load":
        from speechxl.verbs.python import load

        return load
    raise AttributeError(f"module 'speechxl' has no attribute {name!r}")
