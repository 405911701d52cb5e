"""`speechxl demo`: the whole way on a small multilingual corpus, with a report."""

from pathlib import Path
from typing import Any

from speechxl.verbs.outcome import Outcome

TARGET = "swh"
PRETRAIN_STEPS, ADAPT_STEPS, FINETUNE_STEPS = 400, 80, 600
TARGET_MINUTES, OTHER_MINUTES, DEV_MINUTES = 8.0, 2.0, 0.7


def demo(*, out: Path = Path("demo"), seed: int = 1, overwrite: bool = False) -> Outcome:
    """Pretrain, adapt, fine-tune, evaluate and transcribe on speech that espeak-ng makes, and write report.html.

    Args:
        out: Folder for corpus, models and report.
        seed: Of all random draws.
        overwrite: Remove a demo that stands in --out already.
    """
    import logging
    import shutil
    import time

    import torch

    from speechxl.config import PRESETS, Data, Watch
    from speechxl.data.manifest import read_manifest, write_manifest
    from speechxl.data.synthetic import languages, write_corpus
    from speechxl.errors import InputError
    from speechxl.models.folders import Card
    from speechxl.models.making import new_ctc_model
    from speechxl.models.saving import save_model
    from speechxl.models.vocabularies import read_vocabulary
    from speechxl.verbs.adapt import adapt
    from speechxl.verbs.demo_report import write_report
    from speechxl.verbs.evaluate import evaluate
    from speechxl.verbs.finetune import finetune
    from speechxl.verbs.pretrain import pretrain
    from speechxl.verbs.transcribe import transcribe

    log = logging.getLogger(__name__)
    begun = time.monotonic()
    if out.exists() and any(out.iterdir()):
        if not (overwrite and (out / "corpus").is_dir()):
            raise InputError(
                f"--out {out}: the folder is not empty; remove an earlier demo with --overwrite, or name another."
            )
        shutil.rmtree(out)

    log.info("1/6 speaking a corpus of %d languages", len(languages()))
    minutes = {e["language"]: TARGET_MINUTES if e["language"] == TARGET else OTHER_MINUTES for e in languages()}
    manifest = write_corpus(out / "corpus", minutes, DEV_MINUTES, seed)
    target = out / "corpus" / "target.tsv"
    write_manifest(target, [row for row in read_manifest(manifest) if row.language == TARGET])
    common: dict[str, Any] = {
        "batch_seconds": 8.0,
        "precision": "32",
        "device": "cpu",
        "seed": seed,
        "data": Data(min_seconds=0.3),
    }
    log.info("2/6 pretraining on all languages, without text")
    pretrain(train=[manifest], out=out / "pretrained", preset="tiny", max_steps=PRETRAIN_STEPS, **common)
    log.info("3/6 continuing on %s, without text", TARGET)
    adapt(str(out / "pretrained"), train=[target], out=out / "adapted", max_steps=ADAPT_STEPS, **common)
    log.info("4/6 fine-tuning on %s with text", TARGET)
    finetune(
        str(out / "adapted"), train=[target], out=out / "model", max_steps=FINETUNE_STEPS,
        watch=Watch(eval_every=FINETUNE_STEPS // 10), **common,
    )  # fmt: skip
    log.info("5/6 evaluating, beside a model of the same shape that learned nothing")
    torch.manual_seed(seed)
    vocabulary = read_vocabulary(str(out / "model"))
    card = Card(normalise=True, preset="tiny", units="char", column="text", vocabulary=vocabulary.hash)
    save_model(out / "untrained", new_ctc_model(PRESETS["tiny"], vocabulary), card, vocabulary)
    scores = {
        name: evaluate(str(out / name), [target], split="dev", transcripts=out / f"{name}.tsv", device="cpu").document
        for name in ("untrained", "model")
    }
    log.info("6/6 transcribing a file")
    file = next(row.path for row in read_manifest(target) if row.split == "dev")
    transcript = transcribe(str(out / "model"), [str(file)], device="cpu").document["results"][0]
    seconds = time.monotonic() - begun
    write_report(out, scores, transcript, seconds)
    document = {
        "schema": 1,
        "report": str(out / "report.html"),
        "seconds": round(seconds, 1),
        "cer": {name: score["cer"] for name, score in scores.items()},
        "transcript": transcript,
    }
    text = (
        f"character error rate on {TARGET}: {scores['untrained']['cer']:.2f} untrained, {scores['model']['cer']:.2f} trained\n"
        f"{file}: {transcript['text']}\n{out / 'report.html'}"
    )
    return Outcome(document, text)
