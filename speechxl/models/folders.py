"""What a model folder, or a name on the hub, holds beside the weights: settings, and a note of what speechxl knows.

A checkpoint file of fairseq stands in for a folder wherever a model is read.
"""

import json
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from huggingface_hub import constants
from transformers.utils import cached_file

from speechxl.config import PRESETS
from speechxl.errors import InputError
from speechxl.models.adapters import Added
from speechxl.models.fairseq import is_checkpoint, read_checkpoint
from speechxl.models.phone_note import PhoneNote
from speechxl.shapes import SAMPLE_RATE

log = logging.getLogger(__name__)
WAV2VEC2 = "wav2vec2"
_FAMILIES = {
    WAV2VEC2: "wav2vec 2.0, XLSR-53, XLS-R, MMS, CLSRIL-23", "hubert": "HuBERT", "wavlm": "WavLM",
    "wav2vec2-bert": "w2v-BERT 2.0", "whisper": "Whisper",
}  # fmt: skip
"""What goes by the names that `transformers` writes in ``config.json``."""
_SETTINGS = ("config.json", "preprocessor_config.json", "vocab.json", "phones.safetensors")
_WEIGHTS = (
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
)  # fmt: skip
"""Where `transformers` looks for weights, in this order."""


@dataclass(frozen=True)
class Card:
    """What ``speechxl.json`` says of a model beside what `transformers` reads."""

    normalise: bool
    """Whether waveforms get zero mean and unit variance."""
    languages: list[str] = field(default_factory=list)
    """ISO 639-3 codes of the training data."""
    units: str | None = None
    """``"char"`` or ``"phoneme"`` of a CTC model."""
    column: str | None = None
    """Manifest column of its targets."""
    vocabulary: str | None = None
    """Hash of its vocabulary."""
    preset: str | None = None
    """What the encoder was first made from, or the published model it is nearest to."""
    adapter: Added | None = None
    """Of a folder that holds added weights only."""
    phones: PhoneNote | None = None
    """Of a model that writes phones."""
    conditioning: list[int] = field(default_factory=list)
    """Transformer layers whose predictions are fed back, counted from 1."""


def read_card(source: str, types: Collection[str] = (WAV2VEC2,)) -> Card:
    """``speechxl.json`` of a model; for a foreign one what its preprocessor and configuration say.

    Args:
        source: The model.
        types: See `read_config`.
    """
    if is_checkpoint(source):
        checkpoint = read_checkpoint(source)
        return Card(normalise=checkpoint.normalise, preset=_nearest_preset(checkpoint.config))
    config = read_config(source, types)
    if document := read_note(source):
        card = Card(**{name: document[name] for name in Card.__dataclass_fields__ if name in document})
        card = replace(
            card,
            adapter=Added(**document["adapter"]) if document.get("adapter") else None,
            phones=PhoneNote.read(document["phones"]) if document.get("phones") else None,
        )
        return card if card.preset in PRESETS else replace(card, preset=_nearest_preset(config))
    normalise = config.get("feat_extract_norm") == "layer"
    for name in ("preprocessor_config.json", "processor_config.json"):
        if document := read_document(source, name):
            document = document.get("feature_extractor", document)
            if document.get("sampling_rate", SAMPLE_RATE) != SAMPLE_RATE:
                raise InputError(
                    f"{source}: the model expects {document['sampling_rate']} Hz; only 16000 Hz is supported."
                )
            normalise = bool(document.get("do_normalize", normalise))
            break
    return Card(normalise=normalise, preset=_nearest_preset(config))


def _nearest_preset(config: dict[str, Any]) -> str:
    """The published model of the same size, else one with the same normalisation."""
    shape = config.get("hidden_size"), config.get("num_hidden_layers")
    same = [name for name, preset in PRESETS.items() if (preset.width, preset.layers) == shape]
    return same[-1] if same else "w2v2-base" if config.get("feat_extract_norm") == "group" else "xls-r-300m"


def fingerprint(source: str, *others: Path) -> str:
    """Hash of the files that decide on what a model gives, SHA-256: weights, configuration, vocabulary, and others."""
    if is_checkpoint(source):
        paths = [Path(source)]
    else:
        read_config(source)
        paths = _cached(source, _SETTINGS)
        if (added := read_card(source).adapter) is not None:  # whose speechxl.json has a hash of the base
            paths += _cached(source, ["speechxl.json", added.file])
        else:
            weights = _cached(source, _WEIGHTS)[0]
            whole = weights.suffix != ".json"
            paths += [weights] if whole else _cached(source, sorted(set(read_json(weights)["weight_map"].values())))
    digest = sha256()
    for path in [*paths, *others]:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


def _cached(source: str, names: Sequence[str]) -> list[Path]:
    """Those of some files that a model has."""
    found = (find_file(source, name) for name in names)
    return [path for path in found if path is not None]


def read_config(source: str, types: Collection[str] = (WAV2VEC2,)) -> dict[str, Any]:
    """``config.json`` of a model.

    Args:
        source: The model.
        types: What it may be, in the words of `transformers`; by default wav2vec 2.0 only.

    Raises:
        InputError: If there is none, or it is of another kind.
    """
    if not Path(source).exists():
        if source.startswith((".", "/", "~")) or source.count("/") != 1:
            raise InputError(f"{source}: there is no such model folder.")
        log.info("%s: no such folder here, asking the hub", source)
    try:
        path = cached_file(source, "config.json", _raise_exceptions_for_missing_entries=not Path(source).exists())
    except OSError as error:
        raise InputError(absent(source, str(error).splitlines()[0])) from None
    if path is None:
        raise InputError(f"{source}: no config.json there; it is not a model folder of transformers.")
    config = read_json(Path(path))
    if config.get("model_type") not in types:
        raise InputError(
            f"{source}: config.json says model_type {config.get('model_type')!r}; a {' or '.join(types)} model is needed "
            f"({', '.join(_FAMILIES[name] for name in types)})."
        )
    return config


def is_offline() -> bool:
    """Whether the hub is not to be asked."""
    return bool(constants.HF_HUB_OFFLINE)


def absent(source: str, reason: str) -> str:
    """That a model of the hub is not here, and how it gets here without network."""
    asked = f"and the hub gave no model of that name ({reason})"
    why = "and the hub is not asked, as --offline or HF_HUB_OFFLINE says" if is_offline() else asked
    cached = Path(constants.HF_HUB_CACHE) / f"models--{source.replace('/', '--')}"
    part = " Only a part of it is in the cache." if cached.is_dir() else ""
    return (
        f"{source}: there is no such folder, it is not in the cache {constants.HF_HUB_CACHE}, {why}.{part} On a machine with "
        f"network: speechxl fetch {source} FOLDER. Copy that folder here, with config.json, model.safetensors (or "
        "pytorch_model.bin), preprocessor_config.json, and vocab.json with the tokenizer's files where it is a recogniser, and "
        "name it in the place of the model."
    )


def read_note(source: str) -> dict[str, Any]:
    """``speechxl.json``; nothing for a foreign model."""
    return read_document(source, "speechxl.json")


def read_document(source: str, name: str) -> dict[str, Any]:
    """A JSON file of a model; nothing where it has none."""
    path = find_file(source, name)
    return {} if path is None else read_json(path)


def find_file(source: str, name: str) -> Path | None:
    """A file of a model; None where it has none."""
    path = cached_file(source, name, _raise_exceptions_for_missing_entries=False)
    return None if path is None else Path(path)


def file_of(source: str, name: str) -> Path:
    """A file that a model has to have.

    Raises:
        InputError: If it has none.
    """
    path = find_file(source, name)
    if path is None:
        raise InputError(f"{source}: no {name} there.")
    return path


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        InputError: If the file holds something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not JSON ({error}).") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: a JSON object was expected.")
    return document
