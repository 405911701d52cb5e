"""A release of Common Voice in small, as Mozilla packs it; the texts, clips and people are made up."""

import hashlib
from pathlib import Path

import soundfile

from tests.conftest import tone

NEW = [
    "client_id", "path", "sentence_id", "sentence", "sentence_domain", "up_votes", "down_votes", "age", "gender",
    "accents", "variant", "locale", "segment",
]  # fmt: skip
OLD = ["client_id", "path", "sentence", "up_votes", "down_votes", "age", "gender", "accent"]


def speaker(name):
    """Hash of a speaker, 128 hexadecimal digits."""
    return hashlib.sha512(name.encode()).hexdigest()


def write_release(folder: Path, locale: str, tables: dict[str, list[dict]], columns=NEW, durations=True, end="\n"):
    """Writes ``folder/<locale>``: a clip of 0.6 to 1 s and a line for each row, which has path, sentence and client_id."""
    language = folder / locale
    (language / "clips").mkdir(parents=True)
    seconds = {}
    for name, rows in tables.items():
        lines = ["\t".join(columns)]
        for row in rows:
            row = {"up_votes": "2", "down_votes": "0", "locale": locale, **row, "client_id": speaker(row["client_id"])}
            lines.append("\t".join(row.get(column, "") for column in columns))
            stem = row["path"].removesuffix(".mp3")
            seconds[stem] = 0.6 + 0.1 * (len(seconds) % 5)
            samples = tone(2 * seconds[stem], 200 + 150 * len(row["sentence"]), len(seconds))  # at 32 kHz
            soundfile.write(language / "clips" / f"{stem}.mp3", samples, 32_000, format="MP3")
        (language / f"{name}.tsv").write_text(end.join(lines) + end, encoding="utf-8", newline="")
    if durations:
        lines = ["clip\tduration[ms]", *(f"{stem}.mp3\t{round(1000 * value)}" for stem, value in seconds.items())]
        (language / "clip_durations.tsv").write_text(end.join(lines) + end, encoding="utf-8", newline="")
    return language
