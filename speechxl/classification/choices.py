"""What was chosen, by name and settings, written to a file and made again. No torch."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from speechxl.errors import InputError

Choice = TypeVar("Choice")


def describe(choice: Any) -> dict[str, Any]:
    """``class_path`` and ``init_args`` of a dataclass with plain settings, as YAML would choose it."""
    if not is_dataclass(choice):
        raise InputError(f"{type(choice).__name__} is not a dataclass, so that its settings cannot be saved.")
    settings = {field.name: getattr(choice, field.name) for field in fields(choice) if field.init}
    plain = {name: _plain(value) for name, value in settings.items()}
    return {"class_path": name_of(type(choice)), "init_args": plain}


def rebuild(document: dict[str, Any], kind: type[Choice], place: str) -> Choice:
    """A choice from its `describe`.

    Args:
        document: With ``class_path`` and ``init_args``.
        kind: What it has to be.
        place: Of the document, for messages.

    Raises:
        InputError: If there is no such class, it is of another kind, or its settings are others.
    """
    found = find_class(str(document.get("class_path", "")), kind, place)
    try:
        return found(**{name: _made(value, place) for name, value in document.get("init_args", {}).items()})
    except TypeError as error:
        raise InputError(f"{place}: {document['class_path']} does not take these settings ({error}).") from None


def find_class(name: str, kind: type[Choice], place: str) -> type[Choice]:
    """A class by its dotted name.

    Raises:
        InputError: If there is none, or it is of another kind.
    """
    module, _, own = name.rpartition(".")
    try:
        found = getattr(import_module(module), own)
    except (ImportError, AttributeError, ValueError):
        raise InputError(f"{place}: there is no class {name!r}; is the file that has it on the Python path?") from None
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise InputError(f"{place}: {name} is not a {kind.__name__}.")
    return found


def name_of(kind: type) -> str:
    """Dotted name of a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _made(value: Any, place: str) -> Any:
    """A setting that is a group of settings itself, or a list of such, from its `describe`; any other as it is."""
    if isinstance(value, dict) and value.keys() == {"class_path", "init_args"}:
        return rebuild(value, object, place)
    if isinstance(value, list):
        return tuple(_made(one, place) for one in value)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return describe(value)
    return value
