"""A model in Python: `speechxl.load`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import ArrayLike

from speechxl.config import Search
from speechxl.data.audio import AudioError, from_array
from speechxl.data.sources import find_audio
from speechxl.decoding import output
from speechxl.decoding.languages import Recognisers
from speechxl.errors import InputError
from speechxl.shapes import SAMPLE_RATE, Hypothesis, Utterance, Word
from speechxl.verbs.recognise import check_languages, load_recogniser, recognise

_ARRAY = "array"
"""Name of a recording that came without one."""


@dataclass(frozen=True)
class Result:
    """What was recognised in a recording, or why it could not be used; then asking for the rest raises that."""

    audio: str
    """The recording as it was named."""
    failure: str
    """What is wrong with it; empty if nothing is."""
    utterance: Utterance
    seconds: float
    hypothesis: Hypothesis | None
    units: str
    """``"char"`` or ``"phoneme"``, what the model writes."""

    @property
    def document(self) -> dict[str, Any]:
        """Its entry in ``speechxl transcribe --json``.

        Raises:
            AudioError: If the recording could not be used.
        """
        if self.hypothesis is None:
            raise AudioError(self.failure)
        return output.document(self.audio, self.utterance, self.seconds, self.hypothesis, self.units)

    @property
    def text(self) -> str:
        """All of it."""
        return str(self.document["text"])

    @property
    def words(self) -> list[Word]:
        """With places in the recording, seconds, and scores from 0 to 1; empty for a model of phones."""
        return [Word(word["word"], word["start"], word["end"], word["score"]) for word in self.document["words"]]

    @property
    def phones(self) -> list[Word]:
        """The same of phones; empty for a model of characters."""
        return [Word(phone["phone"], phone["start"], phone["end"], phone["score"]) for phone in self.document["phones"]]

    @property
    def duration(self) -> float:
        """Seconds."""
        return float(self.document["duration"])

    @property
    def language(self) -> str | None:
        """ISO 639-3, where the manifest names it."""
        return self.document["language"]

    def save(self, path: str | Path) -> None:
        """Writes a file in the format that its suffix names, in the place of one that stands there.

        Raises:
            InputError: If there is no such format, or annotations of ELAN are asked for where there is no recording.
        """
        path = Path(path)
        formats = [name for name in output.FORMATS if name != "jsonl"]  # which is of many recordings
        if path.suffix[1:] not in formats:
            raise InputError(f"{path}: no format has this suffix; choose among .{', .'.join(formats)}.")
        if path.suffix == ".eaf" and not self.utterance.path.exists():
            raise InputError(
                f"{path}: annotations of ELAN name their recording, and samples have none; save another format."
            )
        name = self.utterance.path.stem
        output.write(
            path.with_suffix(""), name, self.document, self.utterance, self.seconds, self.units, [path.suffix[1:]]
        )


class Model:
    """A fine-tuned model that is ready to be used; see `load`.

    Attributes:
        recognisers: What does the work.
        languages: ISO 639-3 codes of the training data.
    """

    def __init__(self, recognisers: Recognisers, languages: Sequence[str]) -> None:
        self.recognisers, self.languages = recognisers, list(languages)

    @property
    def units(self) -> str:
        """``"char"`` or ``"phoneme"``, what it writes."""
        return self.recognisers.vocabulary.units

    def transcribe(self, audio: str | Path | ArrayLike, sampling_rate: int | None = None, language: str = "") -> Result:
        """Recognises one recording.

        Args:
            audio: A file, or samples (T,), or (T, C) of several channels; integers are fractions of their largest value.
            sampling_rate: Of samples, any; of a file it is known.
            language: ISO 639-3; of use where a model has a vocabulary for each.

        Raises:
            AudioError: If the recording cannot be used.
            InputError: If the model has vocabularies for other languages.
        """
        if isinstance(audio, (str, Path)):
            (result,) = self._recognise([Utterance(Path(audio).absolute(), str(audio), language=language)])
            if result.failure:
                raise AudioError(result.failure)
            return result
        if sampling_rate is None:
            raise InputError(
                "An array does not say its rate; name it, as in model.transcribe(samples, sampling_rate=16000)."
            )
        waveform = from_array(audio, sampling_rate)
        utterance = Utterance(Path(_ARRAY), _ARRAY, language=language)
        (hypothesis,) = self.recognisers([waveform], [language])
        return Result(_ARRAY, "", utterance, len(waveform) / SAMPLE_RATE, hypothesis, self.units)

    def transcribe_all(self, audio: str | Path | Iterable[str | Path], split: str | None = None) -> Iterator[Result]:
        """Recognises many recordings in batches, in the order given.

        Args:
            audio: Files, folders, patterns and manifests, in any mixture.
            split: Rows of manifests to use; by default all.

        Yields:
            A result for each recording, as soon as it is there. One that cannot be used does not end the others: its
            result says why in ``failure``, and raises that when it is asked for anything else.

        Raises:
            NothingMatched: If a folder, pattern or manifest holds nothing.
        """
        names = [audio] if isinstance(audio, (str, Path)) else audio
        yield from self._recognise(find_audio([str(name) for name in names], split))

    def _recognise(self, utterances: Sequence[Utterance]) -> Iterator[Result]:
        check_languages(self.recognisers, utterances)
        for item in recognise(self.recognisers, utterances):
            yield Result(item.utterance.id, item.reason, item.utterance, item.seconds, item.hypothesis, self.units)


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
) -> Model:
    """A fine-tuned model to transcribe with.

    Args:
        model: Model folder, checkpoint of fairseq (.pt, with its dict.ltr.txt beside it), or name on the hub.
        device: Where to compute; by default on a GPU where there is one.
        precision: By default "bf16" where the processor has it.
        lm: Language model, an ARPA file of symbols or of words, or KenLM's binary form of one; see speechxl lm.
        lexicon: Words, one a line; nothing else is found. By default the words of ``lm``.
        hot_words: Words or phrases that are preferred.
        search: Beam search.
        batch_seconds: Audio of a batch, padding included; by default 16 on a CPU, 120 on an accelerator.
        window_seconds: Longer recordings are cut into windows of this length.
        vad: Cut at pauses, and recognise speech only.
        model_language: Language whose vocabulary is used, where a model has one for each; by default that of each recording.
            Where there is an adapter for each as well, as in facebook/mms-1b-all, it has to be named.

    Raises:
        InputError: If something cannot be used.
    """
    recognisers, card = load_recogniser(
        str(model), device=device, precision=precision, batch_seconds=batch_seconds, window_seconds=window_seconds,
        lm=None if lm is None else Path(lm), lexicon=None if lexicon is None else Path(lexicon), hot_words=hot_words,
        search=search, vad=vad, model_language=model_language,
    )  # fmt: skip
    return Model(recognisers, card.languages)
