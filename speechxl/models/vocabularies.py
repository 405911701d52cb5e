"""Vocabularies of models, as `transformers` stores them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from transformers import Wav2Vec2CTCTokenizer

from speechxl.errors import InputError
from speechxl.models.fairseq import is_checkpoint, read_dictionary
from speechxl.models.folders import find_file, read_document, read_json
from speechxl.text import SPECIAL, Vocabularies, Vocabulary

_SHOWN = 40
"""Languages that an error lists."""


def read_vocabulary(source: str, language: str | None = None) -> Vocabulary:
    """Symbols of a CTC model, from ``vocab.json`` and the tokenizer's settings.

    Args:
        source: Model folder, checkpoint of fairseq, or name on the hub.
        language: Whose vocabulary, where there is one for each language.

    Raises:
        InputError: If there is none, or it is not one symbol a number.
    """
    vocabulary = read_vocabularies(source, language)
    if isinstance(vocabulary, Vocabularies) and language is None:
        raise _not_chosen(source, vocabulary.languages, None)
    return vocabulary.of(language or "")


def read_vocabularies(source: str, language: str | None = None) -> Vocabulary | Vocabularies:
    """Symbols of a CTC model, for each of its languages where they have outputs of their own.

    Args:
        source: Model folder, checkpoint of fairseq, or name on the hub.
        language: Whose vocabulary, in models such as MMS; of models whose languages share all but the output layer, one to check.

    Raises:
        InputError: As `read_vocabulary`, or if a language of MMS is to be named.
    """
    if is_checkpoint(source) and language is None:
        return read_dictionary(source)
    if is_checkpoint(source):
        raise InputError(f"{source}: has one vocabulary; leave --model_language out.")
    path = find_file(source, "vocab.json")
    if path is None:
        raise InputError(f"{source}: no vocab.json; this is not a fine-tuned CTC model. Run speechxl finetune first.")
    symbols, settings = read_json(path), read_document(source, "tokenizer_config.json")
    nested = any(isinstance(number, dict) for number in symbols.values())
    if not nested and language is not None:
        raise InputError(
            f"{source}: vocab.json holds one vocabulary, for no particular language; leave --model_language out."
        )
    separate = nested and _is_one_layer(symbols.values())
    if nested and language not in symbols and not (separate and language is None):
        raise _not_chosen(source, list(symbols), language)
    if separate:
        parts = (_ordered(own, 0, settings) for own in symbols.values())
        vocabularies = Vocabularies(tuple(symbols), tuple(parts))
        if vocabularies.document != symbols:
            raise InputError(
                f"{source}: the numbers in vocab.json are not those of the blank, 0, and then of one language after the other."
            )
        return vocabularies
    if language is not None:
        symbols = symbols[language]
    blank = read_document(source, "config.json").get("pad_token_id")
    if blank is None:
        blank = next((symbols[name] for name in (settings.get("pad_token"), "[PAD]", "<pad>") if name in symbols), 0)
    if sorted(symbols.values()) != list(range(len(symbols))):
        raise InputError(f"{source}: the numbers in vocab.json are not 0 to {len(symbols) - 1}, each once.")
    return _ordered(symbols, blank, settings)


def _ordered(symbols: Mapping[str, int], blank: int, settings: Mapping[str, Any]) -> Vocabulary:
    """Vocabulary from symbols and their numbers, and ``tokenizer_config.json``."""
    phones = settings.get("tokenizer_class") == "Wav2Vec2PhonemeCTCTokenizer"
    delimiter = settings.get("word_delimiter_token", "|")
    ordered = sorted(symbols, key=symbols.__getitem__)
    return Vocabulary(tuple(ordered), blank, delimiter if delimiter in symbols and not phones else None)


def _is_one_layer(vocabularies: Collection[Mapping[str, int]]) -> bool:
    """Whether the numbers of several vocabularies are those of one output layer; in MMS there is one for each."""
    numbers = [number for own in vocabularies for number in own.values()]
    repeated = len(numbers) - len(set(numbers))
    return len(vocabularies) > 1 and repeated == len(vocabularies) - 1  # that is the blank


def _not_chosen(source: str, languages: Sequence[str], language: str | None) -> InputError:
    """None of several vocabularies was chosen, or one that is not there."""
    alike = [name for name in languages if language and name.startswith(language[:3])]
    names = [*alike, *sorted(set(languages) - set(alike))]
    unknown = "" if language is None else f", none for {language!r}"
    more = f" and {len(names) - _SHOWN} more, which stand in vocab.json" if len(names) > _SHOWN else ""
    return InputError(
        f"{source}: vocab.json holds one vocabulary for each of {len(names)} languages{unknown}; choose one with "
        f"--model_language: {', '.join(names[:_SHOWN])}{more}."
    )


def tokenizer_config(vocabulary: Vocabulary | Vocabularies) -> dict[str, Any]:
    """Settings with which `transformers` gives the same text: every unit of text belongs to the vocabulary already."""
    first = next(iter(vocabulary.languages), "")
    symbols = vocabulary.of(first).symbols
    special = [symbol for symbol in symbols if symbol in SPECIAL]
    blank = symbols[vocabulary.blank]
    unknown = next((symbol for symbol in special if "unk" in symbol.lower()), blank)
    settings: dict[str, Any] = {
        "tokenizer_class": Wav2Vec2CTCTokenizer.__name__,
        "pad_token": blank,
        "unk_token": unknown,
        "bos_token": None,
        "eos_token": None,
        "word_delimiter_token": vocabulary.of(first).delimiter or " ",
        "replace_word_delimiter_char": " ",
        "do_lower_case": False,
    }
    return settings | ({"target_lang": first} if vocabulary.languages else {})
