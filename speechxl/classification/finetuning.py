"""Fine-tuning of encoders of text."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from speechxl.classification.hashes import missing_model
from speechxl.errors import InputError
from speechxl.evaluation.calibration import negative_log_likelihood, softmax
from speechxl.evaluation.predictions import confusion_counts, macro_f1

log = logging.getLogger(__name__)
_BATCH = 64


def load_encoder(source: str, labels: list[str], *, seed: int = 0, new: bool = False) -> tuple[Any, Any]:
    """A network that gives a logit for each label, and its tokenizer.

    Args:
        source: Model folder, or a name on the hub.
        labels: C names of classes.
        seed: Of a new head.
        new: Whether the head is made anew, whatever stands there.

    Raises:
        InputError: If `transformers` cannot load it.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            tokenizer = AutoTokenizer.from_pretrained(source)
            network = AutoModelForSequenceClassification.from_pretrained(
                source, id2label=dict(enumerate(labels)), label2id={label: place for place, label in enumerate(labels)},
                ignore_mismatched_sizes=new, dtype=torch.float32,
            )  # fmt: skip
        except (OSError, ValueError, KeyError) as error:
            raise InputError(missing_model(source, error)) from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
        network.config.pad_token_id = tokenizer.pad_token_id
    return network.eval(), tokenizer


def text_logits(network: Any, tokenizer: Any, texts: Sequence[str], *, max_tokens: int) -> np.ndarray:
    """(N, C) logits of N texts.

    Args:
        network: From `load_encoder`.
        tokenizer: Likewise.
        texts: N texts.
        max_tokens: Longer ones are cut.
    """
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    logits = np.zeros((len(texts), network.config.num_labels))
    network.eval()
    with torch.inference_mode():
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            inputs = _inputs(network, tokenizer, [texts[place] for place in places], max_tokens)
            logits[places] = network(**inputs).logits.float().cpu().numpy()
    return logits


def finetune_encoder(
    network: Any,
    tokenizer: Any,
    texts: Sequence[str],
    classes: np.ndarray,
    held: tuple[Sequence[str], np.ndarray] | None,
    *,
    weights: np.ndarray,
    lr: float,
    epochs: int,
    batch_size: int,
    max_tokens: int,
    warmup: float,
    weight_decay: float,
    seed: int,
) -> np.ndarray | None:
    """Trains all of a network.

    Args:
        network: From `load_encoder`; it is changed, and holds the best epoch afterwards.
        tokenizer: Likewise.
        texts: N texts.
        classes: (N,) their classes.
        held: N' texts and (N',) classes to choose the epoch by its macro-F1, of equal ones by its likelihood; None to
            keep the last.
        weights: (C,) of the classes.
        lr: Highest learning rate.
        epochs: Times that all texts are seen.
        batch_size: Texts of a step.
        max_tokens: Longer texts are cut.
        warmup: Share of the steps in which the rate rises.
        weight_decay: Of AdamW.
        seed: Of the order and of dropout.

    Returns:
        (N', C) logits of the held-out texts in the epoch that is kept.
    """
    device = network.device
    steps = epochs * -(-len(texts) // batch_size)
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_then_falling(steps, warmup))
    loss_of = nn.CrossEntropyLoss(torch.tensor(weights, dtype=torch.float32, device=device))
    best: tuple[tuple[float, float], dict[str, Tensor], np.ndarray] | None = None
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        for epoch in range(epochs):
            order = np.random.default_rng((seed, epoch)).permutation(len(texts))
            network.train()
            for start in range(0, len(order), batch_size):
                places = order[start : start + batch_size]
                inputs = _inputs(network, tokenizer, [texts[place] for place in places], max_tokens)
                loss = loss_of(network(**inputs).logits, torch.as_tensor(classes[places], device=device))
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
            if held is not None:
                logits = text_logits(network, tokenizer, held[0], max_tokens=max_tokens)
                found = float(macro_f1(confusion_counts(held[1], logits.argmax(1), logits.shape[1])))
                log.info("epoch %d of %d: macro-F1 on dev %.3f", epoch + 1, epochs, found)
                rank = found, -negative_log_likelihood(softmax(logits), held[1])
                if best is None or rank > best[0]:
                    state = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
                    best = rank, state, logits
    network.eval()
    if best is None:
        return None
    network.load_state_dict(best[1])
    return best[2]


def warm_then_falling(steps: int, warmup: float) -> Callable[[int], float]:
    """Factor of the learning rate at a step: up to 1, and down to 0, both in a line."""
    rising = max(1, round(steps * warmup))
    return lambda step: min((step + 1) / rising, max(0.0, (steps - step) / max(1, steps - rising)))


def _inputs(network: Any, tokenizer: Any, texts: Sequence[str], max_tokens: int) -> Any:
    return tokenizer(list(texts), truncation=True, max_length=max_tokens, padding=True, return_tensors="pt").to(
        network.device
    )
