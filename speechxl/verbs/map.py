"""`speechxl map`: what becomes of a model's phones in a language."""

from pathlib import Path
from typing import Any, Literal

from speechxl.verbs.outcome import Outcome


def map(
    model: str,
    *,
    model_language: str | None = None,
    language: str | None = None,
    inventory: str | None = None,
    source: str = "union",
    phoible: Path | None = None,
    marginal: bool = True,
    split_diphthongs: bool = False,
    strategy: Literal["exact", "nearest", "tr2tgt", "pinned", "assign", "soft", "compose", "blend"] = "soft",
    distance: Literal["phoible", "hamming", "panphon"] | None = None,
    weights: Literal["fitted", "uniform"] = "fitted",
    tau: float | None = None,
    penalty: float | None = None,
    weight: float | None = None,
    max_distance: float = 3.0,
    max_far: int = 5,
    csv: Path | None = None,
) -> Outcome:
    """Show what the phones of a model become in another language, without recognising anything.

    Args:
        model: Model folder, or name on the hub, that writes phones; one with espeak-ng's phones will do.
        model_language: Language whose phones are mapped, where MODEL has a vocabulary for each.
        language: Whose inventory in PHOIBLE is taken: ISO 639-3 or 639-1 code, Glottocode, or name.
        inventory: In its place, a file of phones, phoible:NUMBER, or espeak:VOICE.
        source: Of PHOIBLE: "union" of the language's inventories, the "largest", or the number of one.
        phoible: Folder with PHOIBLE, in the place of the installed one.
        marginal: Whether to keep phonemes of loan words and the like.
        split_diphthongs: Whether the vowels of diphthongs take their place.
        strategy: "soft": exact phones stay, others are shared by distance; "exact": others are masked; "nearest": each
            becomes the nearest; "tr2tgt": so, then phones that are left over take the nearest of the model (Xu et al. 2021);
            "pinned": so, but exact ones stay, and only spare ones are taken; "assign": so, with the least total distance;
            "compose": heads of a model that was trained with --attributes score phones by their features; "blend": of "soft"
            and "compose".
        distance: "phoible": of its features; "hamming": the number of those that differ; "panphon": of panphon's features; by
            default the first where PHOIBLE is there, else the last.
        weights: Of "phoible".
        tau: Of "soft": the distance over which a share falls to 1/e; by default as speechxl calibrate has found, or 0.6.
        penalty: Of "compose": subtracted from the logits of phones that were not heard in training; by default so, or 4.
        weight: Of "compose" in "blend"; by default so, or 0.3.
        max_distance: Features beyond which a phone is far; the others are not taken for it by "pinned" and "assign".
        max_far: Phones that may be far before there is a warning.
        csv: File to write the table to.
    """
    from speechxl.config import Phones
    from speechxl.data.inventories import find_inventory, language_inventory
    from speechxl.errors import InputError
    from speechxl.files import write_text
    from speechxl.models.folders import read_card
    from speechxl.models.vocabularies import read_vocabulary
    from speechxl.verbs.map_table import table
    from speechxl.verbs.mapping import map_document, map_phones, metric_of

    if (language is None) == (inventory is None):
        raise InputError("Name the phones by --language, or by --inventory.")
    phones = Phones(
        strategy=strategy, tau=tau, penalty=penalty, weight=weight, max_distance=max_distance, max_far=max_far,
        distance=distance, weights=weights, phoible=phoible, source=source, marginal=marginal, split_diphthongs=split_diphthongs,
    )  # fmt: skip
    vocabulary = read_vocabulary(model, model_language)
    options: dict[str, Any] = {
        "source": source, "phoible": phoible, "marginal": marginal, "split_diphthongs": split_diphthongs,
    }  # fmt: skip
    found = find_inventory(inventory, **options) if inventory else language_inventory(language or "", **options)
    metric, features = metric_of(phones)
    mapping = map_phones(model, vocabulary, found, metric, phones, read_card(model).phones)
    if csv is not None:
        write_text(csv, mapping.report.csv())
    document = {"schema": 1, "model": model, **map_document(mapping, features)}
    return Outcome(document, table(mapping.report, found))
