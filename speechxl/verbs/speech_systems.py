"""Systems that classify the recording itself. No torch at import."""

from dataclasses import dataclass, field, fields
from functools import partial
from typing import ClassVar, Literal

import numpy as np

from speechxl.config import Adapter, Architecture, Augment, Data, Dropout, Head, Optim, PresetName, Watch
from speechxl.errors import InputError
from speechxl.evaluation.predictions import Predictions, numbers_of
from speechxl.verbs.systems import Answers, Side, System, Task


@dataclass(frozen=True)
class EndToEnd(System):
    """A classifier of speech, trained as `classify train` does, with its settings."""

    side: ClassVar[Side] = "speech"
    model: str | None = None
    """Model folder, checkpoint of fairseq (.pt), or name on the hub; best one that was fine-tuned on texts."""
    preset: PresetName | None = None
    """Architecture of a model from scratch."""
    max_steps: int | None = None
    """Optimizer steps; by default so many that everything is heard 30 times, from 500 to 20000."""
    batch_seconds: float = 40.0
    """Audio of a batch, padding included."""
    precision: Literal["auto", "32", "bf16"] = "32"
    """"bf16" trains in bfloat16 where that is safe, "auto" does so where the processor is faster in it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    alpha: float = 0.5
    """Languages are drawn with p ∝ (hours / all hours)^alpha; 1 is as they come."""
    freeze_extractor: bool | None = None
    """Whether the feature extractor keeps its weights; by default yes, from scratch and for tiny no."""
    freeze_encoder: float | None = None
    """Share of the steps in which only what is above the encoder is trained; by default 0.1, from scratch and for tiny 0."""
    train_layers: int | None = None
    """Transformer layers at the top that are trained; by default all of the encoder."""
    head_lr: float | None = None
    """Highest learning rate of what is above the encoder."""
    class_weights: bool = True
    """Whether all classes count alike, however rare."""
    label_smoothing: float = 0.1
    """Share of the target that is spread over all classes."""
    head: Head = field(default_factory=Head)
    architecture: Architecture = field(default_factory=Architecture)
    dropout: Dropout = field(default_factory=Dropout)
    augment: Augment = field(default_factory=Augment)
    adapter: Adapter = field(default_factory=Adapter)
    optim: Optim = field(default_factory=Optim)
    data: Data = field(default_factory=Data)
    watch: Watch = field(default_factory=Watch)
    window_seconds: float = 30.0
    """Longer recordings are cut into windows of one length, whose scores are averaged."""
    judge_precision: Literal["auto", "32", "bf16"] = "auto"
    """Of judging; by default "bf16" where the processor is faster in it."""
    calibrate: bool = True
    """Whether a temperature is fitted on dev rows, as classifiers of texts do."""

    def __post_init__(self) -> None:
        if (self.model is None) == (self.preset is None):
            raise InputError(
                "EndToEnd: name a model to start from, or a preset to train from scratch, and not both; model is "
                f"{self.model!r}, preset {self.preset!r}."
            )

    def drawn(self) -> bool:
        """See `System`."""
        return True

    def answer(self, task: Task) -> Answers:
        """See `System`; an interrupted training is continued."""
        from speechxl.data.manifest import write_manifest
        from speechxl.verbs.classify_train import classify_train
        from speechxl.verbs.predicting import load_predictor, predictions_of

        self._check_lengths(task)
        manifests = {}
        for name, part in (("train", task.train), ("dev", task.dev)):
            if part is not None:
                manifests[name] = task.folder / f"{name}.tsv"
                write_manifest(manifests[name], part.rows)
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _JUDGING}
        classify_train(
            train=[manifests["train"]], dev=[manifests["dev"]] if task.dev is not None else None, split="all",
            kind=[task.train.kind], out=task.folder / "model", resume=True, seed=task.seed, **own,
        )  # fmt: skip
        predictor, _ = load_predictor(
            str(task.folder / "model"), device=self.device, precision=self.judge_precision, batch_seconds=None,
            window_seconds=self.window_seconds,
        )  # fmt: skip
        judge = partial(predictions_of, predictor, task.train.kind, task.labels)
        held = judge(task.dev.rows) if task.dev is not None and self.calibrate else None
        return Answers(calibrated(judge(task.test.rows), held, task))

    def _check_lengths(self, task: Task) -> None:
        """Refuses settings with which training would leave rows out that the other systems learn from."""
        least = self.data.min_seconds or 0.0
        short = [row for row in task.train.rows if row.seconds < least]
        if short:
            raise InputError(
                f"data.min_seconds {least:g} would leave out {len(short)} of {len(task.train)} training rows, for example "
                f"{short[0]}, and all systems learn from the same rows; lower it, or take these rows out of the manifest."
            )


_JUDGING = ("window_seconds", "judge_precision", "calibrate")
"""Settings that training does not have."""


@dataclass(frozen=True)
class MeanMFCC(System):
    """Mel-frequency cepstra of librosa, mean over each utterance, and balanced logistic regression: the lowest bar.

    The temperature is fitted on dev rows.
    """

    side: ClassVar[Side] = "speech"
    coefficients: int = 20
    """Of the cepstrum."""
    c: float = 1.0
    """Inverse strength of the L2 penalty; features are standardised."""

    def __post_init__(self) -> None:
        if self.coefficients < 1 or self.c <= 0:
            raise InputError(
                f"MeanMFCC: coefficients must be at least 1 and c positive, got {self.coefficients} and {self.c}."
            )

    def answer(self, task: Task) -> Answers:
        """See `System`."""
        from speechxl.classification.mfcc import mfcc_baseline

        held = task.dev.rows if task.dev is not None else []
        found = mfcc_baseline(task.train, [*task.test.rows, *held], coefficients=self.coefficients, c=self.c)
        count = len(task.test)
        asked, dev = found.select(range(count)), found.select(range(count, len(found.ids)))
        return Answers(calibrated(asked, dev, task))


def calibrated(predictions: Predictions, held: Predictions | None, task: Task) -> Predictions:
    """Predictions with the temperature under which those of dev rows are likeliest.

    Args:
        predictions: Of the test rows.
        held: Of the dev rows; None to leave them as they are.
        task: With the labels of the dev rows.
    """
    from speechxl.evaluation.calibration import fit_temperature, softmax

    if held is None or task.dev is None:
        return predictions
    scores, asked = (np.log(np.maximum(one.probabilities, _LEAST)) for one in (held, predictions))
    temperature = fit_temperature(scores, numbers_of(task.dev.values, task.labels))
    return Predictions(predictions.ids, predictions.labels, softmax(asked, temperature))


_LEAST = 1e-30
"""Probabilities below count as this."""
