"""`speechxl prepare`: a corpus of any kind to a manifest."""

from pathlib import Path
from typing import Literal

from speechxl.verbs.outcome import NOTHING, Outcome


def prepare(
    kind: Literal["folder", "csv", "common_voice", "common-voice", "fleurs", "shards", "phonemes"],
    source: Path,
    out: Path,
    *,
    language: str | None = None,
    split: str | None = None,
    columns: dict[str, str] | None = None,
    all_clips: bool = False,
    corpus: str | None = None,
    shard_seconds: float | None = None,
    threads: int = 1,
    g2p: str | None = None,
    unknown: Literal["error", "skip"] | None = None,
    foreign: Literal["refuse", "keep"] | None = None,
    redo: bool = False,
    phoible: Path | None = None,
    overwrite: bool = False,
) -> Outcome:
    """Write a manifest of a corpus, and a report of what cannot be used. The recordings stay where they are.

    With "shards", write the recordings of a manifest as Parquet shards, for corpora that are too large for files. With
    "phonemes", write a manifest again with the phones of its texts, and a report of words and spellings.

    Args:
        kind: "folder": recordings with their texts in files of the same name, searched below as well, the speaker is
            the folder's name; "csv": a table with one row for each recording, or stretch of one; "common_voice": a
            release of Mozilla Common Voice, of one language or several, with its splits; "fleurs": languages of
            google/fleurs with their splits; "shards": a manifest, or a folder, from which shards are written; an
            interrupted call goes on where it was; "phonemes": a manifest, to which the column phonemes is added.
        source: The folder, table or manifest.
        out: Manifest to write (.tsv, .jsonl), or a folder for manifest.tsv; a folder for shards, which may hold other corpora.
        language: ISO 639-3 code for rows that name none.
        split: Split for rows that name none.
        columns: Columns of the table, such as --columns.text=ipa; the others are guessed.
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
        overwrite: Replace a manifest, or shards, that stand there already.
    """
    import logging
    from dataclasses import replace
    from importlib import import_module

    from speechxl.data.audio import SUFFIXES
    from speechxl.data.languages import language_fault
    from speechxl.data.manifest import Fault, write_manifest
    from speechxl.data.sources import is_manifest
    from speechxl.errors import InputError
    from speechxl.files import write_text
    from speechxl.shapes import Utterance

    log = logging.getLogger(__name__)
    if columns and kind != "csv":
        raise InputError(f"--columns names the columns of a table; a {kind} has none.")
    reader = kind.replace("-", "_")
    if all_clips and reader != "common_voice":
        raise InputError(f"--all_clips is for common_voice; a {kind} has no clips outside its rows.")
    if language and (wrong := language_fault(language)):
        raise InputError(f"--language: {wrong}.")
    for flag, value in (("g2p", g2p), ("unknown", unknown), ("foreign", foreign), ("redo", redo), ("phoible", phoible)):
        if value and kind != "phonemes":
            raise InputError(f"--{flag} is of phonemes, not of {kind}.")
    if kind == "shards":
        from speechxl.verbs.prepare_shards import prepare_shards

        return prepare_shards(
            source, out, language=language, split=split, corpus=corpus, shard_seconds=shard_seconds, threads=threads,
            overwrite=overwrite,
        )  # fmt: skip
    if corpus is not None or shard_seconds is not None:
        raise InputError(f"--corpus and --shard_seconds are of shards; {kind!r} writes a manifest.")
    if kind == "phonemes":
        from speechxl.verbs.prepare_phonemes import prepare_phonemes

        return prepare_phonemes(
            source, out, language=language, split=split, g2p=g2p or "espeak", unknown=unknown or "error",
            foreign=foreign or "refuse", redo=redo, phoible=phoible, overwrite=overwrite,
        )  # fmt: skip
    manifest = out if is_manifest(out) else out / "manifest.tsv"
    if manifest.exists() and not overwrite:
        raise InputError(f"{manifest} stands there already; replace it with --overwrite.")
    options = {"columns": columns} if columns else {"all_clips": True} if all_clips else {}
    items = list(import_module(f"speechxl.data.corpora.{reader}").read(source, **options))
    faults = [item for item in items if isinstance(item, Fault)]
    rows: dict[str, Utterance] = {}
    for item in items:
        if isinstance(item, Fault):
            continue
        row = replace(item, language=item.language or language or "", split=item.split or split or "")
        if row.id in rows:
            faults.append(Fault(row.origin or str(row.path), f"id {row.id!r} stands twice"))
        rows.setdefault(row.id, row)
    report = manifest.with_name(f"{manifest.stem}.dropped.tsv")
    for item in faults[:10]:
        log.warning("left out: %s", item)
    if faults:
        write_text(report, "place\treason\n" + "".join(f"{fault.place}\t{fault.message}\n" for fault in faults))
        log.warning("%d left out in all, see %s", len(faults), report)
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
    text = f"{manifest}: {len(rows)} utterances, {hours:.2f} h, {texts} with text; {len(faults)} left out"
    if not language and any(not row.language for row in rows.values()):
        log.warning("no language is named; name it with --language and its ISO 639-3 code")
    if not items:
        log.warning(
            "%s: nothing to prepare; looked for %s", source, " ".join(sorted(SUFFIXES)) if source.is_dir() else "rows"
        )
    return Outcome(document, text if rows else "", 0 if rows else NOTHING)
