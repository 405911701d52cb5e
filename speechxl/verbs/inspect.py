"""`speechxl inspect`: how languages share the codebooks of a pretrained model."""

from pathlib import Path
from typing import Any, Literal

from speechxl.config import check_run
from speechxl.verbs.outcome import PARTIAL, Outcome


def inspect(
    model: str,
    manifest: list[Path],
    *,
    out: Path = Path("inspect"),
    split: str | None = None,
    families: Path | None = None,
    minutes: float = 5.0,
    batch_seconds: float = 80.0,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    seed: int = 1,
    overwrite: bool = False,
) -> Outcome:
    """Report codes, contrastive loss and similarity of languages, and codes of phones, in inspect.html and inspect.json.

    Args:
        model: Pretrained model folder, or name on the hub such as facebook/wav2vec2-xls-r-300m.
        manifest: Manifests, or folders of recordings; an alignment.tsv beside one tells where phones are.
        out: Folder for the report.
        split: Rows to use; by default all.
        families: Table of language and family, which goes before the manifests' column family and speechxl's own table.
        minutes: Audio of each language at most, chosen by name.
        batch_seconds: Audio of a batch, padding included.
        device: Where to compute.
        seed: Of masks, distractors and the choice of utterances.
        overwrite: Replace a report that stands in --out already.
    """
    import json
    import logging

    from speechxl.data.datamodule import SpeechDataset
    from speechxl.data.families import language_families
    from speechxl.errors import InputError
    from speechxl.evaluation.pretrained import hear
    from speechxl.files import write_text
    from speechxl.models.device import choose_device
    from speechxl.models.folders import read_card
    from speechxl.models.weights import load_pretraining_model
    from speechxl.tasks.collapse import collapse_sign
    from speechxl.verbs.corpora import Corpora
    from speechxl.verbs.inspect_report import table, write_report
    from speechxl.verbs.inspection import inspection, read_alignments, sample

    check_run(1, batch_seconds)
    if minutes <= 0:
        raise InputError(f"--minutes must be positive, got {minutes:g}.")
    files = out / "inspect.json", out / "inspect.html"
    if not overwrite and (there := [file.name for file in files if file.exists()]):
        raise InputError(f"--out {out}: {there[0]} stands there already; replace it with --overwrite, or name another.")
    rows = Corpora.read(manifest).choose(split or "all", "all")
    known = language_families(rows, families)
    alignments = read_alignments(manifest)
    loaded, lacking = load_pretraining_model(model, reinit_quantizer=True)
    if lacking:
        raise InputError(
            f"{model}: the checkpoint has no quantizer, as after fine-tuning, and so no codes to look at; "
            "name the pretrained model, for example the folder that speechxl pretrain or adapt wrote."
        )
    loaded.eval().to(choose_device(device))
    encoder: Any = loaded.wav2vec2
    chosen, faults = sample(rows, 60 * minutes, seed, encoder.geometry)
    languages = sorted({row.language for row in chosen})
    dataset = SpeechDataset(chosen, languages, normalise=read_card(model).normalise, seed=seed)
    heard = list(hear(loaded, dataset, batch_seconds))
    codes = loaded.config.num_codevectors_per_group
    document = inspection(heard, codes, known, alignments, encoder.geometry, seed)
    for language, row in document["languages"].items():
        measures = {f"code_perplexity_{number}": value for number, value in enumerate(row["perplexity"], 1)}
        measures |= {"contrastive": row["loss"]["nats"], **{key: row[key] for key in ("accuracy", "tied_distractors")}}
        row["collapse"] = collapse_sign(measures, codes) or None
        if row["collapse"]:
            logging.getLogger(__name__).warning("%s: the codebook has collapsed: %s", language, row["collapse"])
    failures = [{"audio": fault.place, "reason": fault.message} for fault in faults]
    usable = {each.utterance.id for each in heard}
    failures += [{"audio": str(row), "reason": "cannot be decoded"} for row in chosen if row.id not in usable]
    document = {
        "schema": 1,
        "model": model,
        "manifest": [str(path) for path in manifest],
        **document,
        "failures": failures,
    }
    write_text(files[0], json.dumps(document, ensure_ascii=False) + "\n")
    write_report(files[1], document)
    return Outcome(document, f"{table(document)}\n{files[1]}", PARTIAL if failures else 0)
