"""What the page of a classifier's folder says beside what all pages do, in Markdown as the hub shows it."""

from collections.abc import Mapping
from typing import Any

from speechxl.models.classifier import SpeechClassifier
from speechxl.verbs.classified import Classified


def classifier_sections(corpus: Classified, model: SpeechClassifier, best: Mapping[str, Any]) -> list[str]:
    """What the page of a classifier has beside what all models have.

    Args:
        corpus: That it was trained on.
        model: Classifier.
        best: With ``layer_weights`` and ``temperatures``.
    """
    return [
        "## Classes", "", "| kind | label | training utterances |", "| --- | --- | --- |",
        *(f"| {kind} | {value} | {count} |" for kind, own in corpus.counts.items() for value, count in own.items()),
        "", *_layers(best["layer_weights"]), *_temperatures(best["temperatures"]), *_transformers(corpus, model),
    ]  # fmt: skip


def _layers(weights: list[float] | None) -> list[str]:
    """How much of each layer is used."""
    if weights is None:
        return []
    shares = ", ".join(f"{value:.3f}" for value in weights)
    return [f"Share of the input of the first layer, and of each layer's output: {shares}.", ""]


def _temperatures(own: Mapping[str, float]) -> list[str]:
    """How sure it is made."""
    if all(value == 1 for value in own.values()):
        return []
    values = ", ".join(f"{kind} {value:.3f}" for kind, value in own.items())
    return [
        f"Scores are divided by the temperature under which the dev labels are likeliest (Guo et al. 2017): {values}.",
        "",
    ]


def _transformers(corpus: Classified, model: SpeechClassifier) -> list[str]:
    """How to use it without speechxl, or why that does not go."""
    kind = type(model.network).__name__
    if not model.lossless:
        why = (
            f"its pooling, {model.pooled_by}, is not a mean"
            if model.pooled_by != "mean"
            else "that takes the mean over 30 s, and here only the frames of the recording count"
        )
        return [
            f"`{kind}` of transformers does not give the same scores: {why}. `from_pretrained` reads the encoder, says that the "
            "classifier is new, and that is then worth nothing. Its weights are in `heads.safetensors`.", "",
        ]  # fmt: skip
    others = list(corpus.classes)[1:]
    more = (
        f" It gives the kind {next(iter(corpus.classes))} only; the output layers of {', '.join(others)} are in "
        "`heads.safetensors`."
        if others
        else ""
    )
    return [f"`{kind}.from_pretrained` reads it without speechxl and gives the same scores.{more}", ""]
