"""Any speech recogniser of `transformers` as the transcriber of a cascade. No torch at import."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import iso639

from speechxl.classification.cache import cached
from speechxl.classification.hashes import missing_model, model_hash
from speechxl.classification.transcribers import Transcriber
from speechxl.data.audio import AudioError, read_utterance
from speechxl.errors import InputError
from speechxl.shapes import SAMPLE_RATE, Utterance

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pipeline(Transcriber):
    """What ``transformers.pipeline("automatic-speech-recognition")`` loads: Whisper, Seamless, any CTC model.

    Recordings are recognised one by one, so that padding changes nothing. Whisper and Seamless are told the language of
    each utterance, where they know it.
    """

    model: str
    """Model folder, or a name on the hub."""
    cache: Path | None = None
    """Folder in which transcripts are kept; None to make them anew each time."""
    generate: dict[str, Any] = field(default_factory=dict, hash=False)
    """Settings of the generation, such as num_beams; transformers takes 5 beams and at most 256 tokens."""
    chunk_seconds: float | None = None
    """Recordings are cut into overlapping chunks of this length; None to leave long recordings to the model."""
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __call__(self, rows: Sequence[Utterance]) -> list[str]:
        """See `Transcriber`; recordings that cannot be used are logged."""
        way = {
            "model": self.model, "weights": model_hash(self.model), "generate": self.generate,
            "chunk_seconds": self.chunk_seconds,
        }  # fmt: skip
        return cached(rows, self.cache, way, self._recognise)

    def _recognise(self, rows: Sequence[Utterance]) -> Iterable[str | None]:
        pipeline = _loaded(self.model, self.device)
        for row in rows:
            try:
                waveform = read_utterance(row)
            except AudioError as error:
                log.warning("%s", error)
                yield None
                continue
            options = self._options(pipeline, row.language, len(waveform) / SAMPLE_RATE)
            text = str(pipeline({"raw": waveform, "sampling_rate": SAMPLE_RATE}, **options)["text"])
            for name in pipeline.tokenizer.all_special_tokens:  # such as <unk>, which some tokenizers write
                text = text.replace(name, "")
            yield text

    def _options(self, pipeline: Any, language: str, seconds: float) -> dict[str, Any]:
        options: dict[str, Any] = {} if self.chunk_seconds is None else {"chunk_length_s": self.chunk_seconds}
        if pipeline.type == "ctc":
            return options
        kind = pipeline.model.config.model_type
        generate = dict(self.generate)
        if kind == "whisper":
            options["return_timestamps"] = seconds > 30  # without them only 30 s are heard
            if getattr(pipeline.model.generation_config, "lang_to_id", None):  # one of English alone refuses to be told
                known = _whisper_language(pipeline.model.generation_config, language)
                generate = {"task": "transcribe", **({"language": known} if known else {}), **generate}
        elif kind.startswith("seamless_m4t") and language in _seamless_languages(pipeline.model.generation_config):
            generate = {"tgt_lang": language, **generate}
        return {**options, "generate_kwargs": generate} if generate else options


def _whisper_language(generation: Any, language: str) -> str | None:
    """Two- or three-letter code that a model has a token for; None for a model of one language, or one that lacks it."""
    tokens = getattr(generation, "lang_to_id", None) or {}
    shorter = iso639.Lang(language).pt1 if iso639.is_language(language, "pt3") else ""
    codes = [code for code in (shorter, _MACRO.get(language, ""), language) if code]
    return next((code for code in codes if f"<|{code}|>" in tokens), None)


def _seamless_languages(generation: Any) -> dict[str, int]:
    return getattr(generation, "text_decoder_lang_to_code_id", None) or {}


_MACRO = {
    "arb": "ar", "azj": "az", "als": "sq", "cmn": "zh", "ekk": "et", "khk": "mn", "lvs": "lv", "nob": "no", "npi": "ne",
    "pes": "fa", "swh": "sw", "uzn": "uz", "ydd": "yi", "zsm": "ms",
}  # fmt: skip
"""Two-letter codes of macrolanguages, for their individual languages."""


@lru_cache(maxsize=1)
def _loaded(model: str, device: str) -> Any:
    """The model, once for the utterances of train, dev and test."""
    import transformers

    from speechxl.models.device import choose_device

    try:
        return transformers.pipeline("automatic-speech-recognition", model=model, device=choose_device(device))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(missing_model(model, error)) from None
