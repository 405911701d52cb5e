"""``README.md`` of a model folder: the page that the hub shows, and what others than speechxl have to know."""

from pathlib import Path

from speechxl.files import write_text
from speechxl.models.extensions import FILE
from speechxl.models.folders import Card

MARK = "<!-- filled in by speechxl; a page without this line is left as it is -->"
"""Stands in pages that may be written again."""


def notes(card: Card) -> list[str]:
    """What a folder holds that `transformers` does not compute, a paragraph each."""
    told = []
    if card.conditioning:
        layers = ", ".join(map(str, card.conditioning))
        told.append(
            f"The model is conditioned on itself (Nozaki and Komatsu 2021): what the transformer layers {layers} would write is "
            "fed back by the weights `conditioning.*` of `model.safetensors`. `transformers` does not compute this: "
            "`Wav2Vec2ForCTC.from_pretrained` names these weights as unexpected, and its logits are others than those that the "
            "model was trained with. Use speechxl."
        )
    if card.phones is not None and card.phones.heads is not None:
        told.append(
            f"`{FILE}` holds CTC heads for {len(card.phones.heads.attributes)} articulatory features (of {card.phones.version}) "
            "and one that puts phones together from them (Glocker et al. 2023), for inventories with phones that were not heard "
            "in training. `transformers` leaves this file alone."
        )
    if card.phones is not None and card.phones.allophones:
        told.append(
            "The output layer gives phones that are the same in all languages; which phonemes they stand for in "
            f"{', '.join(card.phones.allophones)} is computed from it (Li et al. 2020) by weights in `{FILE}`. speechxl writes "
            "phonemes for these languages and phones for others; `transformers` writes phones for all."
        )
    return told


def readme(card: Card) -> str:
    """A page of `notes` alone; empty if there are none."""
    told = notes(card)
    return "# A model of speechxl\n\n" + "\n\n".join(told) + "\n" if told else ""


def write_page(folder: Path, text: str) -> None:
    """Writes ``README.md``, unless one stands there that somebody else has written."""
    path = folder / "README.md"
    if text and (not path.exists() or MARK in path.read_text(encoding="utf-8", errors="replace")):
        write_text(path, text)
