"""Tuning of sentence embeddings on pairs of few examples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from speechxl.classification.finetuning import warm_then_falling


def draw_pairs(classes: np.ndarray, pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(P, 2) places of examples, and (P,) whether both are of one class; an example without a partner has fewer pairs.

    Args:
        classes: (N,).
        pairs: Of each kind for each example.
        seed: Of the draw.
    """
    rng = np.random.default_rng(seed)
    found: list[tuple[int, int]] = []
    for place, own in enumerate(classes):
        others = np.arange(len(classes)) != place
        for partners in (np.flatnonzero(others & (classes == own)), np.flatnonzero(classes != own)):
            if len(partners):
                found += [(place, int(other)) for other in rng.choice(partners, pairs)]
    table = np.array(found, dtype=int).reshape(-1, 2)
    table = table[rng.permutation(len(table))]
    return table, classes[table[:, 0]] == classes[table[:, 1]]


def tune(
    network: Any, texts: Sequence[str], classes: np.ndarray, *, pairs: int, lr: float, batch_size: int, seed: int
) -> None:
    """Draws embeddings of a class together: the cosine of a pair goes to 1 or 0, by squared error (SetFit).

    Args:
        network: Of `sentence-transformers`; it is changed.
        texts: N texts.
        classes: (N,) their classes.
        pairs: Of each kind for each text.
        lr: Highest learning rate of AdamW.
        batch_size: Pairs of a step.
        seed: Of the pairs and of dropout.
    """
    places, same = draw_pairs(classes, pairs, seed)
    steps = -(-len(places) // batch_size)
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_then_falling(steps, 0.1))
    device = next(network.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        network.train()
        for start in range(0, len(places), batch_size):
            chosen = places[start : start + batch_size]
            wanted = torch.tensor(same[start : start + batch_size], dtype=torch.float32, device=device)
            first, second = (_embedded(network, [texts[place] for place in column]) for column in chosen.T)
            loss = nn.functional.mse_loss(nn.functional.cosine_similarity(first, second), wanted)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    network.eval()


def _embedded(network: Any, texts: Sequence[str]) -> Tensor:
    device = next(network.parameters()).device
    inputs = {
        name: value.to(device) if isinstance(value, Tensor) else value
        for name, value in network.preprocess(texts).items()
    }
    embedded: Tensor = network(inputs)["sentence_embedding"]
    return embedded
