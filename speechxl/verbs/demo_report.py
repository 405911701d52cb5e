"""The demo's report."""

import csv
import json
from pathlib import Path
from typing import Any

from speechxl.data.manifest import read_manifest
from speechxl.data.synthetic import languages
from speechxl.evaluation.curves import curves, read_measures
from speechxl.evaluation.page import Section, player, write_page
from speechxl.tasks.watching import METRICS
from speechxl.verbs.contrastive import CODEBOOK
from speechxl.verbs.report_curves import code_section

_SAMPLES = 8


def write_report(out: Path, scores: dict[str, dict[str, Any]], transcript: dict[str, Any], seconds: float) -> None:
    """Writes ``report.html`` from what the demo left in its folder.

    Args:
        out: The demo's folder.
        scores: `evaluate` documents of "untrained" and "model".
        transcript: `transcribe` document of one file.
        seconds: That the demo took.
    """
    rows = read_manifest(out / "corpus" / "manifest.tsv")
    codes = code_section(json.loads((out / "pretrained" / CODEBOOK).read_text()))
    write_page(
        out / "report.html",
        "From recordings to transcripts",
        f"{len(languages())} languages, {sum(row.seconds for row in rows) / 60:.0f} minutes of speech made by espeak-ng, "
        f"{seconds / 60:.1f} minutes of training and evaluation on this machine.",
        [
            _corpus(rows),
            _scores(scores),
            _curves(out),
            codes,
            _samples(out),
            _transcript(transcript),
        ],
    )


def _corpus(rows: list[Any]) -> Section:
    table: list[list[object]] = [["language", "", "training", "dev", "text"]]
    for entry in languages():
        own = [row for row in rows if row.language == entry["language"]]
        minutes = {split: sum(row.seconds for row in own if row.split == split) / 60 for split in ("train", "dev")}
        text = "yes" if any(row.text for row in own) else "never"
        table.append(
            [entry["language"], entry["name"], f"{minutes['train']:.1f} min", f"{minutes['dev']:.1f} min", text]
        )
    note = "Dev phrases do not occur in training, and other voices speak them."
    return Section("Corpus", "Random phrases of one to three words.", table, note=note)


def _scores(scores: dict[str, dict[str, Any]]) -> Section:
    table: list[list[object]] = [["model", "character error rate", "word error rate", "empty transcripts"]]
    for name, label in (("untrained", "random weights"), ("model", "pretrained, adapted, fine-tuned")):
        score = scores[name]
        cells = []
        for measure in ("cer", "wer"):
            low, high = score["intervals"][measure]
            cells.append(f"{score[measure]:.3f} ({low:.3f} to {high:.3f})")
        table.append([label, *cells, f"{score['empty']:.2f}"])
    text = (
        "With 95 % bootstrap intervals over utterances. The best evaluation during training was chosen on the same set."
    )
    return Section("Error rates on dev", text, table)


def _curves(out: Path) -> Section:
    runs = {name: read_measures(out / name / METRICS) for name in ("pretrained", "adapted", "model")}
    figures = [
        curves(
            {name: runs[name]["contrastive"] for name in ("pretrained", "adapted")},
            xlabel="step",
            ylabel="contrastive loss (nats)",
        ),
        curves(
            {name: runs[name]["accuracy"] for name in ("pretrained", "adapted")},
            xlabel="step",
            ylabel="contrastive accuracy",
        ),
        curves({"training": runs["model"]["loss_per_symbol"]}, xlabel="step", ylabel="CTC loss per symbol (nats)"),
        curves({"dev": runs["model"]["dev_cer"]}, xlabel="step", ylabel="character error rate"),
    ]
    return Section(
        "Learning curves",
        "Guessing finds one in 101 in long utterances, and more in short ones, whose distractors repeat.",
        figures=figures,
    )


def _samples(out: Path) -> Section:
    with (out / "model.tsv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    table: list[list[object]] = [["", "spoken", "recognised"]]
    for row in rows[:: max(1, len(rows) // _SAMPLES)][:_SAMPLES]:
        table.append([player(out / "corpus" / row["id"]), row["reference"], row["hypothesis"]])
    return Section("Transcripts of dev recordings", table=table)


def _transcript(transcript: dict[str, Any]) -> Section:
    table: list[list[object]] = [["word", "start", "end", "score"]]
    table += [
        [word["word"], f"{word['start']:.2f} s", f"{word['end']:.2f} s", word["score"]] for word in transcript["words"]
    ]
    return Section("One file, word by word", Path(transcript["audio"]).name, table)
