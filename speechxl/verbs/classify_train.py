"""`speechxl classify train`: a classifier of speech from labelled recordings."""

from pathlib import Path
from typing import Literal

from speechxl.config import Adapter, Architecture, Augment, Data, Dropout, Head, Optim, PresetName, Watch
from speechxl.verbs.outcome import PARTIAL, Outcome


def classify_train(
    model: str | None = None,
    *,
    train: list[Path],
    out: Path,
    dev: list[Path] | None = None,
    split: str | None = None,
    preset: PresetName | None = None,
    task: Literal["lid"] | None = None,
    kind: list[str] | None = None,
    label: list[str] | None = None,
    max_steps: int | None = None,
    batch_seconds: float = 40.0,
    precision: Literal["auto", "32", "bf16"] = "32",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    seed: int = 1,
    resume: bool = False,
    dry_run: bool = False,
    overfit: int | None = None,
    alpha: float = 0.5,
    freeze_extractor: bool | None = None,
    freeze_encoder: float | None = None,
    train_layers: int | None = None,
    head_lr: float | None = None,
    class_weights: bool = True,
    label_smoothing: float = 0.1,
    head: Head = Head(),
    architecture: Architecture = Architecture(),
    dropout: Dropout = Dropout(),
    augment: Augment = Augment(),
    adapter: Adapter = Adapter(),
    optim: Optim = Optim(),
    data: Data = Data(),
    watch: Watch = Watch(),
) -> Outcome:
    """Train a classifier of speech on a wav2vec 2.0, HuBERT, WavLM, w2v-BERT 2.0 or Whisper encoder, or from scratch (--preset).

    Args:
        model: Model folder, checkpoint of fairseq (.pt), or name on the hub; best one that was fine-tuned on texts.
        train: Manifests, or folders with manifest.tsv.
        out: Folder for the model; it holds the best model by macro-F1 on dev, with a temperature that is fitted on dev, and in
            dev.tsv those rows.
        dev: Manifests to choose the best model by; by default the dev rows of --train, or a tenth of each class.
        split: Rows of --train to use; by default "train", or all rows where there are no splits; "all" for every row.
        preset: Architecture of a model from scratch.
        task: "lid": language identification, which is --label language --data.max_seconds 10.
        kind: Kinds of labels to learn, such as digit for digit:3; by default the only one that there is. Of several,
            utterances may have any.
        label: Manifest columns of the labels; by default "label". Another column, such as language, is a kind of its own.
        max_steps: Optimizer steps; by default so many that everything is heard 30 times, from 500 to 20000.
        batch_seconds: Audio of a batch, padding included.
        precision: "bf16" computes in bfloat16 where that is safe, "auto" does so where the processor is faster in it.
        device: Where to compute.
        seed: Of all random draws.
        resume: Continue the run that stands in --out.
        dry_run: Say what would be done, and do nothing.
        overfit: Train and evaluate on this many utterances only, without masks and dropout, to see whether anything can be
            learnt. For example 16.
        alpha: Languages, and corpora of each, are drawn with p ∝ (hours / all hours)^alpha; 1 is as they come.
        freeze_extractor: Whether the feature extractor keeps its weights; by default yes, from scratch and for tiny no.
        freeze_encoder: Share of the steps in which only what is above the encoder is trained, 1 for all of them; by default
            0.1, from scratch and for tiny 0.
        train_layers: Transformer layers at the top that are trained, with what is above them; by default all of the encoder.
        head_lr: Highest learning rate of what is above the encoder; --optim.lr is that of the encoder. By default 0.001, or
            --optim.lr if that is more.
        class_weights: Whether all classes count alike, however rare.
        label_smoothing: Share of the target that is spread over all classes.
        head: What stands above the encoder.
        architecture: Changes to the preset's size.
        dropout: Changes to the model's regularisation.
        augment: Time and channel masks, other speeds, noise.
        adapter: Train LoRA in the place of the encoder's own weights; it is merged into them when the model is saved.
        optim: Optimizer.
        data: Audio; --data.max_seconds is what is heard of a longer utterance at a time, at a random place, by default 20.
        watch: Evaluation and checkpoints.
    """
    import logging
    from dataclasses import replace
    from functools import partial

    import torch

    from speechxl.config import PRESETS, check_run, fill, resolve
    from speechxl.data.sampling import group_hours, group_shares
    from speechxl.errors import InputError
    from speechxl.models.classifiers import card_of, is_tuned, kind_of, linear_of
    from speechxl.models.device import choose_precision
    from speechxl.models.folders import Card
    from speechxl.tasks.processes import world_size
    from speechxl.tasks.training import fit
    from speechxl.verbs import classified, classify_recipe, classifying, supervised
    from speechxl.verbs.finetune import check_start
    from speechxl.verbs.plan import make_plan
    from speechxl.verbs.training import open_run, schedule, seconds, settings_yaml

    log = logging.getLogger(__name__)
    check_start(model, preset, architecture)
    if not 0 <= label_smoothing < 1:
        raise InputError(f"--label_smoothing must be from 0 up to 1, got {label_smoothing}.")
    if task == "lid":
        if kind is not None or label is not None:
            raise InputError("--task lid takes the column language; leave out --kind and --label.")
        label, data = ["language"], fill(data, max_seconds=10.0)
    label = label or ["label"]
    if kind is not None and "label" not in label:
        raise InputError(f"--kind {' '.join(kind)}: kinds are those of the column label, which --label does not name.")
    card = Card(normalise=PRESETS[preset].normalise, preset=preset) if preset else card_of(str(model))
    if overfit is not None:
        augment, dropout = replace(augment, time_prob=0.0, channel_prob=0.0), Dropout(0.0, 0.0, 0.0, 0.0, 0.0)
        label_smoothing = 0.0
    encoder = "wav2vec2" if preset else kind_of(str(model))
    usual = classify_recipe.settle(
        PRESETS[card.preset or "xls-r-300m"], encoder, linear_of(encoder), scratch=model is None, adapter=adapter,
        optim=optim, augment=augment, data=data, head_lr=head_lr, freeze_extractor=freeze_extractor,
        freeze_encoder=freeze_encoder, train_layers=train_layers,
    )  # fmt: skip
    corpus = classified.read(train, dev, split, label, kind, usual.data, seed)
    if overfit is not None:
        corpus = supervised.only(corpus, overfit, seed)
    if max_steps is None:
        max_steps = classify_recipe.usual_steps(seconds(corpus.train), batch_seconds)
    check_run(max_steps, batch_seconds, freeze_encoder=usual.freeze_encoder, alpha=alpha)
    precision = choose_precision(precision, device)
    settings = settings_yaml(
        model=model, train=train, out=out, dev=dev, split=split, preset=preset, kind=corpus.kinds, label=label,
        max_steps=max_steps, batch_seconds=batch_seconds, precision=precision, device=device, seed=seed, overfit=overfit,
        alpha=alpha, freeze_extractor=usual.freeze_extractor, freeze_encoder=usual.freeze_encoder,
        train_layers=train_layers, head_lr=usual.head_lr, class_weights=class_weights, label_smoothing=label_smoothing,
        head=head, architecture=architecture, dropout=dropout, augment=usual.augment, adapter=usual.adapter,
        optim=usual.optim, data=usual.data, watch=watch,
    )  # fmt: skip
    torch.manual_seed(seed)
    if model is not None:
        classifying.warn_of_probe(model, tuned=is_tuned(model), usual=usual)
    start = resolve(preset, architecture, dropout) if preset else str(model)
    network = classifying.make_model(start, corpus, head, dropout, usual)
    hours = group_hours(corpus.train)
    shares = group_shares(hours, alpha)
    speech = supervised.make_speech(
        corpus, usual.augment, usual.data, shares, normalise=card.normalise, batch_seconds=batch_seconds, seed=seed,
        crop=usual.data.max_seconds, dev_crop=classifying.DEV_SECONDS,
    )  # fmt: skip
    plan = make_plan(shares, hours, speech.seconds_per_batch, usual.optim, max_steps, world_size(device))
    learner = classifying.make_task(
        network, corpus, usual, max_steps=max_steps, train_layers=train_layers, class_weights=class_weights,
        label_smoothing=label_smoothing, seed=seed,
    )  # fmt: skip
    document = supervised.report(
        corpus, network, plan, out=out, max_steps=max_steps, batch_seconds=batch_seconds, precision=precision
    )
    document["transformers"] = network.lossless
    text = (f"{plan.table()}\n" if len(plan.languages) > 1 else "") + supervised.summary(
        document, classifying.classes_of(document)
    )
    if dry_run:
        return Outcome(document, text)
    log.info("%s", text)
    open_run(out, settings, network, resume=resume)
    best = classifying.train(
        partial(fit, precision=precision, device=device, timeout=watch.timeout), learner, speech, corpus,
        classifying.card_for(card, corpus), settings, out=out,
        steps=schedule(watch, max_steps, plan.accumulate), ema=usual.optim.ema, calibrate=overfit is None,
    )  # fmt: skip
    return Outcome(document | {"best": best}, str(out), PARTIAL if corpus.faults or speech.damaged else 0)
