"""`speechxl evaluate`: error rates on transcribed recordings."""

from pathlib import Path
from typing import Any, Literal

from speechxl.config import Phones, Search
from speechxl.verbs.outcome import PARTIAL, Outcome


def evaluate(
    model: str,
    manifest: list[Path],
    *,
    split: str | None = None,
    language: list[str] | None = None,
    model_language: str | None = None,
    inventory: str | None = None,
    phones: Phones = Phones(),
    column: str | None = None,
    transcripts: Path | None = None,
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
    """Measure error rates of a fine-tuned model, per language, with 95 % bootstrap intervals over utterances.

    Of models that write phones: errors of phones, of their letters alone (folded), of their features (PFER) and of each
    attribute, which phones are found at all, and the commonest substitutions.
    With --inventory, they look for its phones, which need not be theirs; beside every error stands where it is from, and how
    many phones of the references it has.

    Args:
        model: Model folder, checkpoint of fairseq (.pt, with its dict.ltr.txt beside it), or name on the hub.
        manifest: Manifests, or folders of recordings with their texts.
        split: Rows to use; by default all.
        language: Languages to use; by default all.
        model_language: Language whose vocabulary is used, where MODEL has one for each; by default that of each row. Where there
            is an adapter for each as well, as in facebook/mms-1b-all, it has to be named.
        inventory: Phones that are looked for: phoible:union or phoible:largest of each row's own language, oracle for those that
            its references have, or for all rows a file of phones, phoible:NUMBER, espeak:VOICE, or a language.
        phones: Which phones of the model stand for those of the inventory; see speechxl map.
        column: Manifest column of the references; by default the one the model was trained on.
        transcripts: File for references and hypotheses, tab-separated.
        batch_seconds: Audio of a batch, padding included; by default 16 on a CPU, 120 on an accelerator.
        window_seconds: Longer recordings are cut into windows of this length.
        precision: By default "bf16" where the processor is faster in it.
        device: Where to compute.
        lm: Language model, an ARPA file of symbols or of words, or KenLM's binary form of one; see speechxl lm.
        lexicon: Words, one a line; nothing else is found. By default the words of --lm.
        hot_words: Words or phrases that are preferred.
        search: Beam search.
        vad: Cut at pauses, and recognise speech only; by default long recordings are cut into windows that overlap.
    """
    from speechxl.data.languages import languages_meant
    from speechxl.data.sources import read_corpora
    from speechxl.errors import InputError, NothingMatched
    from speechxl.evaluation.report import error_table, rates, write_transcripts
    from speechxl.models.folders import read_card
    from speechxl.models.vocabularies import read_vocabularies
    from speechxl.verbs.corpora import target
    from speechxl.verbs.mapping import find_maps
    from speechxl.verbs.phone_report import add_phone_measures, phone_metric, phone_table
    from speechxl.verbs.progress import watched
    from speechxl.verbs.recognise import load_recogniser, recognise

    asked = languages_meant(language)
    rows = [row for row in read_corpora(manifest, split) if not asked or row.language in asked]
    if not rows:
        raise NothingMatched(f"{', '.join(map(str, manifest))}: no row in {', '.join(asked)}.")
    card = read_card(model)
    units = read_vocabularies(model, model_language).units
    column = column or card.column or ("text" if units == "char" else "phonemes")
    named = [row for row in rows if target(row, column)]
    if not named:
        raise InputError(
            f"{', '.join(map(str, manifest))}: column {column!r} is empty in all rows; name another with --column."
        )
    references = [target(row, column) for row in named]
    maps = find_maps(model, model_language, named, phones, inventory=inventory, references=references)
    recognisers, _ = load_recogniser(
        model, named, device=device, precision=precision, batch_seconds=batch_seconds, window_seconds=window_seconds,
        model_language=model_language, maps=None if maps is None else maps.by_language, lm=lm, lexicon=lexicon,
        hot_words=hot_words, search=search, vad=vad,
    )  # fmt: skip
    metric = phone_metric(phones.phoible) if units == "phoneme" else None
    items = list(watched(recognise(recognisers, named), named))
    good = [(item, item.hypothesis) for item in items if item.hypothesis is not None]
    failures = [{"audio": str(item.utterance), "reason": item.reason} for item in items if item.hypothesis is None]
    references = [target(item.utterance, column) for item, _ in good]
    hypotheses = [hypothesis.text for _, hypothesis in good]
    languages = [item.utterance.language or "(unknown)" for item, _ in good]
    document: dict[str, Any] = {
        "schema": 1,
        "model": model,
        "manifest": [str(path) for path in manifest],
        "utterances": len(good),
        "hours": sum(item.seconds for item, _ in good) / 3600,
        **rates(references, hypotheses, units),
        "per_language": {
            name: rates(
                [text for text, other in zip(references, languages, strict=True) if other == name],
                [text for text, other in zip(hypotheses, languages, strict=True) if other == name],
                units,
            )
            for name in sorted(set(languages))
        },
        "inventory": None,
        "left_out": len(rows) - len(named),
        "failures": failures,
    }
    if metric is not None:
        symbols = recognisers.vocabulary.symbols if maps is None else maps.symbols
        spoken = {name: item.utterance.language for name, (item, _) in zip(languages, good, strict=True)}
        given = None if maps is None else {name: maps.inventory(code) for name, code in spoken.items()}
        add_phone_measures(document, references, hypotheses, languages, symbols, metric, given)
    if maps is not None:
        document["maps"] = list(maps.documents.values())
    if transcripts is not None:
        write_transcripts(transcripts, [item.utterance.id for item, _ in good], references, hypotheses)
    table = error_table if metric is None else phone_table
    return Outcome(document, table(document), PARTIAL if failures else 0)
