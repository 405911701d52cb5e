"""`speechxl transcribe`: recordings to text."""

from pathlib import Path
from typing import Literal

from speechxl.verbs.outcome import PARTIAL, Outcome


def transcribe(
    model: str,
    audio: list[str],
    *,
    out: Path | None = None,
    format: str = "txt",
    split: str | None = None,
    adapter_language: str | None = None,
    overwrite: bool = False,
    batch_seconds: float = 120.0,
    window_seconds: float = 30.0,
    precision: Literal["32", "bf16"] = "32",
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> Outcome:
    """Transcribe recordings with a fine-tuned model.

    Args:
        model: Model folder, checkpoint of fairseq (.pt, with its dict.ltr.txt beside it), or name on the hub.
        audio: Recordings, folders, patterns or manifests, in any mixture.
        out: Folder for the transcripts, one file each beside the same tree; by default they are printed.
        format: Files to write to --out, separated by commas: txt and json one for each recording, jsonl one for all.
        split: Rows of manifests to use; by default all.
        adapter_language: Language of the adapter and vocabulary, where MODEL has one for each, such as facebook/mms-1b-all.
        overwrite: Replace transcripts that stand in --out already.
        batch_seconds: Audio of a batch, padding included.
        window_seconds: Longer recordings are cut into windows of this length.
        precision: "bf16" computes in bfloat16.
        device: Where to compute.
    """
    from speechxl.data.sources import find_audio
    from speechxl.decoding import output
    from speechxl.verbs.recognise import load_recogniser, recognise

    formats = output.read_formats(format)
    utterances = find_audio(audio, split)
    targets = output.targets(out, utterances, formats, overwrite=overwrite) if out is not None else None
    recogniser, _ = load_recogniser(
        model, device=device, precision=precision, batch_seconds=batch_seconds, window_seconds=window_seconds,
        adapter_language=adapter_language,
    )  # fmt: skip
    results, failures = [], []
    for number, item in enumerate(recognise(recogniser, utterances)):
        name = output.name(item.utterance)
        if item.hypothesis is None:
            failures.append({"audio": name, "reason": item.reason})
            continue
        result = output.document(item.utterance, item.seconds, item.hypothesis, recogniser.vocabulary.units)
        results.append(result)
        if targets is not None:
            output.write(targets[number], result, formats)
    if out is not None and "jsonl" in formats:
        output.write_lines(out / output.LINES, results)
    lines = [result["text"] if len(utterances) == 1 else f"{result['audio']}\t{result['text']}" for result in results]
    return Outcome(
        {"schema": 1, "results": results, "failures": failures},
        "\n".join(lines) if out is None else str(out),
        PARTIAL if failures else 0,
    )
