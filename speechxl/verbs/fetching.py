"""Files of a model on the hub."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError

from speechxl.errors import InputError
from speechxl.models.folders import is_offline, read_json

_SETTINGS = re.compile(r"(\d_\w+/)?[^/]*\.(json|txt|model|tiktoken)")
_ADAPTER = re.compile(r"adapter\.(?P<language>[^/]+)\.(safetensors|bin)")
_SAFE = re.compile(r"model(-\d+-of-\d+)?\.safetensors|adapter_model\.safetensors|phones\.safetensors")
_PICKLED = re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin")
_PAGE = ("README.md", "LICENSE", "LICENSE.txt")
_ROOM = 1.05


@dataclass(frozen=True)
class HubFile:
    """A file of a model."""

    name: str
    size: int
    """Bytes."""


def list_files(name: str, revision: str) -> list[HubFile]:
    """All files of a model.

    Raises:
        InputError: If the hub does not have it, or cannot be asked.
    """
    if is_offline():
        raise InputError(
            "fetch asks the hub, and --offline or HF_HUB_OFFLINE forbids it; call it on a machine with network."
        )
    try:
        found = HfApi().model_info(name, revision=revision, files_metadata=True)
    except Exception as error:  # of several libraries, by its version
        said = "the hub gave no such model" if _answered(error) else "the hub cannot be reached"
        raise InputError(f"{name}: {said} ({_reason(error)}).") from None
    return [HubFile(file.rfilename, file.size or 0) for file in found.siblings or []]


def choose(name: str, files: Sequence[HubFile], languages: Sequence[str]) -> list[HubFile]:
    """Files that speechxl reads: settings, weights once, adapters of languages.

    Raises:
        InputError: If there are no weights, or none of a language.
    """
    safe = [file for file in files if _SAFE.fullmatch(file.name)]
    weights = safe if any(file.name.startswith("model") for file in safe) else [
        *safe, *(file for file in files if _PICKLED.fullmatch(file.name))
    ]  # fmt: skip
    if not weights:
        there = ", ".join(file.name for file in files[:10]) or "nothing"
        raise InputError(f"{name}: there are no weights that transformers reads; there is {there}.")
    adapters: dict[str, list[HubFile]] = {}
    for file in files:
        if match := _ADAPTER.fullmatch(file.name):
            adapters.setdefault(match["language"], []).append(file)
    if absent := [language for language in languages if language not in adapters]:
        have = ", ".join(sorted(adapters)[:20]) or "none"
        raise InputError(f"{name}: there is no adapter of {', '.join(absent)}; there is {have}.")
    chosen = [own for language, own in adapters.items() if not languages or language in languages]
    first = [max(own, key=lambda file: file.name.endswith(".safetensors")) for own in chosen]
    settings = [file for file in files if _SETTINGS.fullmatch(file.name) or file.name in _PAGE]
    kept = {file.name for file in [*settings, *weights, *first]}
    pickled_index = "pytorch_model.bin.index.json"
    return [file for file in files if file.name in kept and not (file.name == pickled_index and safe)]


def download(name: str, revision: str, files: Sequence[HubFile], folder: Path) -> None:
    """Fetches files, and makes sure that they are a model.

    Raises:
        InputError: If there is no room, or a file cannot be had, or it is no model that speechxl knows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = sum(file.size for file in files if not (folder / file.name).exists())
    if (free := shutil.disk_usage(folder).free) < missing * _ROOM:
        raise InputError(f"{folder}: {missing / 1e9:.1f} GB are needed there, and {free / 1e9:.1f} GB are free.")
    for file in files:
        try:
            HfApi().hf_hub_download(name, file.name, revision=revision, local_dir=folder)
        except Exception as error:
            raise InputError(
                f"{name}: {file.name} cannot be had ({_reason(error)}); the same command goes on from here."
            ) from None
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    read_json(folder / "config.json")


def _answered(error: Exception) -> bool:
    return getattr(error, "response", None) is not None or isinstance(error, HFValidationError)


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
