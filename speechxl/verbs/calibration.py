"""The parts of `calibrate`: what is heard, and writing what is found."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from speechxl.data.audio import AudioError, read_utterance
from speechxl.data.datamodule import draw_key
from speechxl.decoding.scores import Scorer
from speechxl.errors import InputError, NothingMatched
from speechxl.evaluation.leaving_out import LeftOut, Spoken
from speechxl.evaluation.phone_texts import read_texts, toneless
from speechxl.evaluation.refitting import fit_composition
from speechxl.files import write_text
from speechxl.models.device import choose_device, choose_precision
from speechxl.models.folders import read_card, read_json
from speechxl.models.phone_note import Calibration, PhoneNote
from speechxl.models.vocabularies import read_vocabularies
from speechxl.models.weights import load_ctc_model
from speechxl.phonology.attributes import phones_with_features
from speechxl.phonology.distance import Metric
from speechxl.phonology.features import FeatureTable
from speechxl.phonology.mapping import Settings, check_units, read_symbols
from speechxl.shapes import Utterance
from speechxl.text import SPECIAL
from speechxl.verbs.corpora import Corpora, target

log = logging.getLogger(__name__)
_FIT_SECONDS = 180.0
"""Audio of each language that a composition head is fitted to."""
_GROUP = 64
"""Recordings that are read and recognised together."""


def read_note_of(model: str, *, write: bool) -> tuple[PhoneNote, str | None]:
    """What a model has heard, and the manifest column of its phones.

    Args:
        model: The folder.
        write: Whether something will be written there.

    Raises:
        InputError: If it cannot be calibrated.
    """
    vocabulary, card = read_vocabularies(model), read_card(model)
    try:
        check_units(vocabulary.units)
    except InputError as error:
        raise InputError(f"{model}: {error}") from None
    if vocabulary.languages:
        raise InputError(
            f"{model}: has a vocabulary for each language, so that no phone of one stands for those of another."
        )
    if card.phones is None or not card.phones.counts:
        raise InputError(
            f"{model}: speechxl.json does not say which phones were heard in which language, as it does of models that speechxl "
            "finetune trains; it is needed to leave one out."
        )
    if len(card.phones.counts) < 2:
        named = next(iter(card.phones.counts)) or "(unknown)"
        raise InputError(f"{model}: was trained on one language, {named}; there have to be others when it is left out.")
    if write and not (Path(model) / "speechxl.json").is_file():
        raise InputError(
            f"{model}: is not a folder here, so that nothing can be written into it; copy it, or use --dry_run."
        )
    return card.phones, card.column


def choose(corpora: Corpora, split: str | None, column: str, note: PhoneNote) -> tuple[list[Utterance], list[str]]:
    """Rows with phones, and their languages.

    Raises:
        NothingMatched: If there is no row of the split.
        InputError: If none has phones, or one is in a language that was not heard in training.
    """
    try:
        chosen = corpora.choose(split, "dev")
    except NothingMatched:
        if split is not None:
            raise
        chosen = corpora.choose("all", "all")
        log.warning("%s: there are no dev rows, all are used; they should not be those that were trained on", corpora)
    rows = [row for row in chosen if target(row, column)]
    if not rows:
        raise InputError(f"{corpora}: column {column!r} is empty in all rows; name another with --column.")
    for row in rows:
        if row.language not in note.counts:
            heard = ", ".join(name or "(unknown)" for name in note.counts)
            raise InputError(
                f"{row}: {row.language or 'its language, which is not named,'} is none of the training languages ({heard}). "
                "Settings are to be chosen without the languages that they are meant for: leave its rows out, or take dev rows "
                "of the training languages."
            )
    return rows, sorted({row.language for row in rows})


def fitting_rows(corpora: Corpora, column: str, note: PhoneNote) -> list[Utterance]:
    """Training rows that a composition head is fitted to: some minutes of each language, chosen by name; there may be none."""
    try:
        rows = corpora.choose("train", "train")
    except NothingMatched:
        return []
    chosen: list[Utterance] = []
    seconds: dict[str, float] = {}
    for row in sorted(rows, key=lambda row: draw_key(0, 0, row.id)):
        if row.language in note.counts and target(row, column) and seconds.get(row.language, 0.0) < _FIT_SECONDS:
            chosen.append(row)
            seconds[row.language] = seconds.get(row.language, 0.0) + row.seconds
    return chosen


def listen(
    model: str, rows: Sequence[Utterance], column: str, *, batch_seconds: float | None, precision: str, device: str
) -> tuple[dict[str, list[Spoken]], list[dict[str, str]]]:
    """What a model gives for rows of each language, and rows that cannot be used with the reason.

    Args:
        model: The folder.
        rows: With phones.
        column: Of the phones.
        batch_seconds: Audio of a batch.
        precision: As asked for.
        device: Where to compute.

    Raises:
        InputError: If none can be used.
    """
    network, vocabularies, card = load_ctc_model(model)
    device = choose_device(device)
    scorer = Scorer(
        network, vocabularies.of(""), normalise=card.normalise, device=device,
        precision=choose_precision(precision, device), batch_seconds=batch_seconds or (16.0 if device == "cpu" else 120.0),
    )  # fmt: skip
    utterances: dict[str, list[Spoken]] = {}
    faults: list[dict[str, str]] = []
    for at in range(0, len(rows), _GROUP):
        held = []
        for row in rows[at : at + _GROUP]:
            try:
                held.append((row, read_utterance(row)))
            except AudioError as error:
                log.warning("%s", error)
                faults.append({"audio": str(row), "reason": str(error)})
        for (row, _), (emissions, features) in zip(held, scorer([audio for _, audio in held]), strict=True):
            if said := _phones(target(row, column)):
                utterances.setdefault(row.language, []).append(Spoken(row.language, said, emissions, features))
    if not utterances:
        raise InputError("No recording with phones can be used.")
    return dict(sorted(utterances.items())), faults


def leave_out(
    model: str,
    languages: Iterable[str],
    note: PhoneNote,
    metric: Metric,
    table: FeatureTable | None,
    fitted: Mapping[str, Sequence[Spoken]],
) -> dict[str, LeftOut]:
    """A model without each of some languages.

    Args:
        model: The folder.
        languages: To be left out in turn.
        note: What the model has heard.
        metric: Distance.
        table: Features of its heads of articulation; None for a model without.
        fitted: Utterances of each language, to which a composition head is fitted.

    Raises:
        InputError: If too little is left without a language.
    """
    vocabulary = read_vocabularies(model).of("")
    counts = _with_features(note, metric, table)
    spelled = read_symbols([symbol for symbol in vocabulary.symbols if symbol not in SPECIAL])
    outputs = {phone: vocabulary.symbols.index(symbol) for symbol, phone in spelled.items() if phone}
    known = {phone for own in counts.values() for phone in own} & set(outputs)
    models = {}
    for language in languages:
        try:
            heads = None
            if table is not None and note.heads is not None:
                log.info("fitting a composition head without %s", language)
                others = [
                    x for name, own in fitted.items() if name != language for x in own if known.issuperset(x.phones)
                ]
                if not others:
                    raise InputError("there is no utterance in another language.")
                heads = fit_composition(others, outputs, vocabulary.blank, table, note.heads.dim), table
            models[language] = LeftOut(vocabulary, counts, language, metric, heads)
            models[language].map(Settings())
        except InputError as error:
            raise InputError(f"{model}: without {language}, too little is left: {error}") from None
    return models


def _with_features(note: PhoneNote, metric: Metric, table: FeatureTable | None) -> dict[str, dict[str, int]]:
    """Phones of each language that all tables have features of."""
    known = set(phones_with_features(metric.table, note.training().counts))
    if table is not None:
        known &= set(phones_with_features(table, known))
    return {name: {phone: own[phone] for phone in own if phone in known} for name, own in note.counts.items()}


def _phones(text: str) -> tuple[str, ...]:
    texts = read_texts([text], [""])
    spelled = (toneless(texts.symbols[number]) for number in texts.references[0])
    return tuple(phone for phone in spelled if phone)


def calibration_of(
    best: Settings, distance: str, utterances: Mapping[str, Sequence[Spoken]], *, heads: bool
) -> Calibration:
    """What is kept of a search."""
    return Calibration(
        distance, best.tau, best.penalty if heads else None, best.weight if heads else None, list(utterances),
        sum(map(len, utterances.values())),
    )  # fmt: skip


def write(folder: Path, found: Calibration) -> None:
    """Writes what was found into ``speechxl.json``."""
    path = folder / "speechxl.json"
    document = read_json(path)
    document["phones"]["calibration"] = asdict(found)
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
