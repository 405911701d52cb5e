"""Speech synthesis by espeak-ng, for corpora that are made on the spot."""

import ctypes
from functools import lru_cache

import espeakng_loader
import numpy as np
import soxr

from speechxl.errors import InputError
from speechxl.shapes import SAMPLE_RATE

_SYNCHRONOUS, _UTF8, _CHARACTERS = 2, 1, 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def speak(text: str, voice: str, *, rate: int = 170, pitch: int = 50, expression: int = 50) -> np.ndarray:
    """Speaks a text.

    Args:
        text: In the language of the voice.
        voice: Of espeak-ng, such as ``sw``, with a variant such as ``sw+f2``.
        rate: Words per minute.
        pitch: 0 to 99.
        expression: Range of the pitch, 0 to 99.

    Returns:
        (T,) float32 at 16 kHz.

    Raises:
        InputError: If there is no such voice.
    """
    library, native_rate = _library()
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise InputError(f"espeak-ng has no voice {voice!r}.")
    for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, expression)):
        library.espeak_SetParameter(parameter, value, 0)
    pieces: list[np.ndarray] = []

    @_Callback
    def collect(samples: ctypes.Array[ctypes.c_short], count: int, events: int) -> int:
        del events
        if count > 0:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    library.espeak_SetSynthCallback(collect)
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # of its noise, which else follows the clock
    data = text.encode() + b"\0"
    library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, _CHARACTERS, 0, _UTF8, None, None)
    if not pieces:
        raise InputError(f"espeak-ng made no sound of {text!r} with voice {voice!r}.")
    samples = np.concatenate(pieces).astype(np.float32) / 2**15
    return soxr.resample(samples, native_rate, SAMPLE_RATE).astype(np.float32)


@lru_cache(maxsize=1)
def _library() -> tuple[ctypes.CDLL, int]:
    """The library, ready, and its samples per second."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, str(espeakng_loader.get_data_path()).encode(), 0)
    if rate <= 0:
        raise InputError("espeak-ng could not be started; install espeakng-loader again.")
    return library, rate
