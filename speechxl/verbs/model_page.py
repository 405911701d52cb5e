"""The page of a model folder, filled in from the run that wrote it; its head is what the hub reads."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from speechxl.models.folders import Card
from speechxl.models.readme import MARK, notes
from speechxl.verbs import model_page_text as text
from speechxl.verbs.material import Material, Score, Task

PIPELINES: dict[Task, str] = {
    "pretraining": "feature-extraction",
    "recognition": "automatic-speech-recognition",
    "classification": "audio-classification",
}
"""What the hub calls what a model does."""
_METRICS = {"macro_f1": "f1", "contrastive": "contrastive_loss", "accuracy": "accuracy"}
"""The hub's names, where they are others."""


def model_page(
    name: str,
    task: Task,
    settings: str,
    card: Card,
    material: Material,
    scores: Sequence[Score],
    *,
    step: int | Sequence[int],
    sections: Sequence[str] = (),
) -> str:
    """``README.md`` of a trained model.

    Args:
        name: Of the model.
        task: What it was trained for.
        settings: Resolved settings of the run, YAML.
        card: What ``speechxl.json`` says.
        material: What it was trained on and chosen by.
        scores: On dev, those of all languages together first.
        step: Of the optimizer that the weights are from; several where they are averaged.
        sections: Lines of Markdown that only this kind of model has.
    """
    chosen: Mapping[str, Any] = yaml.safe_load(settings) or {}
    start = chosen.get("model")
    head = ModelCardData(
        language=[tag for code in material.languages if (tag := text.language_tag(code))] or None,
        library_name="transformers",
        pipeline_tag=PIPELINES[task],
        tags=["speechxl", *(["phonemes"] if card.units == "phoneme" else [])],
        base_model=base_model(str(start)) if start else None,
        model_name=name if scores else None,
        eval_results=[_result(task, score) for score in scores] or None,
    )
    lines = [
        MARK, "", f"# {name}", "",
        text.opening(task, card.units, start, chosen.get("preset"), [text.described(code) for code in material.languages]), "",
        "## Training data", "", *text.data_lines(material), "",
        "## Results on dev", "", *text.score_lines(task, scores, material), "",
        "## Training", "", *text.training_lines(chosen, step), "",
        *sections,
        *(["## Beside what transformers reads", "", *(f"{note}\n" for note in told)] if (told := notes(card)) else []),
        "## Intended use", "", *text.use_lines(task, name, card), "",
        "## Limits", "", *text.limit_lines(task, material), "",
        "## People", "", text.CONSENT, "",
        "## Licence", "", text.LICENCE,
    ]  # fmt: skip
    return str(ModelCard(f"---\n{head.to_yaml()}\n---\n\n" + "\n".join(lines) + "\n"))


def base_model(start: str) -> str | None:
    """Name on the hub of what training began with; of a folder here, what that one began with; None where there is none."""
    path = Path(start)
    if not path.exists():
        return start if re.fullmatch(r"[\w.-]+/[\w.-]+", start) else None
    page = path / "README.md"
    if not page.is_file():
        return None
    match = re.match(r"---\n(.*?)\n---\n", page.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    try:
        head = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError:
        return None
    found = head.get("base_model") if isinstance(head, dict) else None
    return found if isinstance(found, str) else None


def _result(task: Task, score: Score) -> EvalResult:
    bounds = "" if score.interval is None else f" (95 %: {score.interval[0]:.4g} to {score.interval[1]:.4g})"
    return EvalResult(
        task_type=PIPELINES[task],
        dataset_type="dev",
        dataset_name="dev, by which the model was chosen" if task != "pretraining" else "dev",
        dataset_config=score.language or None,
        dataset_split="dev",
        metric_type=_METRICS.get(score.measure, score.measure),
        metric_value=round(score.value, 4),
        metric_name=text.measure_name(score.measure, score.kind) + bounds,
    )
