"""Which files of a model folder are given to others, and which are not. No torch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from speechxl.data.audio import SUFFIXES
from speechxl.errors import InputError
from speechxl.verbs.model_page_text import NOT_STATED

PAGE = "README.md"
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin", "adapter*.safetensors", "*.onnx")
_MODEL = (
    *_WEIGHTS, "*.safetensors", "model.safetensors.index.json", "pytorch_model.bin.index.json", "*.onnx.data", "config.json",
    "generation_config.json", "preprocessor_config.json", "processor_config.json", "adapter_config.json", "tokenizer*.json",
    "special_tokens_map.json", "added_tokens.json", "normalizer.json", "vocab.json", "vocab.txt", "merges.txt", "*.model",
    "labels.json", "speechxl.json", "codebook.json", "config.yaml", "metrics.csv", "languages.csv", PAGE, "LICEN[CS]E*",
    "NOTICE*", "CITATION*",
)  # fmt: skip
_CHECKPOINTS = ("*.ckpt", "*.pt", "*.pth", "optimizer*", "events.out.tfevents*")
_TEXTS = (
    "*.tsv", "*.csv", "*.json", "*.jsonl", "*.html", "*.txt", "*.srt", "*.vtt", "*.ctm", "*.TextGrid", "*.eaf", "*.md", "*.arpa",
)  # fmt: skip


@dataclass(frozen=True)
class Item:
    """A file of the folder, or a folder in it."""

    name: str
    """Relative to the folder; that of a folder ends in ``/``."""
    size: int
    """Bytes."""
    reason: str = ""
    """Why it stays here; empty if it is given."""


def choose(folder: Path, *, with_texts: bool = False) -> list[Item]:
    """All that a folder holds, by name.

    Args:
        folder: Of a model.
        with_texts: Whether files are given that may hold what speakers said.

    Raises:
        InputError: If there is no such folder, or it has no weights, no configuration or no page.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; push takes the folder of a model.")
    items = [_item(path, with_texts=with_texts) for path in sorted(folder.iterdir())]
    given = [item.name for item in items if not item.reason]
    if not any(_like(name, _WEIGHTS) for name in given):
        raise InputError(
            f"{folder}: no weights there (model.safetensors); a run that was stopped early has not kept a model yet."
        )
    if PAGE not in given:
        raise InputError(
            f"{folder}: no {PAGE} there. Runs of this version write one; write what the model is, which languages and data it "
            "was trained on, their licences, and how often it is wrong."
        )
    return items


def notes(folder: Path) -> list[str]:
    """What to look at before others have the files."""
    told = []
    page = (folder / PAGE).read_text(encoding="utf-8", errors="replace")
    if NOT_STATED in page:
        told.append(f"{PAGE} says of some data that their licence is {NOT_STATED.replace(': ', '; ')}")
    if not _has_licence(page):
        told.append(f"{PAGE} names no licence of the model: add license: to its head")
    base = _adapter_base(folder)
    if base is not None and (base.startswith((".", "/", "~")) or (folder / base).exists() or Path(base).exists()):
        told.append(f"the weights are added to those of {base}, a folder of this machine that others do not have")
    settings = folder / "config.yaml"
    if settings.exists() and any(word.startswith(("/", "~/")) for word in settings.read_text(encoding="utf-8").split()):
        told.append("config.yaml has paths of this machine")
    return told


def table(items: Sequence[Item]) -> str:
    """For people."""
    given = [item for item in items if not item.reason]
    left = [item for item in items if item.reason]
    width = max(len(item.name) for item in items)
    lines = [f"{item.name:{width}s}  {_size(item.size):>9s}" for item in given]
    lines.append(f"{'together':{width}s}  {_size(sum(item.size for item in given)):>9s}")
    if left:
        lines += ["", "left out:", *(f"{item.name:{width}s}  {_size(item.size):>9s}  {item.reason}" for item in left)]
    return "\n".join(lines)


def _item(path: Path, *, with_texts: bool) -> Item:
    name = path.name
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_file()]
        count = f"{len(files)} file{'s' * (len(files) != 1)}"
        return Item(
            f"{name}/", sum(file.stat().st_size for file in files), f"a folder of {count}, no part of the model"
        )
    size = path.stat().st_size if path.exists() else 0
    return Item(name, size, _reason(path, with_texts=with_texts))


def _reason(path: Path, *, with_texts: bool) -> str:
    """Why a file stays here."""
    name = path.name
    if name.startswith(".") and name != ".gitattributes":
        return "hidden"
    if not path.exists():
        return "a link that leads nowhere"
    if name == ".gitattributes" or _like(name, _MODEL):
        return ""
    if _like(name, _CHECKPOINTS):
        return "a checkpoint, which only its run needs"
    if path.suffix.lower() in SUFFIXES:
        return "a recording"
    if _like(name, _TEXTS):
        return "" if with_texts else "may hold what speakers said; --with_texts gives it"
    return "no part of the model"


def _like(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _has_licence(page: str) -> bool:
    head = page.split("---\n", 2)[1] if page.startswith("---\n") and page.count("---\n") > 1 else ""
    try:
        found = yaml.safe_load(head)
    except yaml.YAMLError:
        return False
    return isinstance(found, dict) and bool(found.get("license"))


def _adapter_base(folder: Path) -> str | None:
    """Model that added weights belong to; None where there are none."""
    path = folder / "speechxl.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not JSON ({error}).") from None
    return (found.get("adapter") or {}).get("base")


def _size(count: int) -> str:
    return next(
        (f"{count / 10**power:.1f} {unit}" for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")) if count >= 10**power),
        f"{count} B",
    )
