"""How well a model would do on a language that it has not heard, by leaving out one that it has: what only that one taught it.

Phones of the training data that only the language has are taken from the model: in each frame, their posterior goes to the other
phones in proportion to theirs, and the composition head is fitted anew to the other languages (the trained one knows the phones,
and would need no penalty). The rest is mapped to the language's inventory as for any other. The encoder has still heard the
language, so that this says which settings are best, and not how many errors there will be.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from speechxl.evaluation.edits import edit_distances
from speechxl.evaluation.metrics import drawn_ratios, interval_of
from speechxl.models.articulation import Articulation
from speechxl.phonology.distance import Metric
from speechxl.phonology.features import FeatureTable
from speechxl.phonology.inventory import Inventory
from speechxl.phonology.mapping import PhoneMap, Settings, new_map, read_symbols
from speechxl.phonology.report import Training
from speechxl.text import SPECIAL, Vocabulary

Counts = Mapping[str, Mapping[str, int]]
"""How often the training texts of each language have each phone."""
_LEAST = 1e-10


@dataclass(frozen=True, eq=False)
class Spoken:
    """An utterance.

    Attributes:
        phones: That are said, in their one spelling, without tones.
        emissions: (F, V) log posteriors of the model's symbols.
        features: (F, D) that they come from.
    """

    language: str
    phones: tuple[str, ...]
    emissions: np.ndarray
    features: np.ndarray


def only_in(counts: Counts, language: str) -> set[str]:
    """Phones that a language has and the others lack."""
    others = {phone for name, own in counts.items() if name != language for phone in own}
    return set(counts[language]) - others


class LeftOut:
    """A model as it would be without a language, for that language.

    Args:
        vocabulary: Of the model.
        counts: Phones of its training texts by language.
        language: That is left out.
        metric: Distance between phones.
        heads: Composition head that was fitted without the language, and the features that it puts phones together from; None for
            a model without.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        counts: Counts,
        language: str,
        metric: Metric,
        heads: tuple[Articulation, FeatureTable] | None = None,
    ) -> None:
        self.inventory = Inventory(tuple(sorted(counts[language])), "training", language)
        self.removed = only_in(counts, language)
        self.metric, self.heads = metric, heads
        rest = {name: own for name, own in counts.items() if name != language}
        self.training = Training(counts={phone: 1 for own in rest.values() for phone in own})
        spelled = read_symbols([symbol for symbol in vocabulary.symbols if symbol not in SPECIAL])
        self.kept = [number for number, x in enumerate(vocabulary.symbols) if spelled.get(x) not in self.removed]
        symbols = tuple(vocabulary.symbols[number] for number in self.kept)
        self.vocabulary = replace(vocabulary, symbols=symbols, blank=self.kept.index(vocabulary.blank))

    def map(self, settings: Settings) -> PhoneMap:
        """Map to the language's inventory."""
        table = None if self.heads is None else self.heads[1]
        return new_map(self.vocabulary, self.inventory, self.metric, settings, self.training, table)

    def emissions(self, whole: np.ndarray) -> np.ndarray:
        """(F, V) log posteriors without the phones that are taken from the model: (F, V')."""
        posteriors = np.exp(whole[:, self.kept])
        blank = posteriors[:, [self.vocabulary.blank]]
        others = posteriors.sum(1, keepdims=True) - blank
        lost = np.maximum(1 - blank - others, 0)
        spread = posteriors * (1 + lost / np.maximum(others, _LEAST))
        spread[:, [self.vocabulary.blank]] = blank
        return np.log(np.maximum(spread, _LEAST))

    def recognise(self, utterances: Sequence[Spoken], settings: Settings) -> list[tuple[str, ...]]:
        """Phones of each utterance, the likeliest in each frame."""
        mapping = self.map(settings)
        symbols = ("", *self.inventory.symbols)
        found = []
        for spoken in utterances:
            bins = self._bins(spoken) if mapping.composition is not None else None
            best = mapping.apply(self.emissions(spoken.emissions), bins).argmax(-1)
            path = best[np.diff(best, prepend=-1) != 0]
            found.append(tuple(symbols[number] for number in path if number))
        return found

    @torch.inference_mode()
    def _bins(self, spoken: Spoken) -> np.ndarray | None:
        """(F, 1 + N) scores of feature values."""
        return None if self.heads is None else self.heads[0].bins(torch.from_numpy(spoken.features)).numpy()


@dataclass(frozen=True, eq=False)
class Rate:
    """Phone error rate, the mean over languages.

    Attributes:
        per: As a fraction.
        drawn: (draws,) bootstrap draws of it, over the utterances of each language.
        languages: That of each.
    """

    per: float
    drawn: np.ndarray
    languages: dict[str, float]

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 %."""
        return interval_of(self.drawn)

    def difference(self, other: "Rate") -> tuple[float, float] | None:
        """95 % interval of this rate minus another one on the same utterances."""
        return interval_of(self.drawn - other.drawn)


def left_out_rate(
    utterances: Mapping[str, Sequence[Spoken]], models: Mapping[str, LeftOut], settings: Settings
) -> Rate:
    """Error rate of all languages, each left out in turn.

    Args:
        utterances: Of each language.
        models: Without each language.
        settings: Of the mapping.
    """
    rates, drawn = {}, []
    for turn, (language, own) in enumerate(utterances.items()):
        edits = _edits([spoken.phones for spoken in own], models[language].recognise(own, settings))
        lengths = np.array([len(spoken.phones) for spoken in own])
        rates[language] = float(edits.sum() / lengths.sum())
        (draws,) = drawn_ratios([(edits, lengths)])
        # turned, so that draws of languages with as many utterances have nothing to do with each other
        drawn.append(np.roll(np.zeros(1) if draws is None else draws, turn))
    return Rate(float(np.mean(list(rates.values()))), np.mean(drawn, axis=0), rates)


def _edits(references: Sequence[Collection[str]], hypotheses: Sequence[Collection[str]]) -> np.ndarray:
    """(N,) fewest edits."""
    numbers: dict[str, int] = {}
    first, second = (
        [np.array([numbers.setdefault(phone, len(numbers)) for phone in text], int) for text in texts]
        for texts in (references, hypotheses)
    )
    return edit_distances(first, second, 1 - np.eye(len(numbers), dtype=np.int32))
