"""Classification without examples, by what an instruction model finds likely. No torch at import."""

import string
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from speechxl.classification.classifier import Examples, TextClassifier, TextLearner
from speechxl.classification.hashes import model_hash
from speechxl.classification.sentences import check_model
from speechxl.errors import InputError
from speechxl.evaluation.calibration import fit_temperature, softmax
from speechxl.evaluation.predictions import numbers_of


@dataclass(frozen=True, eq=False)
class InstructionClassifier(TextClassifier):
    """A causal language model that is asked which description of a class continues a prompt.

    Attributes:
        labels: C names of classes.
        descriptions: C descriptions of them.
        settings: How they are asked for.
        hash: Of the model.
        temperature: Scores are divided by it.
        network: `transformers` model.
        tokenizer: `transformers` tokenizer.
    """

    labels: list[str]
    descriptions: list[str]
    settings: "Instructions"
    hash: str
    temperature: float
    network: Any
    tokenizer: Any

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) probabilities of N texts."""
        return softmax(self.scores(texts), self.temperature)

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """(N, C) log-likelihoods of the descriptions, corrected as was chosen."""
        from speechxl.classification.likelihoods import continuation_scores

        wording, correction = self.settings, self.settings.correction
        prompts = [wording.asked(text, self.descriptions) for text in texts]
        empty = [wording.asked("", self.descriptions)] if correction == "prior" else []
        scores, tokens = continuation_scores(
            self.network, self.tokenizer, [*prompts, *empty], self.descriptions, batch_size=wording.batch_size,
            max_tokens=wording.max_tokens,
        )  # fmt: skip
        if correction == "length":
            return scores / tokens
        return scores[:-1] - scores[-1:] if empty else scores

    def write(self, folder: Path) -> dict[str, Any]:
        """See `TextClassifier`; the model is found again by its name."""
        names = ("descriptions", "hash", "temperature")
        return {**{name: getattr(self, name) for name in names}, "chosen": asdict(self.settings)}

    @classmethod
    def read(cls, folder: Path, labels: list[str], document: dict[str, Any]) -> "InstructionClassifier":
        """See `TextClassifier`."""
        from speechxl.classification.likelihoods import load_language_model

        settings = Instructions(**document["chosen"])
        check_model(settings.model, document["hash"], folder)
        network, tokenizer = load_language_model(settings.model, settings.device)
        rest = {name: document[name] for name in ("descriptions", "hash", "temperature")}
        return cls(labels, settings=settings, network=network, tokenizer=tokenizer, **rest)


@dataclass(frozen=True)
class Instructions(TextLearner):
    """A causal language model, by preference one that follows instructions, that needs no examples.

    Each text is followed by the description of each class; the likelier, the likelier the class.
    """

    model: str
    """Model folder, or a name on the hub."""
    descriptions: Mapping[str, str] = field(default_factory=dict)
    """Words for each label; by default the label with spaces for - and _."""
    instruction: str = "Which one of these does the text belong to: {labels}?"
    """``{labels}`` stands for all descriptions."""
    prompt: str = "{instruction}\n\nText: {text}\nAnswer:"
    """What is continued; where the tokenizer has a template for chats, it is a turn of the user."""
    correction: Literal["prior", "length", "none"] = "prior"
    """"prior": log-likelihoods less those without a text, so that common words have no advantage (Holtzman et al. 2021);
    "length": mean over tokens."""
    batch_size: int = 16
    """Continuations that are scored together."""
    max_tokens: int = 512
    """Longer prompts lose their beginning."""
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.max_tokens < 1:
            raise InputError(
                f"batch_size and max_tokens must be at least 1, got {self.batch_size} and {self.max_tokens}."
            )
        for name, fields in (("prompt", {"instruction", "text"}), ("instruction", {"labels"})):
            _check_fields(name, getattr(self, name), fields)

    def learn(
        self, train: Examples, labels: list[str], dev: Examples | None = None, units: str = "char"
    ) -> InstructionClassifier:
        """See `TextLearner`; nothing is learned from training texts, and without dev texts the temperature is 1."""
        from speechxl.classification.likelihoods import load_language_model

        del train, units
        unknown = sorted(self.descriptions.keys() - set(labels))
        if unknown:
            raise InputError(f"descriptions: {unknown[0]!r} is no label; there are {', '.join(labels)}.")
        said = [self.descriptions.get(label, label.replace("_", " ").replace("-", " ")) for label in labels]
        network, tokenizer = load_language_model(self.model, self.device)
        known = model_hash(self.model)
        classifier = InstructionClassifier(labels, said, self, known, 1.0, network, tokenizer)
        if dev is None or not len(dev):
            return classifier
        temperature = fit_temperature(classifier.scores(dev.texts), numbers_of(dev.labels, labels))
        return replace(classifier, temperature=temperature)

    def asked(self, text: str, descriptions: Sequence[str]) -> str:
        """The prompt for a text."""
        instruction = self.instruction.format(labels=", ".join(descriptions))
        return self.prompt.format(instruction=instruction, text=text)


def _check_fields(name: str, template: str, known: set[str]) -> None:
    try:
        found = {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise InputError(f"{name} {template!r}: {error}.") from None
    needed = known - {"instruction"} if name == "prompt" else set()
    if not needed <= found <= known:
        raise InputError(
            f"{name} {template!r}: holds {sorted(found)}, it may hold {sorted(known)} and needs {sorted(needed)}."
        )
