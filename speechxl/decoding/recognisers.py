"""One model for recordings in several languages."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from torch import Tensor

from speechxl.decoding.recogniser import Decoder, Recogniser
from speechxl.models.extensions import allophones_of
from speechxl.phonology.mapping import PhoneMap
from speechxl.shapes import Hypothesis
from speechxl.text import Vocabularies, Vocabulary

Found = TypeVar("Found")


class Recognisers:
    """A recogniser for each language of a model, which share all but the output layer; one for all where it has one vocabulary.

    Args:
        model: `Wav2Vec2ForCTC` with this package's encoder.
        vocabulary: Of its outputs, or those of its languages.
        decoder: Makes what finds the text in the symbols of a vocabulary; by default the likeliest symbol of each frame.
        maps: Of the vocabulary to the phones of inventories, by language of the recordings; under ``""`` one for all.
        precision: ``"32"`` or ``"bf16"``.
        options: Other arguments of `Recogniser`.
    """

    def __init__(
        self,
        model: Any,
        vocabulary: Vocabulary | Vocabularies,
        decoder: Callable[[Vocabulary], Decoder] | None = None,
        *,
        maps: Mapping[str, PhoneMap] | None = None,
        precision: str = "32",
        **options: Any,
    ) -> None:
        self.model, self.vocabulary, self.decoder, self.maps = model, vocabulary, decoder, maps
        self.by_language = bool(vocabulary.languages) or (maps is not None and "" not in maps)
        self.precision, self.options = precision, {"precision": precision, **options}
        self.allophones = allophones_of(model)
        self._made: dict[str, Recogniser] = {}

    def of(self, language: str) -> Recogniser:
        """Recogniser of a language.

        Raises:
            UnknownLanguage: If there is no vocabulary for it.
        """
        name = self._name(language)
        if name not in self._made:
            own = self.vocabulary.of(name)
            mapping = None if self.maps is None else self.maps[name]
            decoder = self.decoder(own if mapping is None else mapping.vocabulary) if self.decoder else None
            outputs = self.vocabulary.outputs(name) if self.vocabulary.languages else None
            known = mapping is None and self.allophones is not None and name in self.allophones.languages
            spoken = partial(self.allophones.of, name) if known and self.allophones else None
            self._made[name] = Recogniser(
                self.model, own, decoder, spoken=spoken, outputs=outputs, mapping=mapping, **self.options
            )
        return self._made[name]

    def mapped(self, maps: Mapping[str, PhoneMap]) -> "Recognisers":
        """Others of the same model, for the phones of inventories."""
        return Recognisers(self.model, self.vocabulary, self.decoder, maps=maps, **self.options)

    def __call__(self, waveforms: Sequence[np.ndarray], languages: Sequence[str]) -> list[Hypothesis]:
        """Recognises recordings, each (T,) at 16 kHz and in one language, in the order given."""
        return self._each(waveforms, languages, lambda recogniser, own: recogniser(own))

    def logits(self, waveforms: Sequence[np.ndarray], languages: Sequence[str]) -> list[Tensor]:
        """Scores of the symbols of its language (F, V), float32 on the CPU, of each recording."""
        return self._each(waveforms, languages, lambda recogniser, own: recogniser.logits(own))

    def _each(
        self,
        waveforms: Sequence[np.ndarray],
        languages: Sequence[str],
        run: Callable[[Recogniser, list[np.ndarray]], list[Found]],
    ) -> list[Found]:
        """Results of the recordings of each language together, in the order given."""
        rows: dict[str, list[int]] = {}
        for row, language in enumerate(languages):
            rows.setdefault(self._name(language), []).append(row)
        results: dict[int, Found] = {}
        for language, own in rows.items():
            found = run(self.of(language), [waveforms[row] for row in own])
            results |= dict(zip(own, found, strict=True))
        return [results[row] for row in range(len(languages))]

    def _name(self, language: str) -> str:
        """That under which the recogniser of a language is held."""
        known = self.maps is None and self.allophones is not None and language in self.allophones.languages
        return language if self.by_language or known else ""
