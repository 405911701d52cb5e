"""Self-conditioned CTC for a model that is fine-tuned."""

import logging
from typing import Any

from speechxl.config import Adapter, Conditioning, Preset
from speechxl.errors import InputError
from speechxl.models.conditioning import add_conditioning, load_conditioning
from speechxl.models.folders import Card
from speechxl.text import Vocabularies, Vocabulary

log = logging.getLogger(__name__)


def condition(
    network: Any,
    start: Preset | str,
    card: Card,
    vocabulary: Vocabulary | Vocabularies,
    adapter: Adapter,
    settings: Conditioning,
) -> None:
    """Lets a network feed predictions back where that is asked for, as the model that it starts from has learnt to if it has.

    Args:
        network: `Wav2Vec2ForCTC` with this package's encoder.
        start: What it was made from.
        card: Of that.
        vocabulary: Of the network's outputs.
        adapter: Settled.
        settings: As asked for.

    Raises:
        InputError: If there are no such layers, or something else that is asked for does not go with it.
    """
    if adapter.kind is not None and (settings.layers or card.conditioning):
        where = f"{start} does it" if card.conditioning else "--conditioning.layers asks for it"
        raise InputError(
            f"--adapter.kind: added weights do not go with predictions that are fed back, and {where}; train all of it."
        )
    if settings.layers and vocabulary.languages:
        raise InputError(
            "--conditioning.layers: needs one vocabulary for all languages; leave --separate_vocabularies out."
        )
    if sorted(settings.layers) == card.conditioning and card.vocabulary == vocabulary.hash:
        load_conditioning(network, str(start), card.conditioning)
        return
    if card.conditioning:
        told = " ".join(map(str, card.conditioning))
        log.warning("%s feeds predictions of layers %s back; what it has learnt for that is left out", start, told)
    if settings.layers:
        add_conditioning(network, settings.layers)
