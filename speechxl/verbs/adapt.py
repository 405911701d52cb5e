"""`speechxl adapt`: continued pretraining of an existing model on a new language."""

from pathlib import Path
from typing import Literal

from speechxl.config import PRESETS, Contrast, Data, Dropout, Mask, Optim, Watch, check_run, settle
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
    reinit_quantizer: bool = False,
    max_steps: int = 100_000,
    batch_seconds: float = 80.0,
    precision: Literal["32", "bf16"] = "32",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    compile: bool = False,
    seed: int = 1,
    resume: bool = False,
    dry_run: bool = False,
    dropout: Dropout = Dropout(),
    mask: Mask = Mask(),
    contrast: Contrast = Contrast(),
    optim: Optim = Optim(),
    data: Data = Data(),
    watch: Watch = Watch(),
) -> Outcome:
    """Continue the pretraining of a model on unlabelled speech of a new language.

    Args:
        model: Model folder, or name on the hub such as facebook/wav2vec2-xls-r-300m.
        train: Manifests, or folders of recordings.
        out: Folder for the model.
        dev: Manifests on which the loss is watched; by default the dev rows of --train.
        split: Rows of --train to use; by default "train", or all rows where there are no splits; "all" for every row.
        reinit_quantizer: Draw a quantizer at random where the model has none.
        max_steps: Optimizer steps.
        batch_seconds: Audio of a batch, padding included.
        precision: "bf16" computes in bfloat16 where that is safe.
        device: Where to compute.
        compile: Compile the transformer layers (torch.compile), which takes a minute first and needs a C++ compiler; meant
            for a GPU, on a CPU steps get slower.
        seed: Of all random draws.
        resume: Continue the run that stands in --out.
        dry_run: Say what would be done, and do nothing.
        dropout: Changes to the model's regularisation.
        mask: Span masks.
        contrast: Objective; the Gumbel temperature starts at its floor, and at 2 if the quantizer is new.
        optim: Optimizer.
        data: Audio.
        watch: Evaluation and checkpoints.
    """
    import torch

    from speechxl.models.weights import load_pretraining_model, read_card
    from speechxl.verbs.contrastive import read_speech, resolve_data, resolve_optim, run_contrastive
    from speechxl.verbs.training import settings_yaml

    torch.manual_seed(seed)
    source, fresh = load_pretraining_model(model, dropout, reinit_quantizer=reinit_quantizer)
    card = read_card(model)
    shape = PRESETS[card.preset or "xls-r-300m"]
    check_run(max_steps, batch_seconds)
    objective = settle(contrast, shape, gumbel_start=2.0 if fresh else shape.gumbel_floor)
    optim = resolve_optim(optim, LR_SHARE * shape.lr)
    data = resolve_data(data, shape)
    speech = read_speech(train, dev, split, data)
    settings = settings_yaml(
        model=model, train=train, out=out, dev=dev, split=split, reinit_quantizer=reinit_quantizer, max_steps=max_steps,
        batch_seconds=batch_seconds, precision=precision, device=device, compile=compile,
        seed=seed, dropout=dropout, mask=mask,
        contrast=objective, optim=optim, data=data, watch=watch,
    )  # fmt: skip
    return run_contrastive(
        source, speech, card, settings, fresh=fresh, out=out, max_steps=max_steps,
        batch_seconds=batch_seconds, precision=precision, device=device, compile=compile,
        seed=seed, resume=resume, dry_run=dry_run,
        dropout=Dropout(layer=source.config.layerdrop), mask=mask, objective=objective, optim=optim, data=data, watch=watch,
    )  # fmt: skip
