"""espeak-ng: its speech, for corpora that are made on the spot, its phones, its voices."""

import ctypes
from difflib import get_close_matches
from functools import lru_cache

import espeakng_loader
import numpy as np
import soxr

from speechxl.errors import InputError
from speechxl.phonology.espeak import SWITCH, clean
from speechxl.shapes import SAMPLE_RATE

_SYNCHRONOUS, _UTF8, _CHARACTERS = 2, 1, 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_IPA, _SEPARATED = 0x02, 8
_SEPARATOR = "_"
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Silent(InputError):
    """A text that a voice says nothing of."""


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
        Silent: If it says nothing.
    """
    library, native_rate = _chosen(voice)
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
    if not any(piece.any() for piece in pieces):
        raise Silent(f"espeak-ng made no sound of {text!r} with voice {voice!r}.")
    samples = np.concatenate(pieces).astype(np.float32) / 2**15
    return soxr.resample(samples, native_rate, SAMPLE_RATE).astype(np.float32)


class _Voice(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("languages", ctypes.c_char_p), ("identifier", ctypes.c_char_p))


def voices() -> list[str]:
    """Names of all voices, sorted; a few of them lack a dictionary and cannot speak."""
    library, _ = _library()
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    listed = library.espeak_ListVoices(None)
    found = set()
    number = 0
    while listed[number]:
        found.add((listed[number].contents.languages or b" ")[1:].decode())  # before it stands the priority
        number += 1
    return sorted(found)


def has_voice(name: str) -> bool:
    """Whether a voice can be chosen by a name; ``en`` and ``fr`` can, and are not listed."""
    listed = voices()
    if name not in listed and not any(other.startswith(f"{name}-") for other in listed):
        return False
    try:
        _kept(name)
    except InputError:
        return False
    return True


def tokens(text: str, voice: str) -> list[list[str]]:
    """What espeak-ng gives for a text, as it gives it: words, and in each what stands between separators.

    Raises:
        InputError: If there is no such voice.
    """
    library = _kept(voice)
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
    buffer = ctypes.create_string_buffer(text.encode() + b"\0")
    rest = ctypes.c_void_p(ctypes.addressof(buffer))
    clauses = []
    while rest.value:
        clause = library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA | ord(_SEPARATOR) << _SEPARATED)
        clauses.append((clause or b"").decode())
    return [[token for token in word.split(_SEPARATOR) if token] for word in " ".join(clauses).split()]


def phonemes(text: str, voice: str) -> list[list[str]]:
    """Phones of the words of a text, in their one spelling; words that another language's voice speaks are left out.

    Raises:
        InputError: If there is no such voice, or a phone of it is not understood.
    """
    place = f"espeak-ng, voice {voice}, {text[:40]!r}"
    found = []
    foreign = False
    for word in tokens(text, voice):
        phones: list[str] = []
        own = voice.partition("-")[0]
        for token in word:
            if SWITCH.fullmatch(token):
                foreign = token.strip("()").partition("-")[0] != own
            elif not foreign:
                phones += clean(token, place)
        if phones:
            found.append(phones)
    return found


@lru_cache(maxsize=1)
def _kept(voice: str) -> ctypes.CDLL:
    """The library, ready to speak with a voice; choosing one takes longer than a word."""
    return _chosen(voice)[0]


def _chosen(voice: str) -> tuple[ctypes.CDLL, int]:
    _kept.cache_clear()
    library, rate = _library()
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        near = get_close_matches(voice.partition("+")[0], voices(), 3, 0.5)
        hint = f"; nearest are {', '.join(near)}" if near else ""
        raise InputError(f"espeak-ng has no voice {voice!r}{hint}.")
    return library, rate


@lru_cache(maxsize=1)
def _library() -> tuple[ctypes.CDLL, int]:
    """The library, ready, and its samples per second."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, str(espeakng_loader.get_data_path()).encode(), 0)
    if rate <= 0:
        raise InputError("espeak-ng could not be started; install espeakng-loader again.")
    return library, rate
