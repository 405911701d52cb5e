"""What is learnt of phones beside their symbols: articulation and allophones, for a model that is fine-tuned."""

import logging
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from speechxl.config import Articulation, Preset
from speechxl.errors import InputError
from speechxl.models.extensions import add_allophones, add_articulation, take_extensions
from speechxl.models.phone_note import Heads, PhoneNote
from speechxl.objectives.articulation import ArticulationLoss
from speechxl.phonology.attributes import new_attributes, phones_with_features
from speechxl.phonology.composition import phone_bins
from speechxl.phonology.known import known_features
from speechxl.phonology.mapping import read_symbols
from speechxl.tasks.articulation import KeepAllophones, LearnArticulation
from speechxl.text import SPECIAL, Vocabularies, Vocabulary
from speechxl.verbs.labelled import Labelled

log = logging.getLogger(__name__)
_SHOWN = 10


def learn_phones(
    network: Any,
    start: Preset | str,
    before: PhoneNote | None,
    note: PhoneNote | None,
    corpus: Labelled,
    settings: Articulation,
    *,
    attributes: bool,
) -> tuple[PhoneNote | None, list[nn.Module]]:
    """Puts on a network what is learnt of phones beside their symbols, as far as it can with what its start has learnt of it.

    Args:
        network: `Wav2Vec2ForCTC`.
        start: What it was made from.
        before: What ``speechxl.json`` said of the phones of that.
        note: Of the training texts, with allophones where they are learnt; None for a model of characters.
        corpus: With the vocabulary of the network's outputs.
        settings: How it is learnt.
        attributes: Whether articulatory features are.

    Returns:
        The note with all of it, and what adds to the loss.

    Raises:
        InputError: If the texts hold no phones with features that differ.
    """
    if note is None:
        return None, []
    extras: list[nn.Module] = []
    if attributes:
        note, learn = learn_articulation(network, note, corpus.vocabulary, settings)
        extras.append(learn)
    if note.allophones:
        add_allophones(network, corpus.vocabulary.of(""), note, corpus.languages)
        extras.append(KeepAllophones(settings.allophone_penalty))
    if isinstance(start, str) and (taken := take_extensions(network, start, before, note)):
        log.info("%s: what it has learnt of %s is trained on", start, " and ".join(taken))
    return note, extras


def learn_articulation(
    network: Any,
    note: PhoneNote,
    vocabulary: Vocabulary | Vocabularies,
    settings: Articulation,
) -> tuple[PhoneNote, LearnArticulation]:
    """Puts heads of articulation on a network, for the phones of its training texts.

    Args:
        network: `Wav2Vec2ForCTC`.
        note: Of the training texts.
        vocabulary: Of the network's outputs.
        settings: How the heads are learnt.

    Returns:
        The note with the heads, and what adds their losses.

    Raises:
        InputError: If the texts hold no phones with features that differ.
    """
    table, version = known_features(settings.phoible)
    heard = sorted(note.training().counts)
    phones = phones_with_features(table, heard)
    if not phones:
        raise InputError(
            f"--attributes: no symbol of the training texts is a phone in IPA with features in {version}; see --column."
        )
    if odd := [phone for phone in heard if phone not in set(phones)]:
        more = f" and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else ""
        log.warning(
            "%s has no features of %s%s; their attributes are not learnt", version, " ".join(odd[:_SHOWN]), more
        )
    attributes = new_attributes(table, phones)
    heads = Heads(attributes.values, len(attributes.bins), settings.dim)
    note = replace(note, heads=heads)
    add_articulation(network, heads, torch.from_numpy(attributes.bins))
    loss = ArticulationLoss(
        torch.from_numpy(attributes.labels),
        torch.from_numpy(phone_bins(table, phones).toarray().T.astype("float32")),
        _outputs(vocabulary, phones),
    )
    return note, LearnArticulation(loss, settings.weight, settings.compose)


def _outputs(vocabulary: Vocabulary | Vocabularies, phones: list[str]) -> torch.Tensor:
    """(V,) number of the phone that each output stands for, from 1; 0 for none."""
    spelled = read_symbols([symbol for symbol in vocabulary.symbols if symbol not in SPECIAL])
    numbers = {phone: number for number, phone in enumerate(phones, 1)}
    outputs = torch.zeros(len(vocabulary), dtype=torch.long)
    for language in vocabulary.languages or ("",):
        for symbol, output in zip(vocabulary.of(language).symbols, vocabulary.outputs(language), strict=True):
            outputs[output] = numbers.get(spelled.get(symbol, ""), 0)
    return outputs
