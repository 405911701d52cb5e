"""Recordings inside a page, up to a size."""

import base64
from io import BytesIO

import soundfile
from markupsafe import Markup

from speechxl.data.audio import AudioError, read_utterance
from speechxl.evaluation.page import embedded
from speechxl.shapes import SAMPLE_RATE, Utterance

_LONGEST = 60.0
"""Seconds of a recording that is still put into a page."""


class Players:
    """Makes players of recordings until a page is full.

    Args:
        megabytes: Of all of them, as they stand in the page; 0 for none.
    """

    def __init__(self, megabytes: float) -> None:
        self.left = megabytes * 1e6
        self.asked = megabytes > 0
        self.lacking = 0
        """Recordings that had no room or cannot be read."""

    def __call__(self, utterance: Utterance | None) -> Markup | str:
        """A player; empty where there is none."""
        if not self.asked:
            return ""
        data = b"" if utterance is None or utterance.seconds > _LONGEST else _encoded(utterance)
        size = 4 * -(-len(data) // 3)
        if not data or size > self.left:
            self.lacking += 1
            return ""
        self.left -= size
        return embedded(base64.b64encode(data).decode(), "mpeg")


def _encoded(utterance: Utterance) -> bytes:
    """MP3, 2 to 4 kB a second; nothing where the recording cannot be read."""
    try:
        samples = read_utterance(utterance)
    except AudioError:
        return b""
    file = BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.8)
    return file.getvalue()
