"""`speechxl transcribe`: recordings to text."""

from pathlib import Path
from typing import Any, Literal

from speechxl.config import Phones, Search
from speechxl.verbs.outcome import PARTIAL, Outcome


def transcribe(
    model: str,
    audio: list[str],
    *,
    out: Path | None = None,
    format: str = "txt",
    split: str | None = None,
    model_language: str | None = None,
    language: str | None = None,
    inventory: str | None = None,
    phones: Phones = Phones(),
    alternatives: int = 0,
    attributes: bool = False,
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
    ray: str | None = None,
    ray_workers: int | None = None,
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
        language: Language whose phones are looked for, of a model of phones that need not know it: ISO 639-3 or 639-1 code,
            Glottocode, or name in PHOIBLE.
        inventory: In its place, a file of phones, phoible:NUMBER, espeak:VOICE, or phoible:union or phoible:largest for the
            language of each row.
        phones: Which phones of the model stand for those of the inventory; see speechxl map.
        alternatives: Other phones that are given with each phone in json, jsonl and TextGrid, the likeliest first.
        attributes: Give the articulatory features of each phone in json and jsonl.
        overwrite: Do again what is done in --out already.
        shard: i/n, for example 3/64: do only the i-th of n parts of the recordings, which together are all of them.
        max_line_width: Characters of a line in srt, vtt and tsv.
        max_gap: Seconds of silence after which a line begins there.
        batch_seconds: Audio of a batch, padding included; by default 16 on a CPU, 120 on an accelerator.
        window_seconds: Longer recordings are cut into windows of this length.
        precision: By default "bf16" where the processor is faster in it.
        device: Where to compute.
        lm: Language model, an ARPA file of symbols or of words, or KenLM's binary form of one; see speechxl lm.
        lexicon: Words, one a line; nothing else is found. By default the words of --lm.
        hot_words: Words or phrases that are preferred.
        search: Beam search.
        vad: Cut at pauses, and recognise speech only; by default long recordings are cut into windows that overlap.
        ray: Have it done by workers of a Ray cluster: auto for the one that this machine or RAY_ADDRESS belongs to, its
            host:port, or local for one on this machine. Model and recordings have the same paths on all machines.
        ray_workers: Processes of --ray; by default one on each GPU, without GPUs one on every four cores.
    """
    from dataclasses import asdict, replace

    from speechxl.data.sources import common_folder, find_audio, read_shard, shard_of
    from speechxl.decoding import output
    from speechxl.decoding.annotations import AnnotationError
    from speechxl.decoding.transcripts import Entry, Transcripts, assign, read_record, report_name
    from speechxl.errors import InputError
    from speechxl.models.folders import fingerprint
    from speechxl.verbs.cluster import cluster
    from speechxl.verbs.mapping import find_attributes, find_maps
    from speechxl.verbs.progress import watched
    from speechxl.verbs.recognise import here

    formats = output.read_formats(format)
    if out is None and formats != ["txt"]:
        raise InputError(f"--format {format}: files need a folder, name it with --out.")
    if ray_workers is not None and (ray is None or ray_workers < 1):
        raise InputError(f"--ray_workers {ray_workers}: a number from 1, together with --ray.")
    number, shards = read_shard(shard) if shard is not None else (1, 1)
    utterances = find_audio(audio, split)
    maps = find_maps(model, model_language, utterances, phones, language=language, inventory=inventory)
    words = find_attributes(model, model_language, maps, phones) if attributes else None
    reports = {} if maps is None else {report_name(name): report for name, report in maps.documents.items()}
    spoken = "" if maps is None or language is None else maps.inventories[""].language
    entries = [Entry(utterance, utterance.id) for utterance in utterances]
    record = {}
    if out is not None:
        record = read_record(out)
        root = common_folder(audio, utterances)
        entries = assign(utterances, root, record.get("recordings", {}), overwrite=overwrite, reports=list(reports))
    left = mine = [entry for entry in entries if shard_of(entry.utterance, shards) == number]
    transcripts = None
    if out is not None:
        part = f"-{number}-of-{shards}" if shard is not None else ""
        transcripts = Transcripts(out, record, entries, mine, formats, shard=part, overwrite=overwrite, reports=reports)
    settings: dict[str, Any] = {
        "device": device, "precision": precision, "batch_seconds": batch_seconds, "window_seconds": window_seconds,
        "model_language": model_language, "lm": lm, "lexicon": lexicon, "hot_words": hot_words, "search": search,
        "vad": vad, "maps": None if maps is None else maps.by_language, "alternatives": alternatives,
    }  # fmt: skip
    own = [entry.utterance for entry in mine]
    engine = here(model, own, **settings) if ray is None else cluster(ray, ray_workers, model, own, **settings)
    results, failures = [], []
    with engine as at_work:
        if transcripts is not None:
            way: dict[str, Any] = {"precision": at_work.precision}
            if lm or lexicon or hot_words or search.beam:
                way |= {"hot_words": hot_words, "search": asdict(search)}
            if vad:
                way["vad"] = True
            if model_language:
                way["model_language"] = model_language
            if maps is not None:
                way["phones"] = maps.way
            if alternatives or attributes:
                way |= {"alternatives": alternatives, "attributes": attributes}
            left = transcripts.begin(model, fingerprint(model, *filter(None, (lm, lexicon))), way)
        todo = [entry.utterance for entry in left]
        for entry, item in zip(left, watched(at_work.recognise(todo), todo), strict=True):
            reason = item.reason
            if item.hypothesis is not None:
                row = replace(entry.utterance, language=entry.utterance.language or spoken)
                result = output.document(entry.name, row, item.seconds, item.hypothesis, at_work.units, words)
                try:
                    if transcripts is not None:
                        transcripts.add(entry, result, item.seconds, at_work.units, max_line_width, max_gap)
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
    document: dict[str, Any] = {"schema": 1, "results": results, "failures": failures, "skipped": len(mine) - len(left)}
    return Outcome(
        document if maps is None else document | {"maps": list(maps.documents.values())},
        "\n".join(lines) if out is None else str(out),
        PARTIAL if failures else 0,
    )
