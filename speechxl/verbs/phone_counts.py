"""The phones of training texts, language by language."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from speechxl.models.phone_note import PhoneNote
from speechxl.phonology.known import known_features
from speechxl.phonology.mapping import read_symbols
from speechxl.shapes import Utterance
from speechxl.text import SPECIAL, Vocabularies, Vocabulary
from speechxl.verbs.corpora import target

log = logging.getLogger(__name__)
_SHOWN = 10


def phone_note(
    rows: Sequence[Utterance], column: str, vocabulary: Vocabulary | Vocabularies, phoible: Path | None = None
) -> PhoneNote:
    """What a model of phones keeps of its training texts; symbols that are no phones are named.

    Args:
        rows: Training rows.
        column: Of the targets.
        vocabulary: Of the model.
        phoible: Folder with PHOIBLE, in the place of the installed one.

    Raises:
        InputError: If a folder of PHOIBLE is named and has none.
    """
    symbols: dict[str, Counter[str]] = {}
    for row in rows:
        symbols.setdefault(row.language, Counter()).update(vocabulary.of(row.language).split(target(row, column)))
    spelled = read_symbols([symbol for symbol in vocabulary.symbols if symbol not in SPECIAL])
    if odd := sorted({symbol for own in symbols.values() for symbol in own if not spelled[symbol]}):
        more = f" and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else ""
        log.warning(
            "%d symbols of the training texts are no phones in IPA, and nothing will be mapped from or to them: %s%s",
            len(odd), " ".join(odd[:_SHOWN]), more,
        )  # fmt: skip
    counts: dict[str, dict[str, int]] = {}
    for language in sorted(symbols):
        phones: Counter[str] = Counter()
        for symbol, count in symbols[language].items():
            phones.update({spelled[symbol]: count} if spelled[symbol] else {})
        counts[language] = dict(sorted(phones.items(), key=lambda item: (-item[1], item[0])))
    table, version = known_features(phoible)
    return PhoneNote(table.name, version, table.digest, counts)
