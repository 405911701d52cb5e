"""What a model in Python gives for a recording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechxl.data.audio import AudioError
from speechxl.decoding import output
from speechxl.errors import InputError
from speechxl.shapes import Hypothesis, Phone, Utterance, Word


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
    attributes: Mapping[str, Sequence[str] | None] | None = None
    """Articulatory features of phones, where they were asked for."""

    @property
    def document(self) -> dict[str, Any]:
        """Its entry in ``speechxl transcribe --json``.

        Raises:
            AudioError: If the recording could not be used.
        """
        if self.hypothesis is None:
            raise AudioError(self.failure)
        return output.document(self.audio, self.utterance, self.seconds, self.hypothesis, self.units, self.attributes)

    @property
    def text(self) -> str:
        """All of it."""
        return str(self.document["text"])

    @property
    def words(self) -> list[Word]:
        """With places in the recording, seconds, and scores from 0 to 1; empty for a model of phones."""
        return [Word(word["word"], word["start"], word["end"], word["score"]) for word in self.document["words"]]

    @property
    def phones(self) -> list[Phone]:
        """The same of phones; empty for a model of characters."""
        return [
            Phone(
                phone["phone"], phone["start"], phone["end"], phone["score"],
                tuple((other["phone"], other["score"]) for other in phone.get("alternatives", ())),
                None if phone.get("attributes") is None else tuple(phone["attributes"]),
            )
            for phone in self.document["phones"]
        ]  # fmt: skip

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
