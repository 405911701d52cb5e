"""Fine-tuning of small added weights: what is asked for, and adding them to a model."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from speechxl.config import Adapter
from speechxl.errors import InputError
from speechxl.models.adapters import Added, add_bottlenecks, add_lora, fingerprint


def settle(adapter: Adapter, before: Added | None, languages: Sequence[str], model_language: str | None) -> Adapter:
    """What was asked for, without any None that is needed.

    Args:
        adapter: As asked for.
        before: Of the model to start from, where that is added weights itself.
        languages: Of the corpus.
        model_language: To start from, of a model that has several.

    Raises:
        InputError: If the model is added weights itself, the name of an MMS adapter is not known, or LoRA would add to another.
    """
    if adapter.kind is None:
        return adapter
    if before is not None:
        raise InputError(
            f"--adapter.kind: the MODEL is added weights itself, and there is one layer of them only. Start from {before.base}, "
            "which they belong to, or leave --adapter.kind out: then they are merged and all is trained."
        )
    if adapter.kind == "lora" and model_language is not None:
        raise InputError(
            "--model_language: LoRA belongs to a MODEL as it is in its folder, without the adapter of a language; leave one out."
        )
    name = adapter.name
    if adapter.kind == "mms" and name is None:
        if len(languages) != 1 or not languages[0]:
            there = ", ".join(filter(None, languages)) or "none"
            raise InputError(
                f"--adapter.name is needed for an MMS adapter of other than one language; there are {there}."
            )
        name = languages[0]
    return replace(adapter, name=name, scale=adapter.scale or 2 * adapter.rank)


def add(network: Any, model: str, adapter: Adapter, *, begin: bool = True) -> Added | None:
    """Adds what is asked for to a model and freezes the rest, but for the output layer.

    Args:
        network: `Wav2Vec2ForCTC`.
        model: Where it is from.
        adapter: Settled.
        begin: Whether an MMS adapter's weights are drawn; if not, training goes on with those that the model has.

    Returns:
        What to save of it; None if nothing is asked for.
    """
    if adapter.kind is None:
        return None
    base = str(Path(model).resolve()) if Path(model).exists() else model
    added = Added(adapter.kind, base, fingerprint(network), adapter.name if adapter.kind == "mms" else None)
    if adapter.kind == "lora":
        add_lora(network, rank=adapter.rank, scale=adapter.scale or 2 * adapter.rank, targets=adapter.targets)
    else:
        add_bottlenecks(network, begin=begin)
    return added


def check_resumed(out: Path, added: Added | None) -> None:
    """Checks that a run goes on with the model that it began with, which its checkpoint does not hold.

    Raises:
        InputError: If it is another.
    """
    path = out / "speechxl.json"
    before = json.loads(path.read_text(encoding="utf-8")).get("adapter") if path.exists() else None
    if before and added and before["base_weights"] != added.base_weights:
        raise InputError(
            f"--out {out}: the run in this folder began with another MODEL ({before['base']}, fingerprint of its weights "
            f"{before['base_weights']}, now {added.base_weights}); name that, or begin in another folder."
        )
