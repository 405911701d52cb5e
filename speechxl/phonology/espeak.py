"""The phones of espeak-ng in IPA: its "IPA" is mixed with its own mnemonics, tone digits and flags. No torch."""

import re
from itertools import groupby

from speechxl.phonology.ipa import UnknownPhone, canonical, segment
from speechxl.phonology.letters import STRESS, decompose, letters

SWITCH = re.compile(r"\([a-z][\w-]*\)")
"""A flag that the voice of another language speaks from here on."""
_VOWEL = "[" + "".join(x.character for x in letters().values() if x.kind == "vowel") + "]"
_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"[0-9]+$", ""),  # tones
        (rf"(?<={_VOWEL}|[ːɡr.\u032a-])ɜ$", ""),  # the tone 3, written in IPA
        (r"n[gɡ]$", "ŋ"),
        (r"^\?+", "ʔ"),
        (r"tl#", "t͡ɬ"),
        (r"#", "\u0325"),
        (r"\[", "\u032a"),
        (r"tS", "t͡ʃ"),
        (r"dZ", "d͡ʒ"),
        (r"ts\.", "ʈ͡ʂ"),
        (r"s\.", "ʂ"),
        (r"z\.", "ʐ"),
        (r"r\.", "ɽ"),
        (r"i\.", "ɨ"),  # the vowel of si and shi
        (r"([au])\.", "\\1ˤ"),  # beside emphatic consonants
        (r"(?<=[ptkcsɕʂʃ])h", "ʰ"),
        (r"\^", "ʲ"),
        (rf"(?<={_VOWEL})`|\+", ""),  # tones
        (r"`", "ʼ"),
        (r'u"', "ʉ"),
        (r"o-", "ɤ"),
        (r"u-", "ɯ"),
        (r"ɔ-", "ʌ"),
        (r"-", ""),
        (r"S", "ʃ"),
        (r"X", "χ"),
        (r"N", "ŋ"),
        (r"A", "ɑ"),
        (r"K", "ɬ"),
        (r"ː+", "ː"),
        (r"^(.+?)ː?\1ː?$", "\\1ː"),  # long, written twice
    )
)
_ALONE = {"ʰ": "h", "ʲ": "j", "ᵐ": "m", "ⁿ": "n", "ᵑ": "ŋ"}


def clean(token: str, place: str = "") -> list[str]:
    """Phones that a token stands for, mostly one; vowels that follow each other are one diphthong.

    Args:
        token: What stands between espeak-ng's separators.
        place: For messages.

    Returns:
        In their one spelling, without stress and tone; nothing for a flag, a tone or an empty token.

    Raises:
        UnknownPhone: If it is not understood.
    """
    if not token.strip(STRESS + "0123456789") or SWITCH.fullmatch(token):
        return []
    found: list[str] = []
    for part in re.split(f"[{STRESS}]", decompose(token)):
        text = part
        for pattern, replacement in _RULES:
            text = pattern.sub(replacement, text)
        text = _ALONE.get(text, text)
        if text:
            phones = segment(text, place, affricates="join").phones
            for vowels, group in groupby(phones, _is_vowel):
                listed = list(group)
                found += [canonical("".join(listed))] if vowels else listed
    if not found:
        raise UnknownPhone(token, token[0], place)
    return found


def symbol(token: str, place: str = "") -> str:
    """One phone for a token, however many it stands for, as a model has one output for it."""
    return canonical("".join(clean(token, place)), place)


def _is_vowel(phone: str) -> bool:
    return any(x in letters() and letters()[x].kind == "vowel" for x in phone)
