"""What the texts of a corpus may hold, by a model or an inventory."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

from speechxl.data.checks.texts import Symbols
from speechxl.errors import InputError

PHOIBLE = "phoible"
"""The inventory of each row's own language."""


def allowed(
    model: str | None, model_language: str | None, inventory: str | None, column: str | None, phoible: Path | None
) -> tuple[Symbols | None, Collection[str]]:
    """Symbols and languages that a corpus may have; None and nothing for any.

    Raises:
        InputError: If the settings do not go together, or the model or inventory cannot be had.
    """
    if model is not None and inventory is not None:
        raise InputError("--model and --inventory: texts are checked against the one or the other.")
    if model is not None:
        return _of_model(model, model_language, column)
    if inventory is not None:
        return _of_inventory(inventory, column or "phonemes", phoible), ()
    for flag, value in (("column", column), ("model_language", model_language)):
        if value:
            raise InputError(
                f"--{flag} is for --model{' or --inventory' if flag == 'column' else ''}, which is not given."
            )
    return None, ()


def _of_model(model: str, model_language: str | None, column: str | None) -> tuple[Symbols, Collection[str]]:
    from speechxl.models.folders import read_card
    from speechxl.models.vocabularies import read_vocabularies
    from speechxl.text import Vocabulary

    card = read_card(model)
    vocabularies = read_vocabularies(model, model_language)
    known = set(vocabularies.languages) or set(card.languages)

    @lru_cache(maxsize=1024)
    def vocabulary(language: str) -> Vocabulary | None:
        return None if vocabularies.languages and language not in vocabularies.languages else vocabularies.of(language)

    def split(text: str, language: str) -> Sequence[str]:
        own = vocabulary(language)
        return [] if own is None else own.split(text)

    def unknown(symbols: Sequence[str], language: str) -> Collection[str]:
        own = vocabulary(language)
        return [] if own is None else [symbol for symbol in symbols if symbol not in own]

    named = column or card.column or ("text" if vocabularies.units == "char" else "phonemes")
    return Symbols(named, f"the vocabulary of {model}", split, unknown), known


def _of_inventory(name: str, column: str, phoible: Path | None) -> Symbols:
    from speechxl.data.inventories import find_inventory, language_inventory
    from speechxl.phonology.inventory import Inventory
    from speechxl.phonology.ipa import UnknownPhone, canonical

    @lru_cache(maxsize=1024)
    def inventory(language: str) -> Inventory | None:
        if name != PHOIBLE:
            return find_inventory(name, phoible=phoible)
        return language_inventory(language, phoible=phoible) if language else None

    @lru_cache(maxsize=65536)
    def lacks(symbol: str, language: str) -> bool:
        own = inventory(language)
        if own is None:
            return False
        try:
            return canonical(symbol) not in own
        except UnknownPhone:
            return True

    if name != PHOIBLE:
        inventory("")
    source = "PHOIBLE's inventory of the language" if name == PHOIBLE else f"the inventory {name}"
    return Symbols(
        column,
        source,
        lambda text, _: text.split(),
        lambda symbols, language: [x for x in symbols if lacks(x, language)],
    )
