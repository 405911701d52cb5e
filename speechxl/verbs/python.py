"""A model in Python: `speechxl.load`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from numpy.typing import ArrayLike

from speechxl.config import Phones, Search
from speechxl.data.audio import AudioError, from_array
from speechxl.data.inventories import find_inventory, language_inventory
from speechxl.data.languages import named_language
from speechxl.data.sources import find_audio
from speechxl.decoding.recognisers import Recognisers
from speechxl.errors import InputError
from speechxl.phonology.inventory import Inventory
from speechxl.phonology.mapping import PhoneMap
from speechxl.shapes import SAMPLE_RATE, Utterance
from speechxl.verbs.mapping import ALL, Maps, attribute_words, inventory_options, new_maps
from speechxl.verbs.recognise import check_languages, load_recogniser, recognise
from speechxl.verbs.result import Result

_ARRAY = "array"
"""Name of a recording that came without one."""


class Model:
    """A fine-tuned model that is ready to be used; see `load`.

    Attributes:
        recognisers: What does the work.
        languages: ISO 639-3 codes of the training data.
        name: Of the model, for messages.
        attributes: Whether results have the articulatory features of phones.
    """

    def __init__(
        self, recognisers: Recognisers, languages: Sequence[str], name: str = "model", *, attributes: bool = False
    ) -> None:
        self.recognisers, self.languages, self.name, self.attributes = recognisers, list(languages), name, attributes
        self._mapped: dict[Any, tuple[Recognisers, Maps]] = {}

    @property
    def units(self) -> str:
        """``"char"`` or ``"phoneme"``, what it writes."""
        return self.recognisers.vocabulary.units

    def transcribe(
        self,
        audio: str | Path | ArrayLike,
        sampling_rate: int | None = None,
        language: str = "",
        inventory: Inventory | str | Path | None = None,
        phones: Phones = Phones(),
    ) -> Result:
        """Recognises one recording.

        Args:
            audio: A file, or samples (T,), or (T, C) of several channels; integers are fractions of their largest value.
            sampling_rate: Of samples, any; of a file it is known.
            language: ISO 639-3, another code or a name. A model of phones looks for those that the language has in PHOIBLE,
                whether it has heard it or not; one with a vocabulary for each language takes that.
            inventory: Phones that a model of phones looks for, in the place of the language's: an inventory, or what
                ``--inventory`` takes.
            phones: Which phones of the model stand for those of an inventory.

        Raises:
            AudioError: If the recording cannot be used.
            InputError: If the model has vocabularies for other languages, or an inventory cannot be had or used.
        """
        language = self._named(language)
        if isinstance(audio, (str, Path)):
            utterance = Utterance(Path(audio).absolute(), str(audio), language=language)
            (result,) = self._recognise([utterance], language, inventory, phones)
            if result.failure:
                raise AudioError(result.failure)
            return result
        if sampling_rate is None:
            raise InputError(
                "An array does not say its rate; name it, as in model.transcribe(samples, sampling_rate=16000)."
            )
        waveform = from_array(audio, sampling_rate)
        utterance = Utterance(Path(_ARRAY), _ARRAY, language=language)
        recognisers, words = self._recognisers([utterance], language, inventory, phones)
        (hypothesis,) = recognisers([waveform], [language])
        return Result(_ARRAY, "", utterance, len(waveform) / SAMPLE_RATE, hypothesis, self.units, words)

    def transcribe_all(
        self,
        audio: str | Path | Iterable[str | Path],
        split: str | None = None,
        language: str = "",
        inventory: Inventory | str | Path | None = None,
        phones: Phones = Phones(),
    ) -> Iterator[Result]:
        """Recognises many recordings in batches, in the order given.

        Args:
            audio: Files, folders, patterns and manifests, in any mixture.
            split: Rows of manifests to use; by default all.
            language: As for `transcribe`, of all; also that of recordings of which no manifest says it.
            inventory: As for `transcribe`, for all.
            phones: As for `transcribe`.

        Yields:
            A result for each recording, as soon as it is there. One that cannot be used does not end the others: its
            result says why in ``failure``, and raises that when it is asked for anything else.

        Raises:
            NothingMatched: If a folder, pattern or manifest holds nothing.
        """
        language = self._named(language)
        names = [audio] if isinstance(audio, (str, Path)) else audio
        utterances = find_audio([str(name) for name in names], split)
        utterances = [replace(each, language=each.language or language) for each in utterances]
        yield from self._recognise(utterances, language, inventory, phones)

    def map(
        self, inventory: Inventory | str | Path | None = None, language: str = "", phones: Phones = Phones()
    ) -> PhoneMap:
        """What the model's phones become when others are looked for; its ``report`` says it.

        Args:
            inventory: As for `transcribe`.
            language: As for `transcribe`.
            phones: As for `transcribe`.
        """
        found = self._inventory(language, inventory, phones)
        if found is None:
            raise InputError("Name the phones by language=, or by inventory=.")
        self.recognisers.vocabulary.of(language)  # which may not be there
        maps = new_maps(self.name, self.recognisers.vocabulary, {ALL: found}, [language], phones)
        return next(iter(maps.by_language.values()))

    def _recognise(
        self,
        utterances: Sequence[Utterance],
        language: str,
        inventory: Inventory | str | Path | None,
        phones: Phones,
    ) -> Iterator[Result]:
        recognisers, words = self._recognisers(utterances, language, inventory, phones)
        for item in recognise(recognisers, utterances):
            found = item.hypothesis
            yield Result(item.utterance.id, item.reason, item.utterance, item.seconds, found, self.units, words)

    def _recognisers(
        self,
        utterances: Sequence[Utterance],
        language: str,
        inventory: Inventory | str | Path | None,
        phones: Phones,
    ) -> tuple[Recognisers, dict[str, list[str] | None] | None]:
        """What recognises the phones of an inventory, and their features where those are wanted."""
        recognisers, symbols = self.recognisers, list(self.recognisers.vocabulary.symbols)
        found = self._inventory(language, inventory, phones)
        if found is not None:
            spoken = frozenset(utterance.language for utterance in utterances)
            key = found.symbols, found.title, phones, spoken
            if key not in self._mapped:
                maps = new_maps(self.name, recognisers.vocabulary, {ALL: found}, spoken, phones)
                self._mapped[key] = recognisers.mapped(maps.by_language), maps
            recognisers, symbols = self._mapped[key][0], list(found.symbols)
        check_languages(recognisers, utterances)
        return recognisers, attribute_words(symbols, phones) if self.attributes else None

    def _named(self, language: str) -> str:
        """The model's own code for a language, of a model with a vocabulary for each, whatever it is called."""
        known = self.recognisers.vocabulary.languages
        return named_language(language) if language and known and language not in known else language

    def _inventory(self, language: str, inventory: Inventory | str | Path | None, phones: Phones) -> Inventory | None:
        """Phones that are asked for; None for all of the model."""
        if isinstance(inventory, Inventory):
            return inventory
        if inventory is not None:
            return find_inventory(str(inventory), **inventory_options(phones))
        if language and self.units == "phoneme" and not self.recognisers.vocabulary.languages:
            return language_inventory(language, **inventory_options(phones))
        return None


def load(
    model: str | Path,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Literal["auto", "32", "bf16"] = "auto",
    lm: str | Path | None = None,
    lexicon: str | Path | None = None,
    hot_words: Sequence[str] | None = None,
    search: Search = Search(),
    batch_seconds: float | None = None,
    window_seconds: float = 30.0,
    vad: bool = False,
    model_language: str | None = None,
    alternatives: int = 0,
    attributes: bool = False,
) -> Model:
    """A fine-tuned model to transcribe with.

    Args:
        model: Model folder, checkpoint of fairseq (.pt, with its dict.ltr.txt beside it), or name on the hub.
        device: Where to compute; by default on a GPU where there is one.
        precision: By default "bf16" where the processor is faster in it.
        lm: Language model, an ARPA file of symbols or of words, or KenLM's binary form of one; see speechxl lm.
        lexicon: Words, one a line; nothing else is found. By default the words of ``lm``.
        hot_words: Words or phrases that are preferred.
        search: Beam search.
        batch_seconds: Audio of a batch, padding included; by default 16 on a CPU, 120 on an accelerator.
        window_seconds: Longer recordings are cut into windows of this length.
        vad: Cut at pauses, and recognise speech only.
        model_language: Language whose vocabulary is used, where a model has one for each; by default that of each recording.
            Where there is an adapter for each as well, as in facebook/mms-1b-all, it has to be named.
        alternatives: Other phones that are given with each phone, the likeliest first.
        attributes: Whether phones have their articulatory features.

    Raises:
        InputError: If something cannot be used.
    """
    recognisers, card = load_recogniser(
        str(model), device=device, precision=precision, batch_seconds=batch_seconds, window_seconds=window_seconds,
        lm=None if lm is None else Path(lm), lexicon=None if lexicon is None else Path(lexicon), hot_words=hot_words,
        search=search, vad=vad, model_language=model_language and named_language(model_language), alternatives=alternatives,
    )  # fmt: skip
    if attributes and recognisers.vocabulary.units == "char":
        raise InputError(f"{model}: attributes are those of phones, and the model writes characters.")
    return Model(recognisers, card.languages, str(model), attributes=attributes)
