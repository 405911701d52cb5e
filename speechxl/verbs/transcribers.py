"""The own recogniser as the transcriber of a cascade. No torch at import."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from speechxl.classification.cache import cached
from speechxl.classification.transcribers import Transcriber
from speechxl.config import Phones
from speechxl.shapes import Utterance

if TYPE_CHECKING:
    from speechxl.decoding.recognisers import Recognisers
    from speechxl.verbs.mapping import Maps


@dataclass(frozen=True)
class Recogniser(Transcriber):
    """A CTC model as speechxl transcribe uses it: an own folder, a checkpoint of fairseq, or a name on the hub."""

    model: str
    """Model folder, or a name on the hub; of characters, Latin letters or phones."""
    cache: Path | None = None
    """Folder in which transcripts are kept; None to make them anew each time."""
    model_language: str | None = None
    """Language whose vocabulary, or adapter of MMS, is used for all utterances; by default that of each."""
    language: str | None = None
    """Language whose phones in PHOIBLE a model of phones looks for in all utterances, whether it has heard it or not."""
    inventory: str | None = None
    """In its place what speechxl transcribe --inventory takes; phoible:union for the language of each utterance."""
    phones: Phones = field(default_factory=Phones)
    """Which phones of the model stand for those of the inventory."""
    lm: Path | None = None
    """Language model, see speechxl lm; the search is then by beam."""
    lexicon: Path | None = None
    """Words; nothing else is found."""
    vad: bool = False
    """Whether to recognise speech only."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "32", "bf16"] = "auto"
    batch_seconds: float | None = None
    """Audio of a batch; by default 16 on a CPU, 120 on an accelerator."""
    window_seconds: float = 30.0
    """Longer recordings are cut into windows of this length."""

    def __call__(self, rows: Sequence[Utterance]) -> list[str]:
        """See `Transcriber`; recordings that cannot be used are logged."""
        from speechxl.models.folders import fingerprint
        from speechxl.verbs.mapping import find_maps

        maps = find_maps(
            self.model, self.model_language, rows, self.phones, language=self.language, inventory=self.inventory
        )
        paths = [Path(path) for path in (self.lm, self.lexicon) if path]
        way = {
            "model": self.model, "weights": fingerprint(self.model, *paths), "model_language": self.model_language,
            "lm": bool(self.lm), "lexicon": bool(self.lexicon), "vad": self.vad, "precision": self.precision,
            "window_seconds": self.window_seconds, "phones": None if maps is None else maps.way,
        }  # fmt: skip
        return cached(rows, self.cache, way, partial(self._recognise, maps=maps))

    def _recognise(self, rows: Sequence[Utterance], maps: "Maps | None") -> Iterable[str | None]:
        from speechxl.verbs.recognise import check_languages, recognise

        recognisers = _loaded(self)
        if maps is not None:
            recognisers = recognisers.mapped(maps.by_language)
        check_languages(recognisers, rows)
        for item in recognise(recognisers, rows):
            yield None if item.hypothesis is None else item.hypothesis.text


@lru_cache(maxsize=1)
def _loaded(chosen: Recogniser) -> "Recognisers":
    """The model, once for the utterances of train, dev and test."""
    from speechxl.verbs.recognise import load_recogniser

    settings: dict[str, Any] = {
        "device": chosen.device, "precision": chosen.precision, "batch_seconds": chosen.batch_seconds,
        "window_seconds": chosen.window_seconds, "model_language": chosen.model_language, "vad": chosen.vad,
        "lm": None if chosen.lm is None else Path(chosen.lm),
        "lexicon": None if chosen.lexicon is None else Path(chosen.lexicon),
    }  # fmt: skip
    return load_recogniser(chosen.model, **settings)[0]
