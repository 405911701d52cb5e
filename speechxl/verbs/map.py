"""`speechxl map`: what becomes of a model's phones in a language."""

from pathlib import Path
from typing import Literal

from speechxl.verbs.outcome import Outcome


def map(
    model: str,
    *,
    language: str | None = None,
    inventory: str | None = None,
    source: str = "union",
    phoible: Path | None = None,
    marginal: bool = True,
    split_diphthongs: bool = False,
    strategy: Literal["exact", "nearest", "tr2tgt", "pinned", "assign", "soft"] = "soft",
    distance: Literal["phoible", "hamming", "panphon"] | None = None,
    weights: Literal["fitted", "uniform"] = "fitted",
    tau: float = 0.6,
    max_distance: float = 3.0,
    max_far: int = 5,
    csv: Path | None = None,
) -> Outcome:
    """Show what the phones of a model become in another language, without recognising anything.

    Args:
        model: Model folder, or name on the hub, that writes phones; one with espeak-ng's phones will do.
        language: Whose inventory in PHOIBLE is taken: ISO 639-3 or 639-1 code, Glottocode, or name.
        inventory: In its place, a file of phones, phoible:NUMBER, or espeak:VOICE.
        source: Of PHOIBLE: "union" of the language's inventories, the "largest", or the number of one.
        phoible: Folder with PHOIBLE, in the place of the installed one.
        marginal: Whether to keep phonemes of loan words and the like.
        split_diphthongs: Whether the vowels of diphthongs take their place.
        strategy: "soft": exact phones stay, others are shared by distance; "exact": others are masked; "nearest": each
            becomes the nearest; "tr2tgt": so, then phones that are left over take the nearest of the model (Xu et al. 2021);
            "pinned": so, but exact ones stay, and only spare ones are taken; "assign": so, with the least total distance.
        distance: "phoible": of its features; "hamming": the number of those that differ; "panphon": of panphon's features; by
            default the first where PHOIBLE is there, else the last.
        weights: Of "phoible".
        tau: Of "soft": the distance over which a share falls to 1/e.
        max_distance: Features beyond which a phone is far; the others are not taken for it by "pinned" and "assign".
        max_far: Phones that may be far before there is a warning.
        csv: File to write the table to.
    """
    import logging

    from speechxl.data.inventories import find_inventory
    from speechxl.errors import InputError
    from speechxl.files import write_text
    from speechxl.models.weights import read_vocabulary
    from speechxl.phonology.distance import new_metric
    from speechxl.phonology.mapping import Settings, new_map
    from speechxl.phonology.phoible import open_phoible
    from speechxl.verbs.inventory_table import described
    from speechxl.verbs.map_table import table

    if (language is None) == (inventory is None):
        raise InputError("Name the phones by --language, or by --inventory.")
    vocabulary = read_vocabulary(model)
    found = find_inventory(
        language or inventory or "",
        source=source,
        phoible=phoible,
        marginal=marginal,
        split_diphthongs=split_diphthongs,
    )
    known = open_phoible(phoible)
    metric = new_metric(distance, phoible=None if known is None else known.table, weights=weights)
    settings = Settings(strategy=strategy, tau=tau, max_distance=max_distance)
    try:
        report = new_map(vocabulary, found, metric, settings).report
    except InputError as error:
        raise InputError(f"{model}: {error}") from None
    if csv is not None:
        write_text(csv, report.csv())
    if report.count("far", "unreachable") > max_far:
        logging.getLogger(__name__).warning(
            "%d of %d phones of %s are far from all of the model or cannot be reached; expect mistakes there",
            report.count("far", "unreachable"), len(report.targets), found.title,
        )  # fmt: skip
    document = {"schema": 1, "model": model} | report.document
    document["inventory"] = {**report.document["inventory"], **described(found)}
    return Outcome(document, table(report, found))
