"""`speechxl adapt`: continued pretraining of an existing model on a new language."""

from pathlib import Path
from typing import Literal

from speechxl.config import (
    PRESETS,
    Contrast,
    Data,
    Dropout,
    Guard,
    Mask,
    Optim,
    Probe,
    Sampling,
    Watch,
    check_run,
    settle,
)
from speechxl.verbs.outcome import Outcome

LR_SHARE = 0.4
"""Learning rate of continued pretraining as a share of the preset's (UniSpeech: 2e-4 after 5e-4)."""


def adapt(
    model: str,
    *,
    train: list[Path],
    out: Path,
    dev: list[Path] | None = None,
    split: str | None = None,
    replay: list[Path] | None = None,
    replay_share: float = 0.2,
    reinit_quantizer: bool = False,
    freeze_extractor: bool = False,
    max_steps: int = 100_000,
    batch_seconds: float = 80.0,
    precision: Literal["auto", "32", "bf16"] = "32",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    compile: bool = False,
    seed: int = 1,
    resume: bool = False,
    dry_run: bool = False,
    strategy: Literal["auto", "ddp", "fsdp"] = "auto",
    checkpoint_activations: bool = False,
    dropout: Dropout = Dropout(),
    mask: Mask = Mask(),
    contrast: Contrast = Contrast(),
    optim: Optim = Optim(),
    data: Data = Data(),
    sampling: Sampling = Sampling(),
    watch: Watch = Watch(),
    guard: Guard = Guard(),
    probe: Probe = Probe(),
) -> Outcome:
    """Continue the pretraining of a model on unlabelled speech of a new language.

    Args:
        model: Model folder, checkpoint of fairseq (.pt), or name on the hub such as facebook/wav2vec2-xls-r-300m.
        train: Manifests, or folders of recordings.
        out: Folder for the model.
        dev: Manifests on which the loss is watched; by default the dev rows of --train.
        split: Rows of --train to use; by default "train", or all rows where there are no splits; "all" for every row.
        replay: Manifests of speech that the model was trained on before, to keep it from forgetting.
        replay_share: Share of the audio for them.
        reinit_quantizer: Draw a quantizer at random where the model has none.
        freeze_extractor: Keep the weights of the convolutional feature extractor.
        max_steps: Optimizer steps.
        batch_seconds: Audio of a batch, padding included.
        precision: "bf16" computes in bfloat16 where that is safe, "auto" does so where the processor is faster in it.
        device: Where to compute.
        compile: Compile the transformer layers (torch.compile), which takes a minute first and needs a C++ compiler; meant
            for a GPU, on a CPU steps get slower.
        seed: Of all random draws.
        resume: Continue the run that stands in --out.
        dry_run: Say what would be done, and do nothing.
        strategy: Of several processes each holds the model ("ddp") or a share of it ("fsdp"); "auto" takes "fsdp" from a
            billion parameters on where there are several GPUs.
        checkpoint_activations: Compute activations again in the backward pass instead of keeping them: less memory.
        dropout: Changes to the model's regularisation.
        mask: Span masks.
        contrast: Objective; the Gumbel temperature starts at its floor, and at 2 if the quantizer is new.
        optim: Optimizer.
        data: Audio.
        sampling: Balance of languages and corpora.
        watch: Evaluation and checkpoints.
        guard: Against a collapse of the codebook.
        probe: A linear recogniser on the features now and then.
    """
    import logging
    from dataclasses import replace

    import torch

    from speechxl.models.device import choose_precision
    from speechxl.models.folders import read_card
    from speechxl.models.weights import load_pretraining_model
    from speechxl.verbs.contrastive import resolve_data, resolve_optim, run_contrastive
    from speechxl.verbs.recordings import read_speech
    from speechxl.verbs.training import settings_yaml

    log = logging.getLogger(__name__)
    torch.manual_seed(seed)
    source, fresh = load_pretraining_model(model, dropout, reinit_quantizer=reinit_quantizer)
    card, form = replace(read_card(model), units=None, column=None, vocabulary=None), source.config
    if form.feat_extract_norm == "layer" and not card.normalise:
        log.warning(
            "%s: says that waveforms are not normalised, though models with layer norm in the extractor are trained on "
            "normalised ones; is do_normalize in its preprocessor_config.json right?", model,
        )  # fmt: skip
    shape = PRESETS[card.preset or "xls-r-300m"]
    check_run(max_steps, batch_seconds, replay_share=replay_share)
    precision = choose_precision(precision, device)
    objective = settle(contrast, shape, gumbel_start=2.0 if fresh else shape.gumbel_floor)
    log.info(
        "%s: %d layers of %d, %s norm in the extractor, %s, waveforms %s, %s %d x %d codes; Gumbel temperature from %g to %g",
        model, form.num_hidden_layers, form.hidden_size, form.feat_extract_norm,
        "pre-norm" if form.do_stable_layer_norm else "post-norm", "normalised" if card.normalise else "as they are",
        "new" if fresh else "its own", form.num_codevector_groups, form.num_codevectors_per_group,
        objective.gumbel_start, objective.gumbel_floor,
    )  # fmt: skip
    optim = resolve_optim(optim, LR_SHARE * shape.lr)
    data = resolve_data(data, shape)
    speech = read_speech(train, dev, split, data, replay)
    settings = settings_yaml(
        model=model, train=train, out=out, dev=dev, split=split, replay=replay, replay_share=replay_share,
        reinit_quantizer=reinit_quantizer, freeze_extractor=freeze_extractor, max_steps=max_steps,
        batch_seconds=batch_seconds, precision=precision, device=device, seed=seed, strategy=strategy, compile=compile,
        checkpoint_activations=checkpoint_activations, dropout=dropout, mask=mask, contrast=objective, optim=optim,
        data=data, sampling=sampling, watch=watch, guard=guard, probe=probe,
    )  # fmt: skip
    return run_contrastive(
        source, speech, card, settings, fresh=fresh, out=out, max_steps=max_steps,
        batch_seconds=batch_seconds, precision=precision, device=device, seed=seed, resume=resume, dry_run=dry_run,
        strategy=strategy, compile=compile, checkpoint_activations=checkpoint_activations,
        dropout=Dropout(layer=source.config.layerdrop), mask=mask, objective=objective, optim=optim, data=data,
        sampling=sampling, watch=watch, guard=guard, probe=probe, freeze_extractor=freeze_extractor,
        replay_share=replay_share if replay else 0.0,
    )  # fmt: skip
