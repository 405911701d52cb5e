"""How likely a causal language model finds continuations."""

from collections.abc import Sequence
from inspect import signature
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from speechxl.classification.hashes import missing_model
from speechxl.errors import InputError
from speechxl.models.device import choose_device


def load_language_model(source: str, device: str) -> tuple[Any, Any]:
    """A causal language model and its tokenizer.

    Args:
        source: Model folder, or a name on the hub.
        device: Where to compute.

    Raises:
        InputError: If `transformers` cannot load it.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        network = AutoModelForCausalLM.from_pretrained(source, dtype="auto")
    except (OSError, ValueError, KeyError) as error:
        raise InputError(missing_model(source, error)) from None
    return network.eval().to(choose_device(device)), tokenizer


def continuation_scores(
    network: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    continuations: Sequence[str],
    *,
    batch_size: int,
    max_tokens: int,
) -> tuple[np.ndarray, np.ndarray]:
    """(N, C) log-likelihoods, nats, of continuations after prompts, and (C,) their tokens.

    Args:
        network: Causal language model.
        tokenizer: Its tokenizer; its template for chats makes a prompt a turn of the user.
        prompts: N texts.
        continuations: C texts.
        batch_size: Pairs that are scored together.
        max_tokens: Longer prompts lose their beginning.
    """
    chat = bool(getattr(tokenizer, "chat_template", None))
    starts = [_prompt_ids(tokenizer, prompt, chat)[-max_tokens:] for prompt in prompts]
    spaced = continuations if chat else [f" {text}" for text in continuations]
    ends = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in spaced]
    silent = [text for text, ids in zip(continuations, ends, strict=True) if not ids]
    if silent or not all(starts):
        raise InputError(
            f"The tokenizer gives no token for {(silent or ['a prompt'])[0]!r}; describe the class in other words."
        )
    pairs = sorted(
        ((row, column) for row in range(len(starts)) for column in range(len(ends))),
        key=lambda pair: len(starts[pair[0]]) + len(ends[pair[1]]),
    )
    scores = np.zeros((len(starts), len(ends)))
    with torch.inference_mode():
        for begin in range(0, len(pairs), batch_size):
            chosen = pairs[begin : begin + batch_size]
            found = _scores(network, [(starts[row], ends[column]) for row, column in chosen])
            for (row, column), score in zip(chosen, found, strict=True):
                scores[row, column] = score
    return scores, np.array([len(ids) for ids in ends])


def _prompt_ids(tokenizer: Any, prompt: str, chat: bool) -> list[int]:
    if not chat:
        return list(tokenizer(prompt)["input_ids"])
    turn = [{"role": "user", "content": prompt}]
    written = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
    return list(tokenizer(written, add_special_tokens=False)["input_ids"])


def _scores(network: Any, pairs: Sequence[tuple[list[int], list[int]]]) -> list[float]:
    """Padding stands after the end, where a causal model cannot see it."""
    longest = max(len(start) + len(end) for start, end in pairs)
    ids = torch.zeros(len(pairs), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for line, seen, (start, end) in zip(ids, mask, pairs, strict=True):
        line[: len(start) + len(end)] = torch.tensor([*start, *end])
        seen[: len(start) + len(end)] = 1
    first = min(len(start) for start, _ in pairs) - 1
    options = {"logits_to_keep": longest - first} if _keeps_logits(type(network)) else {}
    inputs = {"input_ids": ids.to(network.device), "attention_mask": mask.to(network.device)}
    logits = network(**inputs, **options).logits  # (B, positions, V)
    skipped = longest - logits.shape[1]
    found = []
    for row, (start, end) in enumerate(pairs):
        at = len(start) - 1 - skipped
        own = logits[row, at : at + len(end)].float().log_softmax(dim=-1).cpu()  # (tokens of the end, V)
        found.append(float(own.gather(1, torch.tensor(end)[:, None]).sum()))
    return found


def _keeps_logits(kind: type) -> bool:
    """Whether a model can leave out the logits of the first positions, which are most of the memory."""
    return "logits_to_keep" in signature(kind.forward).parameters  # type: ignore[attr-defined]
