"""`speechxl classify compare`: is it better to classify speech directly, or to transcribe it first?"""

from pathlib import Path
from typing import Literal

from speechxl.classification.choosing import BestOnDev
from speechxl.classification.protocol import By
from speechxl.classification.regimes import Regime
from speechxl.verbs.outcome import PARTIAL, Outcome
from speechxl.verbs.speech_systems import EndToEnd, MeanMFCC
from speechxl.verbs.systems import Noise, System
from speechxl.verbs.text_systems import TextCascade
from speechxl.verbs.transcribers import Recogniser

__all__ = [
    "BestOnDev",
    "EndToEnd",
    "MeanMFCC",
    "Recogniser",
    "TextCascade",
    "classify_compare",
]  # found by their short names in YAML


def classify_compare(
    *,
    systems: dict[str, System],
    train: list[Path],
    out: Path,
    dev: list[Path] | None = None,
    test: list[Path] | None = None,
    test_split: str = "test",
    kind: str | None = None,
    language: list[str] | None = None,
    classes: Literal["all", "shared"] = "all",
    folds: int | None = None,
    fold_by: By = "speaker",
    shared: list[str] | None = None,
    regimes: list[Regime] | None = None,
    shots: list[int | Literal["all"]] | None = None,
    seeds: list[int] | None = None,
    group_by: By = "group",
    noise: Noise | None = None,
    draws: int = 1000,
    predictions: Literal["tsv", "parquet"] = "tsv",
    only: list[str] | None = None,
    keep_models: bool = False,
    dry_run: bool = False,
) -> Outcome:
    """Compare classifiers of speech and of its transcripts on the same utterances: CONFIG is a YAML file with these settings.

    What is done is not done again, and what was interrupted is continued. In --out are then compare.json, compare.html with
    figures, predictions of all systems, and a file for each training below runs.

    Args:
        systems: Systems by name, each with class_path EndToEnd, TextCascade, MeanMFCC or an own one, and init_args.
        train: Manifests, or folders with manifest.tsv; their column split says what rows are for: train, dev, test.
        out: Folder for results.
        dev: More manifests, for choosing and calibrating models; without any dev rows, a tenth of each class is held out.
        test: More manifests, for testing.
        test_split: Rows of --train that are tested on.
        kind: Kind of the labels, such as digit for digit:3; by default the only one that there is.
        language: Languages to use; by default all.
        classes: "shared" leaves out rows whose label does not occur in the training rows of every language.
        folds: Test all rows in turn, in so many parts, in the place of the splits; for small corpora.
        fold_by: What stays together in a part: "speaker", "sentence", "group" (column group) or "utterance".
        shared: What train and test may share: recording, speaker, group, sentence; by default nothing.
        regimes: "monolingual", "multilingual" (all languages together), "zero-shot" (every language on every other); these are
            the default, as far as the languages allow. "family": languages of a family together (column family, else as
            Glottolog has it); "leave-one-out": all languages but the one that is tested.
        shots: Examples of each class in each language to learn from, such as 2 5 all; by default all.
        seeds: Of training and of the draw of examples; by default 1 2 3. What does not depend on the seed is done once.
        group_by: What intervals and tests draw together: "group" (column group), "speaker", "sentence" or "utterance".
        noise: Errors in references, to see what a cascade of reference texts loses; --noise {} for the usual rates.
        draws: Of the bootstrap; tests take ten times as many.
        predictions: Form of the file of predictions.
        only: Names of systems to compare; by default all.
        keep_models: Whether the trained models stay, below work; classify predict takes them.
        dry_run: Say what would be done, and do nothing.
    """
    import json
    import logging

    from speechxl.classification.regimes import plan, shown, usual_regimes
    from speechxl.data.families import language_families
    from speechxl.files import write_text
    from speechxl.verbs.compare_cells import gather
    from speechxl.verbs.compare_page import write_comparison
    from speechxl.verbs.compare_results import matrices, results, tests
    from speechxl.verbs.compare_rows import read_material
    from speechxl.verbs.compare_runs import check_jobs, needed, runs_of
    from speechxl.verbs.compare_settings import chosen_systems, counts, one_process, settings_file
    from speechxl.verbs.compare_table import predictions_file, table
    from speechxl.verbs.compare_texts import noise_curves, transcripts
    from speechxl.verbs.compare_words import conclusions
    from speechxl.verbs.systems import settings_of

    log = logging.getLogger(__name__)
    named = chosen_systems(systems, only)
    examples = counts(shots)
    seeds = list(dict.fromkeys([1, 2, 3] if seeds is None else seeds))
    one_process(named)
    material = read_material(
        train, dev, test, test_split=test_split, kind=kind, languages=language, classes=classes, folds=folds,
        fold_by=fold_by, shared=shared or (),
    )  # fmt: skip
    sources, targets = material.train_languages, material.test_languages
    families = language_families(row for fold in material.folds for row in fold.train.rows)
    asked = usual_regimes(sources, targets, regimes, families)
    jobs = plan(sources, targets, asked, examples, seeds, len(material.folds), families)
    check_jobs(material, jobs)
    trainings = {name: sum(needed(system, job, jobs) for job in jobs) for name, system in named.items()}
    document = {
        "schema": 1,
        "kind": material.kind,
        "train": [str(path) for path in train],
        "languages": material.document(group_by),
        "folds": folds,
        "fold_by": None if folds is None else fold_by,
        "group_by": group_by,
        "regimes": asked,
        "shots": examples,
        "seeds": seeds,
        "shared": [{"kind": leak.kind, "rows": leak.count, "of": leak.rows, "example": leak.example} for leak in material.leaks],
        "left_out": [{"row": fault.place, "reason": fault.message} for fault in material.faults],
        "systems": {
            name: {"side": system.side, "trainings": trainings[name], **settings_of(system)} for name, system in named.items()
        },
    }  # fmt: skip
    if dry_run:
        lines = [f"{count:5d} trainings  {name}" for name, count in trainings.items()]
        return Outcome(document, "\n".join([f"{len(sources)} languages: {', '.join(map(shown, sources))}", *lines]))
    write_text(
        out / "config.yaml",
        settings_file(
            systems=systems, train=train, out=out, dev=dev, test=test, test_split=test_split, kind=material.kind,
            language=language, classes=classes, folds=folds, fold_by=fold_by, shared=shared, regimes=asked, shots=shots,
            seeds=seeds, group_by=group_by, noise=noise, draws=draws, predictions=predictions, only=only,
            keep_models=keep_models,
        ),
    )  # fmt: skip
    keeping = {name: system.keeping(out / "transcripts") for name, system in named.items()}
    runs = list(runs_of(material, keeping, jobs, out, noise=noise, keep_models=keep_models))
    log.info("all %d trainings are done; measuring", len(runs))
    cells = gather(material, jobs, runs, list(named), group_by)
    document |= {
        "results": results(cells, draws=draws),
        "tests": tests(cells, named, draws=draws),
        "matrices": matrices(cells),
        "transcripts": transcripts(cells, named),
        "noise": noise_curves(cells, draws=draws),
    }
    document["conclusions"] = conclusions(document)
    write_text(out / "compare.json", json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    predictions_file(out / f"predictions.{predictions}", cells)
    write_comparison(out / "compare.html", document)
    return Outcome(document, table(document), PARTIAL if material.faults else 0)
