"""Multiple choice about what was heard: ``listen.py DATA OUT [--recogniser MODEL] [--sentences MODEL] [--instruct MODEL]``.

``DATA`` holds ``CODE.jsonl`` and ``CODE.tsv`` of ``prepare.py listening``. Each way to choose an answer is given the passage as
it was read out (reference) and as recognisers heard it: the transcripts that come with the corpus, and those of an own model.
Writes ``OUT/listening.json`` and prints a table. Nothing is trained: the corpus is a test.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from speechxl.classification.forms import native
from speechxl.classification.multiple_choice import (
    AnswerLikelihood,
    AnswerScorer,
    AnswerSimilarity,
    Question,
    SlidingWindow,
    answered,
    passage_texts,
    read_questions,
)
from speechxl.classification.transcribers import Reference, Transcriber, TranscriptColumn
from speechxl.data.manifest import read_manifest
from speechxl.evaluation.class_comparison import (
    Judged,
    exchange_test,
    judged,
    mean_difference_intervals,
    mean_intervals,
    means,
)
from speechxl.evaluation.metrics import count_errors
from speechxl.evaluation.significance import holm
from speechxl.files import write_text
from speechxl.shapes import Utterance
from speechxl.verbs.transcribers import Recogniser

REFERENCE, NOTHING = "reference", "nothing"


def main() -> None:
    """Answers all questions in all ways."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--recogniser", metavar="MODEL", help="own CTC model")
    parser.add_argument("--sentences", metavar="MODEL", help="of sentence-transformers")
    parser.add_argument("--instruct", metavar="MODEL", help="causal language model")
    asked = parser.parse_args()
    questions, rows = [], []
    for path in sorted(asked.data.glob("*.jsonl")):
        questions += read_questions(path)
        rows += read_manifest(path.with_suffix(".tsv"))
    if not questions:
        parser.error(f"{asked.data}: no questions CODE.jsonl; make them with prepare.py listening.")
    texts = {
        name: passage_texts(transcriber, rows, questions)
        for name, transcriber in transcribers(rows, asked.recogniser, asked.out).items()
    }
    scorers: dict[str, AnswerScorer] = {"window": SlidingWindow()}
    if asked.sentences:
        scorers["similarity"] = AnswerSimilarity(asked.sentences)
    if asked.instruct:
        scorers["likelihood"] = AnswerLikelihood(asked.instruct)
    found: dict[tuple[str, str], list[Judged]] = {}
    for name, scorer in scorers.items():
        own = texts | ({NOTHING: [""] * len(questions)} if isinstance(scorer, AnswerLikelihood) else {})
        for text, passages in own.items():
            found[name, text] = judge(scorer, passages, questions)
    document = {
        "schema": 1,
        "questions": len(questions),
        "answers": len(questions[0].answers),
        "transcripts": {name: errors(texts[REFERENCE], own) for name, own in texts.items() if name != REFERENCE},
        "results": [row for way, cells in found.items() for row in measures(way, cells)],
        "tests": list(tests(found)),
    }
    write_text(asked.out / "listening.json", json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    print(table(document))


def transcribers(rows: Sequence[Utterance], recogniser: str | None, out: Path) -> dict[str, Transcriber]:
    """What there is of the passages."""
    found: dict[str, Transcriber] = {REFERENCE: Reference()}
    for column in ("whisper", "seamless"):
        if any(row.extra.get(column) for row in rows):
            found[column] = TranscriptColumn(column)
    if recogniser:
        found["recogniser"] = Recogniser(recogniser, cache=out / "transcripts")
    return found


def judge(scorer: AnswerScorer, passages: Sequence[str], questions: Sequence[Question]) -> list[Judged]:
    """What is chosen in each language."""
    found = []
    for language in sorted({one.language for one in questions}):
        own = [place for place, one in enumerate(questions) if one.language == language]
        asked = [questions[place] for place in own]
        said = answered(scorer, [passages[place] for place in own], asked)
        right = [str(one.correct) for one in asked]
        found.append(judged(language, right, said, [one.group for one in asked]))
    return found


def errors(references: Sequence[str], heard: Sequence[str]) -> float:
    """Share of wrong characters, without case and punctuation."""
    return count_errors([native(text) for text in references], [native(text) for text in heard], "char").rate


def measures(way: tuple[str, str], cells: Sequence[Judged]) -> list[dict[str, Any]]:
    """Share of right answers: mean of the languages, and each."""
    parts = {None: cells, **{cell.test: [cell] for cell in cells}} if len(cells) > 1 else {cells[0].test: cells}
    return [
        {
            "scorer": way[0], "text": way[1], "language": language, "accuracy": means(own)["accuracy"],
            "interval": mean_intervals(own)["accuracy"], "questions": sum(int(cell.confusion.sum()) for cell in own),
        }
        for language, own in parts.items()
    ]  # fmt: skip


def tests(found: Mapping[tuple[str, str], Sequence[Judged]]) -> list[dict[str, Any]]:
    """What the reference has more than each other text, in each way to choose; probabilities are adjusted (Holm 1979)."""
    made = []
    for (scorer, text), cells in found.items():
        if text != REFERENCE:
            pairs = list(zip(found[scorer, REFERENCE], cells, strict=True))
            more = means([a for a, _ in pairs])["accuracy"] - means([b for _, b in pairs])["accuracy"]
            interval, chance = mean_difference_intervals(pairs)["accuracy"], exchange_test(pairs)["accuracy"]
            made.append({"scorer": scorer, "text": text, "difference": more, "interval": interval, "p_value": chance})
    values = holm({str(place): row["p_value"] for place, row in enumerate(made)})
    return [row | {"holm": values[str(place)]} for place, row in enumerate(made)]


def table(document: Mapping[str, Any]) -> str:
    """The shares, as Markdown."""
    lines = ["| chosen by | passage | language | questions | right |", "| --- | --- | --- | --- | --- |"]
    for row in document["results"]:
        low, high = row["interval"] or (float("nan"), float("nan"))
        right = f"{row['accuracy']:.3f} [{low:.3f}, {high:.3f}]"
        lines.append(f"| {row['scorer']} | {row['text']} | {row['language'] or 'all'} | {row['questions']} | {right} |")
    return "\n".join([*lines, "", f"By chance {1 / document['answers']:.3f}."])


if __name__ == "__main__":
    main()
