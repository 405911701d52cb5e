"""Which phones are looked for in recordings: inventories, and maps of a model's phones to them."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from speechxl.config import Phones
from speechxl.data.inventories import find_inventory, language_inventory
from speechxl.errors import InputError
from speechxl.evaluation.phone_texts import oracle_inventory
from speechxl.models.fairseq import is_checkpoint
from speechxl.models.folders import read_card, read_config
from speechxl.models.phone_note import PhoneNote
from speechxl.models.vocabularies import read_vocabularies
from speechxl.phonology.distance import Metric, new_metric
from speechxl.phonology.inventory import Inventory
from speechxl.phonology.mapping import PhoneMap, Settings, check_units, new_map, read_symbols
from speechxl.phonology.phoible import open_phoible
from speechxl.phonology.report import attributes
from speechxl.shapes import Utterance
from speechxl.text import UnknownLanguage, Vocabularies, Vocabulary, normalise
from speechxl.verbs.calibrated import features_of_heads, map_settings
from speechxl.verbs.inventory_table import described

log = logging.getLogger(__name__)
ALL = ""
"""In the place of a language: one inventory for all recordings."""
ORACLE = "oracle"
_OWN = {"phoible:union": "union", "phoible:largest": "largest"}
"""Inventories of each recording's own language."""


@dataclass(frozen=True)
class Maps:
    """Maps of the phones of one model.

    Attributes:
        inventories: What is looked for, by language of the recordings; under `ALL` that of all of them.
        by_language: Likewise; where the model has a vocabulary for each language, there are several for one inventory.
        features: Version of the table of features.
        way: What decides on what the phones become, in a few words that differ where it does.
    """

    inventories: Mapping[str, Inventory]
    by_language: Mapping[str, PhoneMap]
    features: str
    way: str

    @property
    def documents(self) -> dict[str, dict[str, Any]]:
        """Report of each, for JSON."""
        return {
            name: {"language": name or None, **map_document(mapping, self.features)}
            for name, mapping in self.by_language.items()
        }

    def inventory(self, language: str) -> Inventory:
        """What is looked for in recordings in a language."""
        return self.inventories.get(ALL) or self.inventories[language]

    @property
    def symbols(self) -> list[str]:
        """Phones of all inventories."""
        return sorted({symbol for inventory in self.inventories.values() for symbol in inventory.symbols})


def find_maps(
    model: str,
    model_language: str | None,
    rows: Sequence[Utterance],
    phones: Phones,
    *,
    language: str | None = None,
    inventory: str | None = None,
    references: Sequence[str] | None = None,
) -> Maps | None:
    """Maps to the phones that a user names; None where none are named.

    Args:
        model: Model folder, or name on the hub.
        model_language: Whose vocabulary is used, where it has one for each.
        rows: To be recognised.
        phones: How.
        language: Whose inventory in PHOIBLE is looked for in all rows.
        inventory: What `find_inventory` understands, for all rows; ``phoible:union`` and ``phoible:largest`` of each row's own
            language; ``oracle`` with references.
        references: What is said in the rows.

    Raises:
        InputError: If both are named, or settings and neither, or there is no such inventory, or the model writes no phones.
    """
    if language is not None and inventory is not None:
        raise InputError("Name the phones by --language, or by --inventory, not by both.")
    if language is None and inventory is None:
        if replace(phones, phoible=None, distance=None) != Phones():
            raise InputError("--phones says how an inventory is used, and none is named; see --inventory.")
        return None
    if not is_checkpoint(model):
        read_config(model)
    vocabulary = read_vocabularies(model, model_language)
    if model_language is not None:
        vocabulary = vocabulary.of(model_language)
    _check_units(model, vocabulary)
    if language is not None:
        found = {ALL: language_inventory(language, **inventory_options(phones))}
    elif inventory == ORACLE and references is not None:
        found = _oracle(rows, references)
    elif inventory in _OWN:
        found = _own(rows, replace(phones, source=_OWN[inventory]))
    else:
        found = {ALL: find_inventory(inventory or "", **inventory_options(phones))}
    return new_maps(model, vocabulary, found, {row.language for row in rows}, phones, inventory or "")


def inventory_options(phones: Phones) -> dict[str, Any]:
    """Arguments of `language_inventory` and `find_inventory`."""
    return {name: getattr(phones, name) for name in ("source", "phoible", "marginal", "split_diphthongs")}


def _check_units(model: str, vocabulary: Vocabulary | Vocabularies) -> None:
    try:
        check_units(vocabulary.units)
    except InputError as error:
        raise InputError(f"{model}: {error}") from None


def _own(rows: Iterable[Utterance], phones: Phones) -> dict[str, Inventory]:
    """Inventories of the languages of rows."""
    found: dict[str, Inventory] = {}
    for row in rows:
        if not row.language:
            raise InputError(
                f"{row}: has no language, so that phoible:{phones.source} says nothing; name one inventory for all."
            )
        if row.language not in found:
            try:
                found[row.language] = language_inventory(row.language, **inventory_options(phones))
            except InputError as error:
                raise InputError(f"{row}: {error}") from None
    return found


def _oracle(rows: Sequence[Utterance], references: Sequence[str]) -> dict[str, Inventory]:
    """Phones of the references of each language."""
    texts: dict[str, list[str]] = {}
    for row, text in zip(rows, references, strict=True):
        texts.setdefault(row.language, []).append(text)
    if ALL in texts and len(texts) > 1:
        nameless = next(row for row in rows if not row.language)
        raise InputError(f"{nameless}: has no language, and others have; {ORACLE} is the phones of each language.")
    return {language: oracle_inventory(own, language) for language, own in texts.items()}


def new_maps(
    model: str,
    vocabulary: Vocabulary | Vocabularies,
    inventories: Mapping[str, Inventory],
    languages: Iterable[str],
    phones: Phones,
    name: str = "",
) -> Maps:
    """Maps of a model to inventories.

    Args:
        model: For messages.
        vocabulary: Of the model, or those of its languages.
        inventories: By language, or under `ALL` one for all.
        languages: Of the recordings.
        phones: How.
        name: Of the inventories, where there is one for each language.

    Raises:
        InputError: If the model writes no phones, or none that is near.
    """
    _check_units(model, vocabulary)
    metric, features = metric_of(phones)
    note = read_card(model).phones
    names = sorted(set(languages)) if vocabulary.languages or ALL not in inventories else [ALL]
    maps = {}
    for language in names:
        try:
            own = vocabulary.of(language)
        except UnknownLanguage:  # which is told with its row when the model is loaded
            continue
        maps[language] = map_phones(model, own, inventories.get(ALL) or inventories[language], metric, phones, note)
    return Maps(
        inventories,
        maps,
        features,
        _way(inventories, name, metric.name, features, map_settings(phones, metric.name, note), phones),
    )


def _way(
    inventories: Mapping[str, Inventory], name: str, metric: str, features: str, settings: Settings, phones: Phones
) -> str:
    """What decides on maps, whatever languages there are."""
    one = inventories.get(ALL)
    title = f"{name} of each language"
    if one is not None:
        title = one.title if one.doculects else Path(one.source).name  # a folder may be moved
    how = [settings.strategy, settings.decisive, settings.max_distance]
    decisive = [list(one.symbols) if one else name, how, metric, features, _plain(phones)]
    digest = sha256(json.dumps(decisive).encode()).hexdigest()[:8]
    return f"{title}, {phones.strategy}, {metric}, {digest}"


def _plain(phones: Phones) -> list[bool]:
    return [phones.marginal, phones.split_diphthongs]


def metric_of(phones: Phones) -> tuple[Metric, str]:
    """Distance, and the version of the features it is of.

    Raises:
        InputError: If it is PHOIBLE's, and that is not there.
    """
    phoible = open_phoible(phones.phoible)
    metric = new_metric(phones.distance, phoible=None if phoible is None else phoible.table, weights=phones.weights)
    return metric, phoible.version if phoible is not None and metric.table is phoible.table else metric.table.name


def map_phones(
    model: str, vocabulary: Vocabulary, inventory: Inventory, metric: Metric, phones: Phones, note: PhoneNote | None
) -> PhoneMap:
    """One map; says so where many phones are far, or none is known.

    Args:
        model: For messages.
        vocabulary: Of the model.
        inventory: Of the language.
        metric: Distance.
        phones: How.
        note: What the model has heard, where that is known.

    Raises:
        InputError: As `new_map`, with the model's name.
    """
    try:
        settings, table = map_settings(phones, metric.name, note), features_of_heads(phones, note)
        mapping = new_map(vocabulary, inventory, metric, settings, note.training() if note else None, table)
    except InputError as error:
        raise InputError(f"{model}: {error}") from None
    far = mapping.report.count("far", "unreachable")
    if far > phones.max_far:
        log.warning(
            "%d of %d phones of %s are far from all of the model or cannot be reached; expect mistakes there",
            far, len(inventory), inventory.title,
        )  # fmt: skip
    if not mapping.report.count("exact", "respelled"):
        log.warning(
            "%s has none of the %d phones of %s, others stand for all of them; speechxl map shows which",
            model, len(inventory), inventory.title,
        )  # fmt: skip
    return mapping


def map_document(mapping: PhoneMap, features: str) -> dict[str, Any]:
    """Report of a map, for JSON."""
    document = mapping.report.document
    whole = {**document["inventory"], **described(mapping.inventory)}
    return {**document, "inventory": whole, "features": features}


def find_attributes(
    model: str, model_language: str | None, maps: Maps | None, phones: Phones
) -> dict[str, list[str] | None]:
    """Articulatory features of all phones that can be recognised, in words; None for what is no phone or has no features.

    Args:
        model: Model folder, or name on the hub.
        model_language: Whose vocabulary is used, where it has one for each.
        maps: Of its phones, where there are some.
        phones: Says which features.

    Raises:
        InputError: If the model writes characters.
    """
    if maps is None:
        vocabulary = read_vocabularies(model, model_language)
        if vocabulary.units == "char":
            raise InputError(f"{model}: --attributes are those of phones, and the model writes characters.")
        return attribute_words(vocabulary.symbols, phones)
    return attribute_words(maps.symbols, phones)


def attribute_words(symbols: Sequence[str], phones: Phones) -> dict[str, list[str] | None]:
    """The same of symbols, as texts have them."""
    table = metric_of(phones)[0].table
    spelled = read_symbols(symbols).items()
    return {normalise(symbol): attributes(table, phone) if phone else None for symbol, phone in spelled}
