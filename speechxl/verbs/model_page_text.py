"""The words of a model's page. No torch."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import iso639

from speechxl.models.folders import Card
from speechxl.verbs.material import Material, Part, Score, Task

NOT_STATED = "not stated: find out before sharing"
CONSENT = (
    "The voices and texts that this was learnt from are of people. Recordings of a community are often made under an agreement "
    "on what they may be used for. Before this model is given to others, make sure that those who were recorded, and their "
    "community, agree to that; a licence of the files does not settle it. Say here whom to ask, and who is to be named."
)
LICENCE = (
    "That of this model has not been chosen. Add `license:` at the top of this page, one that the licences of the data above and "
    "that of the base model allow."
)
_MEASURES = {
    "cer": "character error rate", "wer": "word error rate", "per": "phone error rate", "macro_f1": "macro-F1",
    "accuracy": "accuracy", "contrastive": "contrastive loss (nats)",
}  # fmt: skip
_SETTINGS = (
    "max_steps", "batch_seconds", "precision", "seed", "units", "column", "separate_vocabularies", "model_language", "alpha",
    "sampling.alpha", "overfit", "average_best", "freeze_extractor", "freeze_encoder", "train_layers", "curriculum", "attributes",
    "allophones", "conditioning.layers", "adapter.kind", "adapter.rank", "adapter.dim", "head_lr", "optim.lr", "optim.warmup",
    "optim.weight_decay", "optim.layer_decay", "optim.accumulate", "optim.target_batch_hours", "optim.ema", "augment.time_prob",
    "augment.channel_prob", "augment.speed_prob", "augment.noise_prob", "mask.prob", "mask.length", "replay_share",
)  # fmt: skip
"""That are worth a line, where they are set."""
_FEW_HOURS, _FEW_SPEAKERS = 10.0, 10
"""Below which a recogniser is not to be trusted with other speakers."""


def language_tag(code: str) -> str:
    """A language as the hub has it: two letters where ISO 639-1 has them; empty for none."""
    try:
        found = iso639.Lang(code)
    except iso639.exceptions.InvalidLanguageValue:
        return ""
    except iso639.exceptions.DeprecatedLanguageValue:
        return code
    return found.pt1 or found.pt3


def described(code: str) -> str:
    """Name and code of a language."""
    try:
        return f"{iso639.Lang(code).name} ({code})"
    except (iso639.exceptions.InvalidLanguageValue, iso639.exceptions.DeprecatedLanguageValue):
        return code or "(unknown)"


def measure_name(measure: str, kind: str = "") -> str:
    """A measure in words.

    Args:
        measure: As `Score` has it.
        kind: Of labels.
    """
    return _MEASURES[measure] + (f" of {kind}" if kind else "")


def opening(task: Task, units: str | None, start: str | None, preset: str | None, languages: Sequence[str]) -> str:
    """What the model is."""
    what = {
        "pretraining": "A speech encoder, pretrained on sound alone (wav2vec 2.0); for recognition it has to be fine-tuned",
        "recognition": f"A recogniser that writes {'phones (IPA)' if units == 'phoneme' else 'characters'} (CTC)",
        "classification": "A classifier of speech",
    }[task]
    begun = f"from the preset {preset}, with random weights" if start is None else f"from {_named(start)}"
    spoken = f" Languages: {', '.join(languages)}." if languages else " The languages of the data are not named."
    return f"{what}. Trained with speechxl {begun}.{spoken}"


def data_lines(material: Material) -> list[str]:
    """Hours and speakers of each split and language, and licences."""
    lines = ["| split | language | utterances | audio | speakers |", "| --- | --- | --- | --- | --- |"]
    for split in ("train", "dev"):
        own = [part for part in material.parts if part.split == split]
        lines += [_row(part, _cell(described(part.language))) for part in own]
        if len(own) > 1:
            lines.append(_row(material.total(split), "all"))
    lines += ["", "| corpus | audio | licence | source |", "| --- | --- | --- | --- |"]
    for licence in material.licences:
        stated = _cell(licence.stated) or f"**{NOT_STATED}**"
        lines.append(
            f"| {_cell(licence.corpus)} | {_time(licence.hours)} | {stated} | {_cell(licence.source) or '-'} |"
        )
    return lines


def score_lines(task: Task, scores: Sequence[Score], material: Material) -> list[str]:
    """Measures with intervals, and what dev is."""
    if not scores:
        return ["Nothing was held out, and nothing was measured."]
    dev = material.total("dev")
    told = (
        f"`dev.tsv`, {dev.utterances} utterances, is what the model was chosen by: on other recordings, expect worse."
        if task != "pretraining"
        else f"{dev.utterances} utterances that were not trained on. The weights are those of the end of the run."
    )
    if material.shared_speakers:
        told += (
            f" {material.shared_speakers} of the {dev.speakers} speakers of dev are heard in training as well: for others, "
            "expect worse again."
        )
    elif material.shared_speakers is None:
        told += " Not all speakers are named: whether they are those of training is not known."
    lines = [told, "", "| language | measure | value | 95 % interval |", "| --- | --- | --- | --- |"]
    for score in scores:
        bounds = "-" if score.interval is None else f"{score.interval[0]:.3f} to {score.interval[1]:.3f}"
        language = _cell(described(score.language)) if score.language else "all"
        name = _cell(measure_name(score.measure, score.kind))
        lines.append(f"| {language} | {name} | {score.value:.3f} | {bounds} |")
    return [
        *lines,
        "",
        "Intervals are percentile bootstraps over utterances; those of one speaker are not independent.",
    ]


def training_lines(settings: Mapping[str, Any], step: int | Sequence[int]) -> list[str]:
    """Settings that are worth a line; all are in ``config.yaml``."""
    flat = {**settings}
    flat |= {
        f"{group}.{key}": value
        for group, own in settings.items()
        if isinstance(own, Mapping)
        for key, value in own.items()
    }
    usual = {"average_best": 1, "optim.layer_decay": 1.0}
    left = ["adapter.rank", "adapter.dim"] if flat.get("adapter.kind") in (None, "none") else []
    told = [
        f"`{key}` {_plain(flat[key])}"
        for key in _SETTINGS
        if key not in left and flat.get(key, usual.get(key)) not in (None, False, 0, [], "", "none", usual.get(key))
    ]
    steps = f"step {step}" if isinstance(step, int) else f"the average of steps {', '.join(map(str, step))}"
    return [
        f"The weights are those of {steps}. {', '.join(told)}. All settings are in `config.yaml`, curves in `metrics.csv`."
    ]


def use_lines(task: Task, name: str, card: Card) -> list[str]:
    """What it is for, and commands."""
    commands = {
        "pretraining": [f"speechxl finetune {name} --train recordings --out recogniser"],
        "recognition": [f"speechxl transcribe {name} recordings --out transcripts --format txt,TextGrid"],
        "classification": [f"speechxl classify predict {name} recordings"],
    }[task]
    if card.units == "phoneme":
        commands.append(
            f"speechxl transcribe {name} recordings --language swh   # the phones of a language it has not heard"
        )
    base = (
        [
            "",
            f"The folder holds added weights only; they belong to {_named(card.adapter.base)}, which is needed as well.",
        ]
        if card.adapter is not None
        else []
    )
    meant = {
        "pretraining": "As the start of recognisers and classifiers, and to look at how languages share sounds.",
        "recognition": "First transcripts that a person corrects, search, and statistics over much speech, in these languages.",
        "classification": "Sorting recordings like those of the data by the classes above; a person looks at what matters.",
    }[task]
    return [meant, "", "```bash", *commands, "```", *base]


def limit_lines(task: Task, material: Material) -> list[str]:
    """What it is not for."""
    train = material.total("train")
    lines = [
        f"- It has heard {_time(train.hours)} of speech. Other languages, dialects, ages, microphones and ways of speaking than "
        "those of the data are likely to fare worse, and nobody has measured how much."
    ]
    if task != "pretraining" and train.hours < _FEW_HOURS:
        lines.append("- With so little speech, somebody who knows the language should look at what it gives.")
    if train.speakers is None:
        lines.append("- How many speakers it has heard is not known, as the manifest does not name all of them.")
    elif train.speakers < _FEW_SPEAKERS:
        few = "one speaker" if train.speakers == 1 else f"{train.speakers} speakers"
        lines.append(f"- It has heard {few} only, and knows their voices better than any other.")
    lines.append("- It is not to be used to find out who speaks, to watch people, or for decisions about them.")
    return lines


def _row(part: Part, language: str) -> str:
    speakers = "not named" if part.speakers is None else part.speakers
    return f"| {part.split} | {language} | {part.utterances} | {_time(part.hours)} | {speakers} |"


def _time(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"


def _named(start: str) -> str:
    """A model without the path to it, which tells of the machine."""
    return (
        f"`{start}`"
        if re.fullmatch(r"[\w.-]+/[\w.-]+", start) and not Path(start).exists()
        else f"`{Path(start).name}`"
    )


def _plain(value: Any) -> str:
    return (
        ", ".join(map(str, value)) if isinstance(value, list) else str(value).lower() if value is True else str(value)
    )


def _cell(value: str) -> str:
    """Text that stands in a cell of a table as it is."""
    return " ".join(value.split()).replace("|", "\\|").replace("<", "&lt;")
