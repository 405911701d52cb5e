"""The published fine-tuning recipe, scaled to the size of corpus and model."""

from dataclasses import dataclass, replace

from speechxl.config import Adapter, Augment, Data, Optim, Preset, fill
from speechxl.errors import InputError

_STEPS, _POWER, _FEWEST, _MOST = 4000, 0.4, 2000, 50_000
_ADAPTER_RATES = {"lora": 5e-4, "mms": 1e-3}
"""Highest learning rates: of Hugging Face's example for MMS adapters, and one that is usual for LoRA."""
_UPDATE_SECONDS = 160.0
"""Audio of an update of a large model: 32 utterances of 5 s, as Hugging Face's script is run on Common Voice."""


@dataclass(frozen=True)
class Recipe:
    """Settings of fine-tuning, without any None."""

    optim: Optim
    augment: Augment
    data: Data
    freeze_extractor: bool
    freeze_encoder: float
    curriculum: float


def settle(
    family: Preset,
    *,
    scratch: bool,
    adapter: Adapter,
    optim: Optim,
    augment: Augment,
    data: Data,
    freeze_extractor: bool | None,
    freeze_encoder: float | None,
    curriculum: float | None,
) -> Recipe:
    """What was asked for, and the usual values where nothing was (Babu et al. 2022, section 4; fairseq's ``finetune.yaml``).

    Args:
        family: Preset whose recipe is followed.
        scratch: Whether the model's weights are random.
        adapter: As asked for.
        optim: As asked for.
        augment: As asked for.
        data: As asked for.
        freeze_extractor: As asked for.
        freeze_encoder: As asked for.
        curriculum: As asked for.

    Raises:
        InputError: If an adapter is asked for where it makes no sense.
    """
    whole = scratch or family.finetune_whole
    lr = family.lr if scratch else family.finetune_lr
    if adapter.kind is not None:
        if scratch:
            raise InputError("--adapter.kind: a model from scratch is trained whole; name a MODEL to start from.")
        if freeze_extractor is False:
            raise InputError(
                "--freeze_extractor false: with --adapter.kind, the extractor stays as it is. Leave one out."
            )
        freeze_extractor, lr = True, _ADAPTER_RATES[adapter.kind]
        freeze_encoder = freeze_encoder or 0.0
    if not whole and optim.target_batch_hours is None and optim.accumulate is None:
        optim = replace(optim, target_batch_hours=_UPDATE_SECONDS / 3600)
    return Recipe(
        fill(optim, lr=lr, warmup=0.1, weight_decay=0.0),
        fill(augment, time_prob=0.0 if whole else 0.75, channel_prob=0.0 if whole else 0.25),
        fill(data, min_seconds=0.1, max_seconds=30.0),
        not whole if freeze_extractor is None else freeze_extractor,
        (0.0 if whole else 0.1) if freeze_encoder is None else freeze_encoder,
        (0.2 if whole else 0.0) if curriculum is None else curriculum,
    )


def usual_steps(hours: float) -> int:
    """Optimizer steps for so much transcribed speech: 2000 for 10 minutes, 4000 for an hour, 10 000 for ten.

    fairseq's configurations take 13 000 for 10 minutes and for an hour and 20 000 for ten hours, with updates of several
    minutes of audio; those who fine-tune on one GPU take a few thousand.
    """
    steps = _STEPS * hours**_POWER
    return min(_MOST, max(_FEWEST, round(steps / 100) * 100))
