"""Manifests of the recipe: ``prepare.py topics|listening SOURCE OUT [CODE ...]``, with codes such as eng_Latn.

``topics``: ``SOURCE`` is the folder of WueNLP/sib-fleurs. A row of its tables is a sentence with several recordings; all of
train are taken, of dev and test the first of each sentence. ``listening``: ``SOURCE`` is that of WueNLP/belebele-fleurs, in
which a row is a question about a passage whose sentences were recorded; the first recording of each is taken.

Writes ``OUT/CODE.tsv``, the recordings below ``OUT/audio``, and for listening ``OUT/CODE.jsonl`` with the questions. The
transcripts that come with the corpora stand in the columns ``whisper`` and ``seamless``.
"""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from speechxl.data.audio import probe
from speechxl.data.hub_tables import find_tables, read_rows, save_audio
from speechxl.data.languages import to_iso
from speechxl.data.manifest import write_manifest
from speechxl.errors import InputError
from speechxl.files import write_text
from speechxl.shapes import Utterance
from speechxl.text import normalise

SPLITS = {"train": "train", "validation": "dev", "test": "test"}
SENTENCE = ("id", "transcription", "filename", "audio")
QUESTION = ("link", "question_number", "flores_passage", "question", "correct_answer_num", "sentence_data")
ANSWERS = tuple(f"mc_answer{number}" for number in range(1, 5))
CHINESE = {"zho_Hans": "cmn", "zho_Hant": "yue"}
"""The recordings of FLEURS in these scripts are in Mandarin and in Cantonese."""


def recordings(
    row: Mapping[str, Any], code: str, out: Path, split: str, most: int | None, label: str = "", **extra: str
) -> Iterator[Utterance]:
    """Recordings of a sentence, or the first of them."""
    for place, audio in enumerate(row["audio"][:most]):
        name = Path(row["filename"][place]).stem
        path = save_audio(audio, out / "audio" / code, name)
        own = {"group": str(row.get("index_id", row["id"])), "sentence": str(row["id"])}
        for column, source in (("whisper", "whisper_asr"), ("seamless", "seamlessm4t_asr")):
            if row.get(source):
                own[column] = normalise(row[source][place] or "")
        yield Utterance(
            path, f"{code}/{split}/{name}", duration=probe(path).duration, language=CHINESE.get(code) or to_iso(code),
            split=split, text=normalise(row["transcription"]), label=label, extra=own | extra,
        )  # fmt: skip


def topics(tables: Mapping[str, Sequence[Path]], code: str, out: Path) -> str:
    """Manifest of the topics of a language; says what is in it."""
    rows: list[Utterance] = []
    for split, name in SPLITS.items():
        for row in read_rows(tables.get(split, ()), (*SENTENCE, "category")):
            most = None if split == "train" else 1
            rows += recordings(row, code, out, name, most, label=f"topic:{row['category']}")
    write_manifest(out / f"{code}.tsv", rows)
    counts = ", ".join(f"{sum(row.split == part for row in rows)} {part}" for part in SPLITS.values())
    return f"{out / code}.tsv: {counts}, {len({row.label for row in rows})} topics"


def listening(tables: Mapping[str, Sequence[Path]], code: str, out: Path) -> str:
    """Questions of a language and the recordings of their passages; says how many there are."""
    rows: dict[str, Utterance] = {}
    lines = []
    for row in read_rows(tables["test"], (*QUESTION, *ANSWERS)):
        passage = hashlib.sha256(row["flores_passage"].encode()).hexdigest()[:12]
        heard = []
        for sentence in sorted(row["sentence_data"], key=lambda one: one["sentence_idx"]):
            for one in recordings(sentence, code, out, "test", 1, passage=passage):
                rows.setdefault(one.id, one)
                heard.append(one.id)
        question = {
            "id": f"{code}/{passage}/{row['question_number']}", "language": CHINESE.get(code) or to_iso(code),
            "group": row["link"], "recordings": heard, "question": normalise(row["question"]),
            "answers": [normalise(row[name]) for name in ANSWERS], "correct": int(row["correct_answer_num"]),
        }  # fmt: skip
        lines.append(json.dumps(question, ensure_ascii=False) + "\n")
    write_manifest(out / f"{code}.tsv", rows.values())
    write_text(out / f"{code}.jsonl", "".join(lines))
    return f"{out / code}.jsonl: {len(lines)} questions, {len(rows)} recordings"


def main(kind: str, source: Path, out: Path, codes: Sequence[str]) -> None:
    """Writes the files and prints what is in them."""
    make = {"topics": topics, "listening": listening}[kind]
    found = find_tables(source)
    if absent := [code for code in codes if code not in found]:
        sys.exit(f"{source}: no tables of {', '.join(absent)}; there are {', '.join(sorted(found))}.")
    for code in codes or sorted(found):
        print(make(found[code], code, out))


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[1] not in ("topics", "listening"):
        sys.exit(f"usage: {sys.argv[0]} topics|listening SOURCE OUT [CODE ...]")
    try:
        main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
    except InputError as error:
        sys.exit(str(error))
