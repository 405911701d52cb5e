"""Writing model folders, as `transformers` reads them."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from transformers import PreTrainedModel, Wav2Vec2FeatureExtractor

from speechxl.files import replace_file, write_text
from speechxl.models.adapters import merged_state, save_added
from speechxl.models.extensions import plain, save_extensions
from speechxl.models.folders import Card
from speechxl.models.readme import readme, write_page
from speechxl.models.vocabularies import tokenizer_config
from speechxl.text import Vocabularies, Vocabulary


def save_model(
    folder: Path,
    model: PreTrainedModel,
    card: Card,
    vocabulary: Vocabulary | Vocabularies | None = None,
    settings: str | None = None,
    page: str | None = None,
) -> None:
    """Writes a model folder file by file, each complete or not at all, the weights last; of an adapter only what was added.

    Args:
        folder: Where.
        model: With this package's encoder; its parameter names are those of `transformers`.
        card: For ``speechxl.json``.
        vocabulary: Of a CTC model, or those of its languages.
        settings: Resolved settings of the run, YAML.
        page: ``README.md``; by default what others than speechxl have to know, if there is something.
    """
    if vocabulary is not None:
        _write_json(folder / "vocab.json", vocabulary.document)
        _write_json(folder / "tokenizer_config.json", tokenizer_config(vocabulary))
    write_folder(folder, model, card, settings=settings, page=page)


def write_folder(
    folder: Path,
    model: PreTrainedModel,
    card: Card,
    *,
    frontend: Any = None,
    note: Mapping[str, Any] | None = None,
    settings: str | None = None,
    page: str | None = None,
) -> None:
    """The files that every kind of model has.

    Args:
        folder: Where.
        model: Of `transformers`, or with this package's encoder.
        card: For ``speechxl.json``.
        frontend: Makes the model's features; by default what takes waveforms.
        note: More for ``speechxl.json``.
        settings: Resolved settings of the run, YAML.
        page: ``README.md``, as for `save_model`.
    """
    config = json.loads(model.config.to_json_string())
    config["architectures"] = [type(model).__name__]
    _write_json(folder / "config.json", config)
    frontend = frontend or Wav2Vec2FeatureExtractor(do_normalize=card.normalise, return_attention_mask=True)
    _write_json(folder / "preprocessor_config.json", json.loads(frontend.to_json_string()))
    libraries = {name: version(name) for name in ("speechxl", "torch", "transformers")}
    _write_json(folder / "speechxl.json", {"schema": 1, **asdict(card), **(note or {}), "libraries": libraries})
    if settings is not None:
        write_text(folder / "config.yaml", settings)
    write_page(folder, readme(card) if page is None else page)
    save_extensions(folder, model)
    if card.adapter is not None:
        save_added(folder, model, card.adapter)
        return
    weights = {name: tensor.cpu().contiguous() for name, tensor in plain(merged_state(model)).items()}
    replace_file(folder / "model.safetensors", lambda part: save_file(weights, part, metadata={"format": "pt"}))


def _write_json(path: Path, document: dict[str, Any]) -> None:
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
