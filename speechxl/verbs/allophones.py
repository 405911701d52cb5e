"""Allophones for a model that is fine-tuned, as PHOIBLE lists them."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from speechxl.errors import InputError
from speechxl.models.phone_note import PhoneNote
from speechxl.phonology.inventory import phoible_inventory
from speechxl.phonology.ipa import UnknownPhone, canonical
from speechxl.phonology.mapping import read_symbols
from speechxl.phonology.phoible import Phoible, need_phoible
from speechxl.text import SPECIAL, Vocabulary, normalise
from speechxl.verbs.corpora import target
from speechxl.verbs.labelled import Labelled

log = logging.getLogger(__name__)


def with_allophones(corpus: Labelled, note: PhoneNote, phoible: Path | None) -> tuple[Labelled, PhoneNote]:
    """A corpus whose vocabulary has the phones that its phonemes are heard as, after the phonemes, and a note of them.

    A phoneme is always heard as itself, too; languages without lists of allophones have nothing else.

    Args:
        corpus: With one vocabulary.
        note: Of its phones.
        phoible: Folder with PHOIBLE, in the place of the installed one.

    Raises:
        InputError: If PHOIBLE is not there, or has allophones of none of the languages, or there are several vocabularies.
    """
    vocabulary = corpus.vocabulary
    if not isinstance(vocabulary, Vocabulary):
        raise InputError(
            "--allophones: languages share the phones, so that they need one vocabulary; leave --separate_vocabularies out."
        )
    spelled = read_symbols([symbol for symbol in vocabulary.symbols if symbol not in SPECIAL])
    symbols = {phone: symbol for symbol, phone in reversed(spelled.items()) if phone}
    known = need_phoible(phoible)
    found: dict[str, dict[str, list[str]]] = {}
    for language in sorted(note.counts):
        lists = _lists(known, language)
        found[language] = {}
        for symbol in _phonemes(corpus, language):
            heard = [symbols.setdefault(phone, normalise(phone)) for phone in lists.get(spelled.get(symbol, ""), ())]
            found[language][symbol] = list(dict.fromkeys([symbol, *heard]))
    without = [language or "(unknown)" for language, own in found.items() if not _many(own)]
    if len(without) == len(found):
        raise InputError(
            f"--allophones: PHOIBLE ({known.version}) lists none for the phonemes of {', '.join(without)}."
        )
    if without:
        log.warning("no allophones are listed for the phonemes of %s; each stands for itself there", ", ".join(without))
    more = sorted(set(symbols.values()) - set(vocabulary.symbols))
    vocabulary = replace(vocabulary, symbols=(*vocabulary.symbols, *more))
    return replace(corpus, vocabulary=vocabulary), replace(note, allophones=found)


def _phonemes(corpus: Labelled, language: str) -> list[str]:
    """Symbols of the training texts in a language."""
    vocabulary = corpus.vocabulary.of(language)
    texts = {target(row, corpus.column) for row in corpus.train if row.language == language}
    return sorted({symbol for text in texts for symbol in vocabulary.split(text)})


def _lists(phoible: Phoible, language: str) -> Mapping[str, list[str]]:
    """Allophones of the phonemes of a language, in their one spelling; none for a language that PHOIBLE does not have."""
    try:
        inventory = phoible_inventory(phoible, language)
    except InputError:
        return {}
    lists: dict[str, list[str]] = {}
    for phoneme, allophones in inventory.allophones.items():
        for allophone in allophones:
            try:
                lists.setdefault(phoneme, []).append(canonical(allophone))
            except UnknownPhone:
                log.debug("%s: %r among the allophones of %s is not IPA", language, allophone, phoneme)
    return lists


def _many(phonemes: Mapping[str, list[str]]) -> bool:
    """Whether a phoneme is heard as another phone than itself."""
    return any(len(heard) > 1 for heard in phonemes.values())
