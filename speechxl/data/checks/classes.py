"""Classes of faults."""

from dataclasses import dataclass

from speechxl.shapes import Utterance

ERRORS = {
    "manifest": "the manifest's line cannot be used",
    "duplicate_id": "the id stands already in another row",
    "missing": "the recording does not exist",
    "unreadable": "the recording cannot be decoded",
    "empty_audio": "the recording has no samples",
    "silent": "all samples are zero",
    "not_finite": "there are samples that are not numbers",
    "beyond_end": "the stretch passes the end of the recording",
    "empty_text": "there is no text, where other rows have one; adapt uses such rows, finetune and evaluate leave them out",
    "unknown_symbol": "the text holds symbols that the vocabulary or inventory lacks",
    "too_short": "the text needs more frames than the audio gives (CTC)",
    "unknown_language": "the language is not an ISO 639-3 code",
    "language_not_in_model": "the model was not trained on the language",
}
"""Classes that make an utterance unusable."""
WARNINGS = {
    "uncorrelated": "long texts do not stand at long recordings; texts may belong to other recordings",
    "odd_rate": "far more or less audio for each symbol than usual in the language; the text may be another's",
    "duplicate": "the same audio stands in another row",
    "duplicate_text": "the text stands in a training row as well",
    "speaker_in_splits": "the speaker occurs in several splits",
    "no_speaker": "the speaker is not known, so that splits cannot be kept apart",
    "one_speaker": "one speaker has most of the speech",
    "very_short": "less than 0.1 s",
    "very_long": "more than 30 s",
    "clipped": "more than 0.1 % of the samples are at the limit",
    "quiet": "the level is below -45 dBFS",
    "dc_offset": "the mean of the samples is far from zero",
    "mostly_silence": "more than 80 % is silence",
    "band_limited": "there is nothing above 4 kHz: recorded with 8 kHz, or by telephone, and converted",
    "mixed_rates": "another sample rate than most recordings",
    "mixed_channels": "another number of channels than most recordings",
    "digits": "the text holds digits, which are spoken as words",
    "tags": "the text holds marks such as <unk> or [laugh]",
    "mixed_case": "the text has capitals, where most have none",
    "retired_language": "the language's code was withdrawn from ISO 639-3",
    "macrolanguage": "the language's code is that of a group of languages",
}
"""Classes that make results misleading."""


@dataclass(frozen=True)
class Finding:
    """One fault of one utterance, or of a group of them, at the first."""

    kind: str
    """Key of `ERRORS` or `WARNINGS`."""
    place: str
    """``manifest:line``."""
    id: str
    message: str

    @property
    def is_error(self) -> bool:
        """Whether the utterance is unusable."""
        return self.kind in ERRORS


def finding(kind: str, utterance: Utterance, message: str) -> Finding:
    """A fault of a row."""
    return Finding(kind, str(utterance), utterance.id, message)
