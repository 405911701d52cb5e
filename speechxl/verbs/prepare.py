"""`speechxl prepare`: a corpus of any kind to a manifest."""

from pathlib import Path
from typing import Literal

from speechxl.config import Rewriting
from speechxl.verbs.outcome import NOTHING, Outcome

_TIERS = ("elan", "textgrid")
_EMBEDDED = ("hub", "fleurs", "kaldi")
"""Kinds with recordings that are not files of their own."""
_FLAGS: dict[str, tuple[str, ...]] = {
    "columns": ("csv", "audiofolder", "hub"),
    "all_clips": ("common_voice",),
    "tier": _TIERS,
    "tier_type": ("elan",),
    "participant": ("elan",),
    "tier_number": _TIERS,
    "column": _TIERS,
    "audio_root": (*_TIERS, "subtitles", "segments", "kaldi", "nemo", "lhotse", "voxpopuli", "babel", "voxangeles"),
    "allow_pipes": ("kaldi",),
    "subset": ("hub",),
    "revision": ("hub",),
    "corpus": ("shards",),
    "shard_seconds": ("shards",),
    "g2p": ("phonemes",),
    "unknown": ("phonemes",),
    "foreign": ("phonemes",),
    "redo": ("phonemes",),
    "phoible": ("phonemes",),
    "text": ("text",),
}
"""Kinds that a flag is for."""


def prepare(
    kind: Literal[
        "folder", "csv", "elan", "textgrid", "subtitles", "segments", "kaldi", "nemo", "lhotse", "audiofolder", "hub",
        "common_voice", "common-voice", "fleurs", "librispeech", "voxpopuli", "babel", "voxangeles", "ucla", "shards",
        "phonemes", "text",
    ],
    source: Path,
    out: Path,
    *,
    language: str | None = None,
    split: str | None = None,
    columns: dict[str, str] | None = None,
    tier: list[str] | None = None,
    tier_type: str | None = None,
    participant: str | None = None,
    tier_number: int | None = None,
    column: Literal["text", "phonemes"] | None = None,
    audio_root: Path | None = None,
    allow_pipes: bool = False,
    subset: str | None = None,
    revision: str | None = None,
    all_clips: bool = False,
    corpus: str | None = None,
    shard_seconds: float | None = None,
    threads: int = 1,
    g2p: str | None = None,
    unknown: Literal["error", "skip"] | None = None,
    foreign: Literal["refuse", "keep"] | None = None,
    redo: bool = False,
    phoible: Path | None = None,
    text: Rewriting = Rewriting(),
    overwrite: bool = False,
) -> Outcome:  # fmt: skip
    """Write a manifest of a corpus, and a report of what cannot be used. The recordings stay where they are.

    With "shards", write the recordings of a manifest as Parquet shards, for corpora that are too large for files. With
    "phonemes", write a manifest again with the phones of its texts, and a report of words and spellings. With "text", write a
    manifest again with its texts rewritten as asked for, and a report of every rewrite.

    Args:
        kind: "folder": recordings with their texts in files of the same name, searched below as well, the speaker is
            the folder's name; "csv": a table with one row for each recording, or stretch of one; "elan", "textgrid":
            annotations of ELAN and Praat; "subtitles": .srt and .vtt beside recordings; "segments": long recordings with
            tables of start, end and text beside them; "kaldi": a data directory; "nemo": JSON lines; "lhotse": cuts, or
            recordings and supervisions; "audiofolder": a folder with metadata.csv or metadata.jsonl; "hub": a data set of
            the hub, or Parquet files; "common_voice": a release of Mozilla Common Voice, of one language or several, with
            its splits; "fleurs": languages of google/fleurs with their splits; "librispeech": LibriSpeech and MLS;
            "voxpopuli", "babel", "voxangeles", "ucla": as they are unpacked; "shards": a manifest, or a folder, from which
            shards are written; an interrupted call goes on where it was; "phonemes": a manifest, to which the column
            phonemes is added.
        source: The folder, file or manifest; of the hub, org/name or a folder of Parquet files.
        out: Manifest to write (.tsv, .jsonl), or a folder for manifest.tsv; a folder for shards, which may hold other corpora.
        language: Language of rows that name none: ISO 639-3 code, another code, or name in English.
        split: Split for rows that name none.
        columns: Columns of the table, such as --columns text=ipa speaker=who; the others are guessed, and the guess is shown.
        tier: Names of the tiers to take, with * and ?, such as "tx@*"; their speakers are participants, or follow the @.
        tier_type: Linguistic type of the tiers to take.
        participant: Whose tiers to take.
        tier_number: Place of the tier to take in its file, from 1.
        column: Where the text of the tiers goes, "text" (default) or "phonemes".
        audio_root: Folder below which recordings are that are not where the corpus says.
        allow_pipes: Of Kaldi, run the commands that stand in wav.scp in the place of files; only if you know who wrote them.
        subset: Of the hub, the configuration, such as sw_ke; by default the only one.
        revision: Of the hub, the version.
        all_clips: Of Common Voice, also the clips that are in no split: those of validated.tsv with split "validated",
            those of other.tsv with split "other" and without text; with split "overlap" if their speaker or sentence is
            in dev or test.
        corpus: Name of the corpus in its shards, where the manifest has no column "corpus"; by default that of the
            manifest's folder.
        shard_seconds: Audio of a shard; by default 3600.
        threads: That make shards.
        g2p: For phonemes, what reads the texts: "espeak" (the voice of the language; espeak:VOICE for another), "epitran"
            (epitran:CODE), or a lexicon (word, tab, phones separated by spaces); of several, such as lexicon.tsv,espeak,
            the next reads what those before it cannot; by default espeak.
        unknown: For phonemes, what to do with a word that nothing can read: "error" (default) leaves its row without phonemes,
            "skip" passes over the word.
        foreign: For phonemes, words that espeak-ng gives to the voice of another language, such as English names: "refuse"
            (default), or "keep" what that voice says.
        redo: For phonemes, replace those that rows have already.
        phoible: For phonemes, folder of PHOIBLE to compare them to, in the place of the installed one.
        text: For text, what is rewritten.
        overwrite: Replace a manifest, or shards, that stand there already.
    """
    import logging
    from dataclasses import replace
    from importlib import import_module

    from speechxl.data.audio import SUFFIXES
    from speechxl.data.languages import find_language, named_language
    from speechxl.data.manifest import Fault, name_fault, write_manifest
    from speechxl.data.sources import is_manifest
    from speechxl.errors import InputError
    from speechxl.shapes import Utterance
    from speechxl.verbs.report_left_out import report_left_out

    log = logging.getLogger(__name__)
    given: dict[str, object] = {
        "columns": columns, "all_clips": all_clips, "tier": tier, "tier_type": tier_type, "participant": participant,
        "tier_number": tier_number, "column": column, "audio_root": audio_root, "allow_pipes": allow_pipes,
        "subset": subset, "revision": revision, "corpus": corpus, "shard_seconds": shard_seconds, "g2p": g2p,
        "unknown": unknown, "foreign": foreign, "redo": redo, "phoible": phoible,
        "text": None if text == Rewriting() else text,
    }  # fmt: skip
    reader = kind.replace("-", "_")
    options = {flag: value for flag, value in given.items() if value is not None and value is not False}
    for flag in options:
        if reader not in _FLAGS[flag]:
            raise InputError(f"--{flag} is of {', '.join(_FLAGS[flag])}; {kind!r} has no use for it.")
    language = language and find_language(language)
    if kind == "shards":
        from speechxl.verbs.prepare_shards import prepare_shards

        return prepare_shards(
            source, out, language=language, split=split, corpus=corpus, shard_seconds=shard_seconds, threads=threads,
            overwrite=overwrite,
        )  # fmt: skip
    if kind == "phonemes":
        from speechxl.verbs.prepare_phonemes import prepare_phonemes

        return prepare_phonemes(
            source, out, language=language, split=split, g2p=g2p or "espeak", unknown=unknown or "error",
            foreign=foreign or "refuse", redo=redo, phoible=phoible, overwrite=overwrite,
        )  # fmt: skip
    if kind == "text":
        from speechxl.verbs.prepare_text import prepare_text

        return prepare_text(source, out, text, language=language, split=split, overwrite=overwrite)
    manifest = out if is_manifest(out) else out / "manifest.tsv"
    if manifest.exists() and not overwrite:
        raise InputError(f"{manifest} stands there already; replace it with --overwrite.")
    if reader in _EMBEDDED:
        options["audio"] = manifest.with_name(f"{manifest.name.partition('.')[0]}.audio")
    items = list(import_module(f"speechxl.data.corpora.{reader}").read(source, **options))
    faults = [item for item in items if isinstance(item, Fault)]
    rows: dict[str, Utterance] = {}
    for item in items:
        if isinstance(item, Fault):
            continue
        row = replace(item, language=named_language(item.language) or language or "", split=item.split or split or "")
        wrong = f"id {row.id!r} stands twice" if row.id in rows else name_fault(row.path)
        if wrong:
            faults.append(Fault(row.origin or str(row.path), wrong))
        else:
            rows[row.id] = row
    report = manifest.with_name(f"{manifest.stem}.dropped.tsv")
    report_left_out(faults, report)
    if rows:
        write_manifest(manifest, rows.values())
    hours = sum(row.seconds for row in rows.values()) / 3600
    texts = sum(bool(row.text) for row in rows.values())
    document = {
        "schema": 1,
        "manifest": str(manifest),
        "utterances": len(rows),
        "hours": hours,
        "with_text": texts,
        "dropped": len(faults),
    }
    summary = f"{manifest}: {len(rows)} utterances, {hours:.2f} h, {texts} with text; {len(faults)} left out"
    if not language and any(not row.language for row in rows.values()):
        log.warning("no language is named; name it with --language and its ISO 639-3 code")
    if not items:
        log.warning(
            "%s: nothing to prepare; looked for %s", source, " ".join(sorted(SUFFIXES)) if source.is_dir() else "rows"
        )
    return Outcome(document, summary if rows else "", 0 if rows else NOTHING)
