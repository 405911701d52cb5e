"""`speechxl finetune`: a recogniser of characters or phones from transcribed speech."""

from pathlib import Path
from typing import Literal

from speechxl.config import (
    Adapter,
    Architecture,
    Articulation,
    Augment,
    Conditioning,
    Data,
    Dropout,
    Optim,
    PresetName,
    Watch,
)
from speechxl.errors import InputError
from speechxl.verbs.outcome import PARTIAL, Outcome


def finetune(
    model: str | None = None,
    *,
    train: list[Path],
    out: Path,
    dev: list[Path] | None = None,
    split: str | None = None,
    preset: PresetName | None = None,
    units: Literal["char", "phoneme"] = "char",
    column: str | None = None,
    vocabulary: Path | None = None,
    separate_vocabularies: bool = False,
    model_language: str | None = None,
    max_steps: int | None = None,
    batch_seconds: float = 40.0,
    precision: Literal["auto", "32", "bf16"] = "32",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    seed: int = 1,
    resume: bool = False,
    dry_run: bool = False,
    overfit: int | None = None,
    find_lr: bool = False,
    alpha: float = 0.5,
    average_best: int = 1,
    freeze_extractor: bool | None = None,
    freeze_encoder: float | None = None,
    curriculum: float | None = None,
    architecture: Architecture = Architecture(),
    dropout: Dropout = Dropout(),
    augment: Augment = Augment(),
    adapter: Adapter = Adapter(),
    attributes: bool = False,
    allophones: bool = False,
    articulation: Articulation = Articulation(),
    conditioning: Conditioning = Conditioning(),
    optim: Optim = Optim(),
    data: Data = Data(),
    watch: Watch = Watch(),
) -> Outcome:
    """Fine-tune a pretrained model on transcribed speech with CTC, or train one from scratch with --preset.

    Args:
        model: Model folder, checkpoint of fairseq (.pt), or name on the hub such as facebook/wav2vec2-xls-r-300m.
        train: Manifests, or folders of recordings with their texts in files of the same name.
        out: Folder for the model; it holds the best model by error rate on dev, and in dev.tsv those rows.
        dev: Manifests to choose the best model by; by default the dev rows of --train, or a tenth of it.
        split: Rows of --train to use; by default "train", or all rows where there are no splits; "all" for every row.
        preset: Architecture of a model from scratch.
        units: What is recognised: characters, or phones that are separated by spaces.
        column: Manifest column of the targets; by default "text", or "phonemes" for phones.
        vocabulary: Text file with one symbol a line, or vocab.json; by default the symbols of the training text.
        separate_vocabularies: Give each language its own output symbols; by default a letter or phone is the same in all.
        model_language: Language to start from, where MODEL has a vocabulary for each, or an adapter as in facebook/mms-1b-all.
        max_steps: Optimizer steps; by default by the hours of speech: 2000 for 10 minutes, 4000 for one hour, 10000 for ten.
        batch_seconds: Audio of a batch, padding included.
        precision: "bf16" computes in bfloat16 where that is safe, "auto" does so where the processor is faster in it.
        device: Where to compute.
        seed: Of all random draws.
        resume: Continue the run that stands in --out.
        dry_run: Say what would be done, and do nothing.
        overfit: Train and evaluate on this many utterances only, without masks and dropout, to see whether anything can be
            learnt: the error should go to 0. For example 8.
        find_lr: Try learning rates from very low to too high for some hundred steps, say which to take, and stop.
        alpha: Languages, and corpora of each, are drawn with p ∝ (hours / all hours)^alpha; 1 is as they come.
        average_best: Average the weights of so many best evaluations at the end, if that is no worse on dev.
        freeze_extractor: Whether the feature extractor keeps its weights; by default yes, from scratch and for tiny no.
        freeze_encoder: Share of the steps in which only the output layer is trained; by default 0.1, from scratch and
            for tiny 0.
        curriculum: Share of the steps over which the longer utterances come in, the shortest fifth first, which shortens
            the time that CTC gives blanks only (Platanios et al. 2019 for the idea); by default 0, from scratch and for
            tiny 0.2.
        architecture: Changes to the preset's size.
        dropout: Changes to the model's regularisation.
        augment: Time and channel masks.
        adapter: Train small added weights (LoRA, MMS) and the output layer only; --out then holds a few megabytes, which belong
            to MODEL.
        attributes: Learn articulatory features of the phones beside their symbols, and to put phones together from them, by
            which the model can be asked for phones that it never heard; of --units phoneme.
        allophones: Learn phones that are the same in all languages, and which phonemes of each training language they stand for,
            beginning with the allophones that PHOIBLE lists; of --units phoneme.
        articulation: How --attributes and --allophones are learnt.
        conditioning: Tell layers what those below them would write.
        optim: Optimizer.
        data: Audio.
        watch: Evaluation and checkpoints.
    """
    import logging
    from dataclasses import replace
    from functools import partial

    import torch

    from speechxl.config import PRESETS, check_run, resolve
    from speechxl.data.sampling import group_hours, group_shares
    from speechxl.models.device import choose_precision
    from speechxl.models.folders import Card, read_card
    from speechxl.tasks.processes import world_size
    from speechxl.tasks.training import fit
    from speechxl.verbs import adapter as adapters
    from speechxl.verbs import finetuning, labelled, recipe, supervised
    from speechxl.verbs.allophones import with_allophones
    from speechxl.verbs.articulation import learn_phones
    from speechxl.verbs.conditioning import condition
    from speechxl.verbs.lr_finder import try_rates
    from speechxl.verbs.phone_counts import phone_note
    from speechxl.verbs.plan import make_plan
    from speechxl.verbs.training import open_run, schedule, seconds, settings_yaml

    log = logging.getLogger(__name__)
    check_start(model, preset, architecture, model_language)
    _check_phones(units, articulation, attributes=attributes, allophones=allophones)
    column = column or ("text" if units == "char" else "phonemes")
    card = Card(normalise=PRESETS[preset].normalise, preset=preset) if preset else read_card(str(model))
    if overfit is not None:
        augment, dropout = Augment(0.0, 10, 0.0), Dropout(0.0, 0.0, 0.0, 0.0, 0.0)
    usual = recipe.settle(
        PRESETS[card.preset or "xls-r-300m"], scratch=model is None, adapter=adapter, optim=optim, augment=augment, data=data,
        freeze_extractor=freeze_extractor, freeze_encoder=freeze_encoder, curriculum=curriculum,
    )  # fmt: skip
    corpus = labelled.read(
        train, dev, split, units, column, vocabulary, usual.data, seed,
        separate=separate_vocabularies, language=model_language,
    )  # fmt: skip
    adapter = adapters.settle(adapter, card.adapter, corpus.languages, model_language)
    if overfit is not None:
        corpus = supervised.only(corpus, overfit, seed)
    if max_steps is None:
        max_steps = 1000 if overfit else recipe.usual_steps(seconds(corpus.train) / 3600)
    check_run(max_steps, batch_seconds, freeze_encoder=usual.freeze_encoder, curriculum=usual.curriculum, alpha=alpha)
    precision = choose_precision(precision, device)
    settings = settings_yaml(
        model=model, train=train, out=out, dev=dev, split=split, preset=preset, units=units, column=column,
        vocabulary=vocabulary, separate_vocabularies=separate_vocabularies, model_language=model_language,
        max_steps=max_steps, batch_seconds=batch_seconds, precision=precision, device=device, seed=seed, overfit=overfit,
        alpha=alpha, average_best=average_best, freeze_extractor=usual.freeze_extractor, freeze_encoder=usual.freeze_encoder,
        curriculum=usual.curriculum, architecture=architecture, dropout=dropout, augment=usual.augment, adapter=adapter,
        attributes=attributes, allophones=allophones, articulation=articulation, conditioning=conditioning, optim=usual.optim,
        data=usual.data, watch=watch,
    )  # fmt: skip
    phones = phone_note(corpus.train, column, corpus.vocabulary, articulation.phoible) if units == "phoneme" else None
    if allophones and phones is not None:
        corpus, phones = with_allophones(corpus, phones, articulation.phoible)
    torch.manual_seed(seed)
    start = resolve(preset, architecture, dropout) if preset else str(model)
    network, added = finetuning.make_network(start, corpus.vocabulary, dropout, adapter, model_language)
    condition(network, start, card, corpus.vocabulary, adapter, conditioning)
    phones, extras = learn_phones(network, start, card.phones, phones, corpus, articulation, attributes=attributes)
    hours = group_hours(corpus.train)
    shares = group_shares(hours, alpha)
    speech = supervised.make_speech(
        corpus, usual.augment, usual.data, shares, normalise=card.normalise, batch_seconds=batch_seconds, seed=seed,
        curriculum=round(usual.curriculum * max_steps),
    )  # fmt: skip
    plan = make_plan(shares, hours, speech.seconds_per_batch, usual.optim, max_steps, world_size(device))
    task = finetuning.make_task(
        network, corpus, usual, max_steps=max_steps, samples=watch.samples, seed=seed,
        conditioning=conditioning.weight, extras=extras,
    )  # fmt: skip
    document = supervised.report(
        corpus, network, plan, out=out, max_steps=max_steps, batch_seconds=batch_seconds, precision=precision
    )
    document["attributes"] = list(phones.heads.attributes) if phones and phones.heads else []
    text = (f"{plan.table()}\n" if len(plan.languages) > 1 else "") + supervised.summary(
        document, labelled.symbols_of(document)
    )
    if dry_run:
        return Outcome(document, text)
    log.info("%s", text)
    run = partial(fit, precision=precision, device=device, timeout=watch.timeout)
    if find_lr:
        rates = try_rates(task, speech, plan.accumulate, run)
        return Outcome(document | rates, f"take --optim.lr {rates['lr']:.1e}\n{rates['table']}")
    adapters.check_resumed(out, added)
    open_run(out, settings, network, resume=resume)
    card = replace(
        card, adapter=added, units=units, column=column, vocabulary=corpus.vocabulary.hash, languages=corpus.languages,
        phones=phones,
        conditioning=sorted(conditioning.layers),
    )  # fmt: skip
    best = finetuning.train(
        run, task, speech, corpus, card, settings, out=out, steps=schedule(watch, max_steps, plan.accumulate),
        average_best=average_best, ema=usual.optim.ema, batch_seconds=batch_seconds, device=device,
    )  # fmt: skip
    return Outcome(document | {"best": best}, str(out), PARTIAL if corpus.faults or speech.damaged else 0)


def check_start(
    model: str | None, preset: str | None, architecture: Architecture, model_language: str | None = None
) -> None:
    """Checks that there is one thing to start from, and that what is asked of it makes sense.

    Raises:
        InputError: If not.
    """
    if (model is None) == (preset is None):
        raise InputError(
            "Name either a MODEL to start from (a folder, or facebook/wav2vec2-xls-r-300m), or --preset tiny for a model "
            "from scratch."
        )
    if model is None and model_language is not None:
        raise InputError("--model_language names a language of a MODEL; a model from scratch has none.")
    if model is not None and architecture != Architecture():
        raise InputError("--architecture sizes a model from scratch (--preset); a MODEL folder has its size already.")


def _check_phones(units: str, articulation: Articulation, *, attributes: bool, allophones: bool) -> None:
    """Checks that what is asked for of phones makes sense.

    Raises:
        InputError: If not.
    """
    for name, asked in (("attributes", attributes), ("allophones", allophones)):
        if asked and units != "phoneme":
            raise InputError(
                f"--{name} are those of phones, and --units is {units}; add --units phoneme, or leave them out."
            )
    if articulation != Articulation() and not attributes and not allophones:
        raise InputError(
            "--articulation says how features and allophones are learnt; add --attributes or --allophones, or leave it out."
        )
