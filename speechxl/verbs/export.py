"""`speechxl export`: a model in a form that runs without speechxl, a manifest in the forms of other tools."""

from pathlib import Path
from typing import Literal

from speechxl.verbs.outcome import Outcome

MOST_ERROR = 1e-3
"""Difference of logits from which on an export is wrong."""


def export(
    kind: Literal["onnx", "kaldi", "nemo", "lhotse", "audiofolder", "parquet", "eaf", "textgrid"],
    source: str,
    out: Path,
    *,
    model_language: str | None = None,
    opset: int | None = None,
    split: str | None = None,
    column: Literal["text", "phonemes"] | None = None,
    overwrite: bool = False,
) -> Outcome:
    """Write a model as ONNX, or a corpus for other tools.

    ONNX runs without torch and speechxl; it is checked that it gives the same numbers.

    Args:
        kind: "onnx": inputs input_values (B, T) and lengths (B,), samples; output logits (B, F, V). Symbols, blank,
            normalisation and sampling rate are in its metadata. Of a manifest: "kaldi": a data directory, one for each
            split; "nemo": JSON lines; "lhotse": recordings, supervisions and cuts; "audiofolder" and "parquet": what
            `datasets` reads, with the audio, stretches as FLAC; "eaf", "textgrid": annotations for ELAN and Praat, a tier
            for each speaker.
        source: Model folder, checkpoint of fairseq (.pt, with its dict.ltr.txt beside it), or name on the hub; or a
            manifest, or a folder that `prepare` takes.
        out: File to write (.onnx); weights of more than 2 GB are written to a file beside it. Of a manifest, a folder, or
            for nemo a file (.json).
        model_language: Language whose outputs are written, where MODEL has some for each.
        opset: Version of ONNX's operators, 18 or later; by default what torch takes.
        split: Rows of the manifest to write; by default all.
        column: For kaldi, what becomes the text; by default "text".
        overwrite: Replace files.
    """
    import os
    from importlib.util import find_spec
    from tempfile import TemporaryDirectory

    import numpy as np

    from speechxl.errors import InputError, RunFailed

    for flag, value in (("split", split), ("column", column)):
        if value is not None and (kind == "onnx" or (flag == "column" and kind != "kaldi")):
            raise InputError(f"--{flag} is not of {kind}.")
    if kind != "onnx":
        from speechxl.verbs.export_manifest import export_manifest

        if model_language is not None or opset is not None:
            raise InputError(f"--model_language and --opset are of onnx, not of {kind}.")
        return export_manifest(kind, Path(source), out, split=split, column=column, overwrite=overwrite)
    model = source
    if out.suffix != ".onnx":
        raise InputError(f"{out}: the name of an ONNX file ends in .onnx; write {out}.onnx.")
    if out.exists() and not overwrite:
        raise InputError(f"{out}: stands there already; replace it with --overwrite, or name another.")
    if missing := [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]:
        raise InputError(f"ONNX needs {', '.join(missing)}: pip install 'speechxl[onnx]'.")
    if opset is not None and not 18 <= opset <= _newest():
        raise InputError(f"--opset {opset}: versions from 18 to {_newest()} can be written here.")

    from speechxl.data.audio import standardise
    from speechxl.decoding.recogniser import Recogniser
    from speechxl.models.onnx import onnx_error, write_onnx
    from speechxl.models.weights import load_ctc_model
    from speechxl.shapes import SAMPLE_RATE
    from speechxl.text import UnknownLanguage

    network, vocabularies, card = load_ctc_model(model, model_language)
    try:
        vocabulary = vocabularies.of("")
    except UnknownLanguage as unknown:
        raise InputError(f"{model}: {unknown}; name one with --model_language, as a file is of one.") from None
    network.eval()
    rng = np.random.default_rng(0)
    waveforms = [rng.normal(0, 0.1, int(seconds * SAMPLE_RATE)).astype(np.float32) for seconds in (2.6, 1.7)]
    expected = Recogniser(network, vocabulary, normalise=card.normalise).logits(waveforms)
    given = [standardise(waveform) for waveform in waveforms] if card.normalise else waveforms
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        part = Path(folder) / out.name
        opset = write_onnx(part, network, vocabulary, normalise=card.normalise, opset=opset)
        error = onnx_error(part, given, expected)
        if not error <= MOST_ERROR:  # nor is it a number
            raise RunFailed(
                f"{out}: not written, its logits differ by {error:.2g} from the model's, more than {MOST_ERROR:g}; please "
                "report it with the model."
            )
        written = sorted(Path(folder).iterdir(), reverse=True)  # weights beside it first
        size = sum(file.stat().st_size for file in written)
        for file in written:
            os.replace(file, out.parent / file.name)
    document = {
        "schema": 1,
        "model": model,
        "out": str(out),
        "files": sorted(str(out.parent / file.name) for file in written),
        "bytes": size,
        "opset": opset,
        "symbols": len(vocabulary),
        "normalise": card.normalise,
        "max_error": error,
    }
    return Outcome(document, f"{out}: {size / 1e6:.1f} MB, opset {opset}, largest difference of logits {error:.1e}")


def _newest() -> int:
    """Newest opset that all of onnx and its runtime know."""
    import onnx

    return min(int(onnx.defs.onnx_opset_version()), 23)
