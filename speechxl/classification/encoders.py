"""Pretrained encoders of text, fine-tuned: XLM-R, mDeBERTa, Glot500, AfroXLMR. No torch at import."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from speechxl.classification.classifier import Examples, TextClassifier, TextLearner
from speechxl.classification.selection import class_weights
from speechxl.errors import InputError
from speechxl.evaluation.calibration import fit_temperature, softmax
from speechxl.evaluation.predictions import numbers_of

_FOLDER = "model"


@dataclass(frozen=True, eq=False)
class EncoderClassifier(TextClassifier):
    """A fine-tuned encoder; its folder ``model`` is one that ``AutoModelForSequenceClassification`` loads.

    Attributes:
        labels: C names of classes.
        network: `transformers` model.
        tokenizer: `transformers` tokenizer.
        temperature: Logits are divided by it.
        max_tokens: Longer texts are cut.
    """

    labels: list[str]
    network: Any
    tokenizer: Any
    temperature: float
    max_tokens: int
    files: ClassVar[Sequence[str]] = (f"{_FOLDER}/config.json", f"{_FOLDER}/model.safetensors")

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) probabilities of N texts."""
        from speechxl.classification.finetuning import text_logits

        return softmax(text_logits(self.network, self.tokenizer, texts, max_tokens=self.max_tokens), self.temperature)

    def write(self, folder: Path) -> dict[str, Any]:
        """See `TextClassifier`."""
        self.network.save_pretrained(folder / _FOLDER)
        self.tokenizer.save_pretrained(folder / _FOLDER)
        return {"temperature": self.temperature, "max_tokens": self.max_tokens}

    @classmethod
    def read(cls, folder: Path, labels: list[str], document: dict[str, Any]) -> "EncoderClassifier":
        """See `TextClassifier`."""
        from speechxl.classification.finetuning import load_encoder
        from speechxl.models.device import choose_device

        network, tokenizer = load_encoder(str(folder / _FOLDER), labels)
        return cls(labels, network.to(choose_device("auto")), tokenizer, **document)


@dataclass(frozen=True)
class TextEncoder(TextLearner):
    """A pretrained encoder of text with a new head, all of it trained, as in SIB-200 (Adelani et al. 2024)."""

    model: str
    """Model folder, or a name on the hub, such as FacebookAI/xlm-roberta-base."""
    lr: float = 2e-5
    epochs: int = 20
    """Times that all examples are seen; with dev rows the best of them is kept."""
    batch_size: int = 16
    """Texts of a step."""
    max_tokens: int = 164
    """Longer texts are cut."""
    warmup: float = 0.1
    """Share of the steps in which the rate rises; it then falls to 0 in a line."""
    weight_decay: float = 0.01
    class_weight: Literal["balanced", "none"] = "balanced"
    """Whether all classes count alike, however many examples each has."""
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "max_tokens"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.lr <= 0:
            raise InputError(f"lr must be positive, got {self.lr}.")
        if not 0 <= self.warmup < 1:
            raise InputError(f"warmup must be from 0 up to 1, got {self.warmup}.")

    def learn(
        self, train: Examples, labels: list[str], dev: Examples | None = None, units: str = "char"
    ) -> EncoderClassifier:
        """See `TextLearner`; without dev texts the last epoch is kept, and the temperature is 1."""
        from speechxl.classification.finetuning import finetune_encoder, load_encoder
        from speechxl.models.device import choose_device

        del units
        network, tokenizer = load_encoder(self.model, labels, seed=self.seed, new=True)
        network = network.to(choose_device(self.device))
        weights = class_weights(train.labels, labels) if self.class_weight == "balanced" else np.ones(len(labels))
        held = None if dev is None or not len(dev) else (dev.texts, numbers_of(dev.labels, labels))
        logits = finetune_encoder(
            network, tokenizer, train.texts, numbers_of(train.labels, labels), held, weights=weights, lr=self.lr,
            epochs=self.epochs, batch_size=self.batch_size, max_tokens=self.max_tokens, warmup=self.warmup,
            weight_decay=self.weight_decay, seed=self.seed,
        )  # fmt: skip
        temperature = 1.0 if held is None or logits is None else fit_temperature(logits, held[1])
        return EncoderClassifier(labels, network, tokenizer, temperature, self.max_tokens)
