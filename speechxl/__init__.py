"""Speech recognition and understanding for languages with little or no transcribed speech."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speechxl.config import Phones
    from speechxl.data.inventories import find_inventory
    from speechxl.phonology.inventory import Inventory
    from speechxl.phonology.mapping import PhoneMap
    from speechxl.verbs.python import load

__all__ = ["Inventory", "PhoneMap", "Phones", "find_inventory", "load"]
_PLACES = {
    "Inventory": "phonology.inventory",
    "PhoneMap": "phonology.mapping",
    "Phones": "config",
    "find_inventory": "data.inventories",
    "load": "verbs.python",
}


def __getattr__(name: str) -> Any:
    """What is public when it is first asked for, so that the command line starts without torch."""
    if name in _PLACES:
        return getattr(import_module(f"speechxl.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'speechxl' has no attribute {name!r}")
