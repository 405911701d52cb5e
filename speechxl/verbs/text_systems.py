"""Systems that write down what is said and classify the text. No torch at import."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from speechxl.classification.cascade import TrainText, classify, formed, learn_cascade
from speechxl.classification.classifier import TextLearner
from speechxl.classification.forms import Native, TextForm
from speechxl.classification.ngrams import NGrams
from speechxl.classification.transcribers import Reference, Transcriber
from speechxl.errors import InputError
from speechxl.verbs.systems import Answers, Noise, Side, System, Task

_SAID = {"gold": "learns from references", "asr": "learns from transcripts", "both": "learns from both"}


@dataclass(frozen=True)
class TextCascade(System):
    """A transcriber, a form of text and a classifier of texts."""

    side: ClassVar[Side] = "text"
    transcriber: Transcriber
    """Gives the texts."""
    form: TextForm = field(default_factory=Native)
    """Of all texts."""
    learner: TextLearner = field(default_factory=NGrams)
    """Of the classifier."""
    train_text: tuple[TrainText, ...] = ("both", "asr", "gold")
    """What the classifier learns from: references, transcripts, or both of each utterance. Each is a system of its own, and the
    first has the name; with references in the place of a transcriber, gold is all there is."""
    gold: Transcriber | None = field(default_factory=Reference)
    """Gives the references; None where there are none, and then the classifier learns from transcripts."""

    def __post_init__(self) -> None:
        if not self.train_text or len(set(self.train_text)) < len(self.train_text):
            raise InputError(
                f"TextCascade: train_text is {list(self.train_text)}; name each of gold, asr, both at most once."
            )

    def drawn(self) -> bool:
        """See `System`."""
        return any(one.name == "seed" for one in fields(self.learner))  # type: ignore[arg-type]

    def keeping(self, folder: Path) -> System:
        """See `System`."""
        return replace(self, transcriber=_keeping(self.transcriber, folder))

    def reads(self) -> str:
        """See `System`."""
        return self.form.units

    def variants(self, name: str) -> dict[str, System]:
        """See `System`."""
        if self.gold is None:
            return {name: replace(self, train_text=("asr",))}
        if self.transcriber == self.gold:
            return {name: replace(self, train_text=("gold",))}
        first, *others = self.train_text
        own: dict[str, System] = {name: replace(self, train_text=(first,))}
        return own | {f"{name}, {_SAID[text]}": replace(self, train_text=(text,)) for text in others}

    def chooses(self) -> bool:
        """See `System`."""
        return self.transcriber.chooses

    def takes_noise(self) -> bool:
        """See `System`."""
        return isinstance(self.gold, Reference) and self.transcriber == self.gold

    def oracle(self) -> System | None:
        """See `System`."""
        if self.gold is None or self.transcriber == self.gold:
            return None
        return replace(self, transcriber=self.gold, train_text=("gold",))

    def answer(self, task: Task) -> Answers:
        """See `System`."""
        learner: Any = replace(self.learner, seed=task.seed) if self.drawn() else self.learner  # type: ignore[type-var]
        cascade = learn_cascade(
            task.train, task.dev, task.labels, transcriber=self.transcriber, form=self.form, learner=learner,
            train_text=self.train_text[0], gold=self.gold or Reference(), choosing=task.choosing,
        )  # fmt: skip
        if task.keep:
            cascade.save(task.folder / "model")
        rows = task.test.rows
        heard = cascade.texts(rows)
        spoken = None if self.gold is None else formed(self.gold, self.form, rows)
        points: list[dict[str, Any]] = []
        if task.noise is not None and isinstance(self.gold, Reference) and self.takes_noise():
            points = list(self._noisy(cascade.classifier, task, task.noise, self.gold.column))
        return Answers(classify(cascade.classifier, heard, rows), heard, spoken, points)

    def _noisy(self, classifier: Any, task: Task, noise: Noise, column: str) -> Iterator[dict[str, Any]]:
        from speechxl.classification.robustness import with_noise

        languages: Sequence[str] = sorted({row.language for row in task.test.rows})
        for language in languages:
            rows = [row for row in task.test.rows if row.language == language]
            for kind in noise.kinds:
                for one in with_noise(classifier, self.form, rows, noise.rates, kind, column=column, seed=noise.seed):
                    yield {
                        "kind": kind, "asked": one.asked, "language": language, "cer": one.cer, "ids": one.predictions.ids,
                        "probabilities": one.predictions.probabilities.tolist(),
                    }  # fmt: skip


def _keeping(transcriber: Any, folder: Path) -> Any:
    """The same with a cache, and so for all that it consists of."""
    if isinstance(parts := getattr(transcriber, "transcribers", None), tuple):
        return replace(transcriber, transcribers=tuple(_keeping(part, folder) for part in parts))
    return replace(transcriber, cache=folder) if getattr(transcriber, "cache", folder) is None else transcriber
