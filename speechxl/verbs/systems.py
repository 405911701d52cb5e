"""What `classify compare` compares: ways from labelled recordings to predictions. No torch at import."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from speechxl.classification.choices import describe
from speechxl.classification.hashes import model_hash
from speechxl.classification.labels import Labelled
from speechxl.evaluation.predictions import Predictions
from speechxl.shapes import Utterance

Side = Literal["speech", "text"]
_GROUPS = "speechxl.config."
_NOT_DECISIVE = frozenset({"cache", "device", "workers"})
"""Settings that decide on where things are kept or computed, and not on what comes out."""


@dataclass(frozen=True)
class Noise:
    """Errors in references: what a cascade loses as its transcriber gets worse."""

    rates: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2, 0.3, 0.45)
    """Character error rates."""
    kinds: tuple[Literal["random", "systematic"], ...] = ("random", "systematic")
    """Errors anywhere, or each character of a language with a rate and a wrong reading of its own."""
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Task:
    """What a system learns from, and is tested on."""

    train: Labelled
    dev: Labelled | None
    """To choose by and to calibrate on."""
    test: Labelled
    labels: list[str]
    """C names of classes."""
    seed: int
    noise: Noise | None = None
    """To be measured along; None to leave it."""
    choosing: list[Utterance] = field(default_factory=list)
    """Dev rows in all languages, for systems that choose a transcriber by them (`System.chooses`)."""
    folder: Path = field(default_factory=Path)
    """For what a system needs to continue where it was interrupted; it need not exist."""
    keep: bool = False
    """Whether what was learned is to be written to ``folder``/model."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a system says of test utterances."""

    predictions: Predictions
    heard: list[str] | None = None
    """Text of each, in the form that was classified; None for a system without texts."""
    spoken: list[str] | None = None
    """Reference of each in the same form; None where there are none."""
    noise: list[dict[str, Any]] = field(default_factory=list)
    """Points of the curve: ``kind``, ``asked``, ``language``, ``cer``, ``ids`` and ``probabilities``."""


class System(ABC):
    """A way from labelled recordings to predictions; a dataclass of plain settings, chosen by ``class_path``."""

    side: ClassVar[Side]
    """Whether it classifies the recording itself or a text of it."""

    @abstractmethod
    def answer(self, task: Task) -> Answers:
        """Learns, and judges the test utterances.

        Args:
            task: With the utterances.

        Raises:
            InputError: If it cannot be done with these utterances.
        """

    def drawn(self) -> bool:
        """Whether another seed gives another result from the same examples."""
        return False

    def variants(self, name: str) -> dict[str, "System"]:
        """Systems that this one stands for, by name; the first has its own."""
        return {name: self}

    def keeping(self, folder: Path) -> "System":
        """The same, that keeps what it computes from recordings alone in a folder, where no other place was named."""
        del folder
        return self

    def reads(self) -> str | None:
        """Unit of its texts, ``"char"`` or ``"phoneme"``; None for a system without."""
        return None

    def chooses(self) -> bool:
        """Whether it looks at `Task.choosing`."""
        return False

    def takes_noise(self) -> bool:
        """Whether it measures `Task.noise`."""
        return False

    def oracle(self) -> "System | None":
        """The same with perfect transcripts; None for a system that has none, or is one."""
        return None


def settings_of(system: System) -> dict[str, Any]:
    """Choice and settings as YAML has them; groups of settings have no ``class_path``."""
    document: dict[str, Any] = _grouped(describe(system))
    return document


def _grouped(value: Any) -> Any:
    if isinstance(value, list):
        return [_grouped(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    inner = {name: _grouped(own) for name, own in value.items()}
    return inner["init_args"] if str(inner.get("class_path", "")).startswith(_GROUPS) else inner


def decisive(document: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that decide on what comes out, with the content of the files and models that they name.

    Args:
        document: Of `settings_of`.
    """
    return {name: value for name, value in _decisive(document)}


def _decisive(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if name in _NOT_DECISIVE:
            continue
        if isinstance(value, Mapping):
            yield name, decisive(value)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield name, [decisive(one) for one in value]
        else:
            yield name, value
            if isinstance(value, str) and name in ("model", "lm", "lexicon", "path") and Path(value).exists():
                yield f"{name}:content", _content(Path(value))


def _content(path: Path) -> str:
    if path.is_dir():
        return model_hash(str(path))
    from hashlib import sha256

    return sha256(path.read_bytes()).hexdigest()
