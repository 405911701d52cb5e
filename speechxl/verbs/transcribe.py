"""`speechxl transcribe`: recordings to text."""

from pathlib import Path
from typing import Any, Literal

from speechxl.config import Search
from speechxl.verbs.outcome import PARTIAL, Outcome


def transcribe(
    model: str,
    audio: list[str],
    *,
    out: Path | None = None,
    format: str = "txt",
    split: str | None = None,
    model_language: str | None = None,
    overwrite: bool = False,
    shard: str | None = None,
    max_line_width: int = 42,
    max_gap: float = 1.0,
    batch_seconds: float | None = None,
    window_seconds: float = 30.0,
    precision: Literal["auto", "32", "bf16"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    lm: Path | None = None,
    lexicon: Path | None = None,
    hot_words: list[str] | None = None,
    search: Search = Search(),
    vad: bool = False,
) -> Outcome:
    """Transcribe recordings with a fine-tuned model.

    Args:
        model: Model folder, checkpoint of fairseq (.pt, with its dict.ltr.txt beside it), or name on the hub.
        audio: Recordings, folders, patterns or manifests, in any mixture.
        out: Folder for the transcripts, one file each beside the same tree; by default they are printed. Recordings
            that are done there already are skipped.
        format: Files to write to --out, separated by commas: txt, json, srt, vtt, tsv, ctm, TextGrid, eaf one for each
            recording, jsonl one for all; or all.
        split: Rows of manifests to use; by default all.
        model_language: Language whose vocabulary is used, where MODEL has one for each; by default that of each row. Where there
            is an adapter for each as well, as in facebook/mms-1b-all, it has to be named.
        overwrite: Do again what is done in --out already.
        shard: i/n, for example 3/64: do only the i-th of n parts of the recordings, which together are all of them.
        max_line_width: Characters of a line in srt, vtt and tsv.
        max_gap: Seconds of silence after which a line begins there.
        batch_seconds: Audio of a batch, padding included; by default 16 on a CPU, 120 on an accelerator.
        window_seconds: Longer recordings are cut into windows of this length.
        precision: By default "bf16" where the processor has it.
        device: Where to compute.
        lm: Language model, an ARPA file of symbols or of words, or KenLM's binary form of one; see speechxl lm.
        lexicon: Words, one a line; nothing else is found. By default the words of --lm.
        hot_words: Words or phrases that are preferred.
        search: Beam search.
        vad: Cut at pauses, and recognise speech only; by default long recordings are cut into windows that overlap.
    """
    from dataclasses import asdict

    from speechxl.data.sources import common_folder, find_audio, read_shard, shard_of
    from speechxl.decoding import output
    from speechxl.decoding.annotations import AnnotationError
    from speechxl.decoding.transcripts import Entry, Transcripts, assign, read_record
    from speechxl.errors import InputError
    from speechxl.models.weights import fingerprint
    from speechxl.verbs.progress import watched
    from speechxl.verbs.recognise import load_recogniser, recognise

    formats = output.read_formats(format)
    if out is None and formats != ["txt"]:
        raise InputError(f"--format {format}: files need a folder, name it with --out.")
    number, shards = read_shard(shard) if shard is not None else (1, 1)
    utterances = find_audio(audio, split)
    entries = [Entry(utterance, utterance.id) for utterance in utterances]
    record = {}
    if out is not None:
        record = read_record(out)
        root = common_folder(audio, utterances)
        entries = assign(utterances, root, record.get("recordings", {}), overwrite=overwrite)
    left = mine = [entry for entry in entries if shard_of(entry.utterance, shards) == number]
    transcripts = None
    if out is not None:
        part = f"-{number}-of-{shards}" if shard is not None else ""
        transcripts = Transcripts(out, record, entries, mine, formats, shard=part, overwrite=overwrite)
    recognisers, _ = load_recogniser(
        model, [entry.utterance for entry in mine], device=device, precision=precision, batch_seconds=batch_seconds,
        window_seconds=window_seconds, model_language=model_language, lm=lm, lexicon=lexicon, hot_words=hot_words,
        search=search, vad=vad,
    )  # fmt: skip
    if transcripts is not None:
        way: dict[str, Any] = {"precision": recognisers.precision}
        if lm or lexicon or hot_words or search.beam:
            way |= {"hot_words": hot_words, "search": asdict(search)}
        if vad:
            way["vad"] = True
        if model_language:
            way["model_language"] = model_language
        left = transcripts.begin(model, fingerprint(model, *filter(None, (lm, lexicon))), way)
    units = recognisers.vocabulary.units
    todo = [entry.utterance for entry in left]
    results, failures = [], []
    for entry, item in zip(left, watched(recognise(recognisers, todo), todo), strict=True):
        reason = item.reason
        if item.hypothesis is not None:
            result = output.document(entry.name, entry.utterance, item.seconds, item.hypothesis, units)
            try:
                if transcripts is not None:
                    transcripts.add(entry, result, item.seconds, units, max_line_width, max_gap)
                results.append(result)
                continue
            except AnnotationError as error:
                reason = str(error)
        failures.append({"audio": entry.name, "reason": reason})
        if transcripts is not None:
            transcripts.fail(failures[-1])
    if transcripts is not None:
        transcripts.finish()
    lines = [result["text"] if len(utterances) == 1 else f"{result['audio']}\t{result['text']}" for result in results]
    return Outcome(
        {"schema": 1, "results": results, "failures": failures, "skipped": len(mine) - len(left)},
        "\n".join(lines) if out is None else str(out),
        PARTIAL if failures else 0,
    )
