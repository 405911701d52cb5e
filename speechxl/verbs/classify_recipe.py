"""Settings of training a classifier: what was asked for, and the usual values where nothing was."""

from dataclasses import dataclass, replace

from speechxl.config import Adapter, Augment, Data, Optim, Preset, fill
from speechxl.errors import InputError

_HEAD_LR = 1e-3
_RATES = {"wav2vec2-bert": 5e-5, "whisper": 1e-5}
"""Highest learning rates of encoders that have no preset."""
_WAVES = ("wav2vec2", "hubert", "wavlm")
"""Encoders with a feature extractor."""
_LORA_LR = 5e-4
_TIMES, _FEWEST, _MOST = 30, 500, 20_000
_MASKED = 0.05
"""Share of frames under masks in the published fine-tuning for classification (`transformers`' default)."""
CROP = 20.0
"""Seconds that are heard of a longer utterance in training."""


@dataclass(frozen=True)
class Recipe:
    """Settings, without any None."""

    optim: Optim
    augment: Augment
    data: Data
    adapter: Adapter
    head_lr: float
    freeze_extractor: bool
    freeze_encoder: float
    """Share of the steps; 1 for good."""


def settle(
    family: Preset,
    kind: str,
    linear: tuple[str, ...],
    *,
    scratch: bool,
    adapter: Adapter,
    optim: Optim,
    augment: Augment,
    data: Data,
    head_lr: float | None,
    freeze_extractor: bool | None,
    freeze_encoder: float | None,
    train_layers: int | None,
) -> Recipe:
    """Fills in what was not asked for.

    Args:
        family: Preset whose rates are taken, of wav2vec 2.0.
        kind: Of the encoder, as ``config.json`` has it.
        linear: Layers that LoRA adds to by default.
        scratch: Whether the weights are random.
        adapter: As asked for.
        optim: As asked for.
        augment: As asked for.
        data: As asked for.
        head_lr: As asked for.
        freeze_extractor: As asked for.
        freeze_encoder: As asked for.
        train_layers: As asked for.

    Raises:
        InputError: If something asked for makes no sense here.
    """
    whole = scratch or (kind == "wav2vec2" and family.finetune_whole)
    lr = family.lr if scratch else _RATES.get(kind, family.finetune_lr)
    if head_lr is not None and head_lr <= 0:
        raise InputError(f"--head_lr must be positive, got {head_lr}.")
    if train_layers is not None and train_layers < 0:
        raise InputError(f"--train_layers must be at least 0, got {train_layers}.")
    if train_layers == 0:
        freeze_encoder = 1.0
    if adapter.kind is not None:
        adapter = _lora(adapter, linear, scratch=scratch)
        if kind == "wavlm" and (unused := [name for name in adapter.targets if name.endswith("_proj")]):
            raise InputError(
                f"--adapter.targets {unused[0]}: attention of WavLM takes weights and not layers, so that nothing can be added "
                f"there; name {' and '.join(linear)}."
            )
        if freeze_encoder:
            raise InputError(
                "--adapter.kind lora trains added weights in the encoder from the first step on; leave out --freeze_encoder."
            )
        if freeze_extractor is False or train_layers is not None:
            raise InputError(
                "--adapter.kind lora: the encoder's own weights stay as they are; leave out what thaws some of them."
            )
        freeze_extractor, freeze_encoder, lr = True, 0.0, _LORA_LR
    if kind != "wav2vec2":
        if augment.time_prob or augment.channel_prob:
            raise InputError(
                f"--augment.time_prob and channel_prob mask frames of wav2vec 2.0 only, the MODEL is {kind}."
            )
        augment = fill(augment, time_prob=0.0, channel_prob=0.0)
    if kind == "whisper" and (data.max_seconds or 0) > 30:
        raise InputError(f"--data.max_seconds {data.max_seconds:g}: Whisper hears 30 s at once.")
    optim = fill(optim, lr=lr, warmup=0.1, weight_decay=0.0)
    return Recipe(
        optim,
        fill(augment, time_prob=0.0 if whole else _MASKED, channel_prob=0.0),
        fill(data, min_seconds=0.1, max_seconds=CROP),
        adapter,
        head_lr or max(_HEAD_LR, optim.lr or 0.0),
        (not whole and kind in _WAVES) if freeze_extractor is None else freeze_extractor,
        (0.0 if whole else 0.1) if freeze_encoder is None else freeze_encoder,
    )


def _lora(adapter: Adapter, linear: tuple[str, ...], *, scratch: bool) -> Adapter:
    """Settled LoRA.

    Raises:
        InputError: If another kind of added weights is asked for, or the model is from scratch.
    """
    if adapter.kind != "lora":
        raise InputError("--adapter.kind mms: is for recognition; take --adapter.kind lora.")
    if scratch:
        raise InputError("--adapter.kind: a model from scratch is trained whole; name a MODEL to start from.")
    targets = linear if adapter.targets == Adapter().targets else adapter.targets
    return replace(adapter, scale=adapter.scale or 2 * adapter.rank, targets=targets)


def usual_steps(seconds: float, batch_seconds: float) -> int:
    """Optimizer steps in which everything is heard 30 times, from 500 to 20 000."""
    return min(_MOST, max(_FEWEST, round(_TIMES * seconds / batch_seconds / 100) * 100))
