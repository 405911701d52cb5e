"""`speechxl finetune`: a recogniser of characters or phones from transcribed speech."""

from pathlib import Path
from typing import Literal

from speechxl.config import Architecture, Augment, Data, Dropout, Optim, PresetName, Watch
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
    max_steps: int = 10_000,
    batch_seconds: float = 40.0,
    precision: Literal["32", "bf16"] = "32",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    seed: int = 1,
    resume: bool = False,
    dry_run: bool = False,
    freeze_extractor: bool | None = None,
    freeze_encoder: float | None = None,
    curriculum: float | None = None,
    architecture: Architecture = Architecture(),
    dropout: Dropout = Dropout(),
    augment: Augment = Augment(),
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
        max_steps: Optimizer steps.
        batch_seconds: Audio of a batch, padding included.
        precision: "bf16" computes in bfloat16 where that is safe.
        device: Where to compute.
        seed: Of all random draws.
        resume: Continue the run that stands in --out.
        dry_run: Say what would be done, and do nothing.
        freeze_extractor: Whether the feature extractor keeps its weights; by default yes, from scratch and for tiny no.
        freeze_encoder: Share of the steps in which only the output layer is trained; by default 0.1, from scratch and
            for tiny 0.
        curriculum: Share of the steps over which the longer utterances come in, the shortest fifth first, which shortens
            the time that CTC gives blanks only (Platanios et al. 2019 for the idea); by default 0, from scratch and for
            tiny 0.2.
        architecture: Changes to the preset's size.
        dropout: Changes to the model's regularisation.
        augment: Time and channel masks.
        optim: Optimizer.
        data: Audio.
        watch: Evaluation and checkpoints.
    """
    from dataclasses import replace
    from functools import partial

    import torch

    from speechxl.config import PRESETS, check_run, fill, resolve
    from speechxl.data.datamodule import SpeechData, SpeechDataset
    from speechxl.data.manifest import write_manifest
    from speechxl.errors import InputError
    from speechxl.models.weights import Card, load_encoder_for_ctc, new_ctc_model, read_card, save_model
    from speechxl.tasks.processes import rank, world_size
    from speechxl.tasks.recognition import Recognition
    from speechxl.tasks.schedule import tri_stage
    from speechxl.tasks.training import fit
    from speechxl.verbs import labelled
    from speechxl.verbs.training import accumulation, open_run, schedule, seconds, settings_yaml

    if (model is None) == (preset is None):
        raise InputError(
            "Name either a MODEL to start from (a folder, or facebook/wav2vec2-xls-r-300m), or --preset tiny for a model "
            "from scratch."
        )
    if model is not None and architecture != Architecture():
        raise InputError("--architecture sizes a model from scratch (--preset); a MODEL folder has its size already.")
    check_run(max_steps, batch_seconds, freeze_encoder=freeze_encoder, curriculum=curriculum)
    scratch = model is None
    column = column or ("text" if units == "char" else "phonemes")
    card = Card(normalise=PRESETS[preset].normalise, preset=preset) if preset else read_card(str(model))
    family = PRESETS[card.preset or "xls-r-300m"]
    whole = scratch or family.finetune_whole
    optim = fill(optim, lr=family.lr if scratch else family.finetune_lr, warmup=0.1, weight_decay=0.0)
    augment = fill(augment, time_prob=0.0 if whole else 0.75, channel_prob=0.0 if whole else 0.25)
    data = fill(data, min_seconds=0.1, max_seconds=30.0)
    freeze_extractor = not whole if freeze_extractor is None else freeze_extractor
    freeze_encoder = (0.0 if whole else 0.1) if freeze_encoder is None else freeze_encoder
    curriculum = (0.2 if whole else 0.0) if curriculum is None else curriculum
    corpus = labelled.read(train, dev, split, units, column, vocabulary, data, seed)
    settings = settings_yaml(
        model=model, train=train, out=out, dev=dev, split=split, preset=preset, units=units, column=column,
        vocabulary=vocabulary, max_steps=max_steps, batch_seconds=batch_seconds, precision=precision, device=device,
        seed=seed, freeze_extractor=freeze_extractor, freeze_encoder=freeze_encoder, curriculum=curriculum,
        architecture=architecture, dropout=dropout, augment=augment, optim=optim, data=data, watch=watch,
    )  # fmt: skip
    torch.manual_seed(seed)
    if preset:
        network = new_ctc_model(resolve(preset, architecture, dropout), corpus.vocabulary)
    else:
        network = load_encoder_for_ctc(str(model), corpus.vocabulary, dropout)
    world = world_size(device)
    accumulate = accumulation(optim, batch_seconds, world)
    document = corpus.document | {
        "schema": 1,
        "out": str(out),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "max_steps": max_steps,
        "epochs": max_steps * accumulate * world * batch_seconds / seconds(corpus.train),
    }
    plan = schedule(watch, max_steps, accumulate)
    if dry_run:
        return Outcome(document, labelled.summary(document))
    open_run(out, settings, network, resume=resume)
    if rank() == 0:
        write_manifest(out / "dev.tsv", corpus.dev)
    if corpus.infeasible and rank() == 0:
        write_manifest(out / "dropped.tsv", corpus.infeasible)
    task = Recognition(
        network,
        vocabulary=corpus.vocabulary,
        augment=augment,
        freeze_extractor=freeze_extractor,
        freeze_encoder=round(freeze_encoder * max_steps),
        samples=watch.samples,
        seed=seed,
        lr=optim.lr or 0.0,
        schedule=partial(tri_stage, total=max_steps, rise=optim.warmup or 0.0),
        weight_decay=optim.weight_decay or 0.0,
        eps=1e-8,
        clip=optim.clip,
        layer_drop=network.config.layerdrop,
    )
    card = replace(card, units=units, column=column, vocabulary=corpus.vocabulary.hash, languages=corpus.languages)
    make = partial(SpeechDataset, languages=corpus.languages, normalise=card.normalise, seed=seed, encode=corpus.encode)
    speech = SpeechData(
        make(corpus.train),
        make(corpus.dev),
        batch_seconds,
        data.workers,
        curriculum=round(curriculum * max_steps),
        max_damaged=data.max_damaged,
    )
    best: dict[str, float | None] = {}

    def keep() -> None:
        best.update(step=task.global_step, error=task.score)
        save_model(out, network, card, corpus.vocabulary, settings)

    fit(task, speech, out, plan, precision=precision, device=device, timeout=watch.timeout, keep=keep, ema=optim.ema)
    return Outcome(document | {"best": best}, str(out), PARTIAL if corpus.faults or speech.damaged else 0)
