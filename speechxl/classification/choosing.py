"""The best of several transcribers in each language. No torch."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

from speechxl.classification.forms import native
from speechxl.classification.transcribers import Reference, Transcriber
from speechxl.errors import InputError
from speechxl.evaluation.metrics import count_errors
from speechxl.shapes import Utterance

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ByLanguage(Transcriber):
    """A transcriber for each language."""

    transcribers: tuple[Transcriber, ...]
    places: dict[str, int] = field(hash=False)
    """Place of that of each language."""
    other: int = 0
    """Place of that for languages that are not named."""

    def __call__(self, rows: Sequence[Utterance]) -> list[str]:
        """See `Transcriber`."""
        own = [self.places.get(row.language, self.other) for row in rows]
        texts = dict.fromkeys(range(len(rows)), "")
        for place, transcriber in enumerate(self.transcribers):
            numbers = [number for number, mine in enumerate(own) if mine == place]
            if numbers:
                texts |= dict(zip(numbers, transcriber([rows[number] for number in numbers]), strict=True))
        return list(texts.values())


@dataclass(frozen=True)
class BestOnDev(Transcriber):
    """Of several transcribers the one with the fewest wrong characters on the dev rows of a language.

    No recogniser is the best everywhere: of Whisper-large-v3 and Seamless, each is in many of the 102 languages of FLEURS.
    Texts are compared without case and punctuation. A language without dev rows takes what is best in the others on average.
    """

    transcribers: tuple[Transcriber, ...]
    """To choose from."""
    column: str = "text"
    """Of the references in the manifest."""
    chooses: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if len(self.transcribers) < 2:
            raise InputError(f"BestOnDev: name two transcribers at least, got {len(self.transcribers)}.")

    def __call__(self, rows: Sequence[Utterance]) -> list[str]:
        """Refused: `settled` has to come first."""
        raise InputError("BestOnDev: without dev rows there is nothing to choose a transcriber by; name one of them.")

    def settled(self, dev: Sequence[Utterance]) -> Transcriber:
        """See `Transcriber`.

        Raises:
            InputError: If there are no dev rows, or one has no reference.
        """
        if not dev:
            self(dev)
        rates = self.rates(dev)
        means = [sum(own) / len(own) for own in zip(*rates.values(), strict=True)]
        places = {language: own.index(min(own)) for language, own in rates.items()}
        for language, own in rates.items():
            _tell(language or "(unknown)", places[language] + 1, tuple(own))
        return ByLanguage(self.transcribers, places, means.index(min(means)))

    def rates(self, dev: Sequence[Utterance]) -> Mapping[str, list[float]]:
        """Share of wrong characters of each transcriber, by language."""
        languages = [row.language for row in dev]
        references = [native(text) for text in Reference(self.column)(dev)]
        heard = [[native(text) for text in transcriber(dev)] for transcriber in self.transcribers]
        found = {}
        for language in sorted(set(languages)):
            own = [place for place, name in enumerate(languages) if name == language]
            found[language] = [
                count_errors([references[place] for place in own], [texts[place] for place in own], "char").rate or 0.0
                for texts in heard
            ]
        return found


@lru_cache(maxsize=1024)
def _tell(language: str, number: int, rates: tuple[float, ...]) -> None:
    """Says once what was chosen."""
    told = ", ".join(f"{100 * rate:.1f} %" for rate in rates)
    log.info("%s: transcriber %d of %d; wrong characters on dev: %s", language, number, len(rates), told)
