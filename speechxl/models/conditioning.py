"""Self-conditioned CTC (Nozaki and Komatsu 2021): what some layers would write is told to those above them.

The output of a chosen layer goes through the normalisation and the output layer that the last one's goes through as well; the
posteriors of the symbols come back by a linear layer, one for all chosen layers, and are added to what the next layer gets (their
section 3; as in ESPnet). It begins with zeros, so that a pretrained model is at first as it was.
`transformers` does not compute this: its models give other logits, and name the weights of the linear layer as unexpected.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from safetensors import safe_open
from torch import Tensor, nn

from speechxl.errors import InputError
from speechxl.models.folders import file_of

NAME = "conditioning"
"""In the names of the weights."""


@dataclass(eq=False)
class Feedback:
    """What the encoder does between its layers. The modules are the model's, which it does not own.

    Args:
        layers: After which it is done, counted from 1.
        symbols: (B, F, D) to logits (B, F, V).
        back: (B, F, V) posteriors to (B, F, D).
    """

    layers: frozenset[int]
    symbols: Callable[[Tensor], Tensor]
    back: nn.Module

    def __call__(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, F, D), normalised, to (B, F, V) logits and what is added to the next layer's input (B, F, D)."""
        logits = self.symbols(features)
        return logits, self.back(logits.float().softmax(-1))


def add_conditioning(model: Any, layers: Sequence[int]) -> None:
    """Lets a model feed predictions back; it gives the same as before until it is trained.

    Args:
        model: `Wav2Vec2ForCTC` with this package's encoder.
        layers: Transformer layers whose predictions are fed back, counted from 1.

    Raises:
        InputError: If there are no such layers below the last.
    """
    last = len(model.wav2vec2.encoder.layers)
    wrong = [layer for layer in layers if not 0 < layer < last]
    if wrong or len(set(layers)) < len(layers):
        raise InputError(
            f"--conditioning.layers {' '.join(map(str, layers))}: each once, and below the last of the {last} layers, as nothing "
            f"comes after that: 1 to {last - 1}."
        )
    back = nn.Linear(model.config.vocab_size, model.config.hidden_size)
    nn.init.zeros_(back.weight)
    nn.init.zeros_(back.bias)
    model.add_module(NAME, back)
    model.wav2vec2.feedback = Feedback(frozenset(layers), nn.Sequential(model.dropout, model.lm_head), back)


def load_conditioning(model: Any, source: str, layers: Sequence[int]) -> None:
    """The same with what a folder's model has learnt.

    Args:
        model: `Wav2Vec2ForCTC` with this package's encoder.
        source: The folder, or a name on the hub.
        layers: As `add_conditioning`.

    Raises:
        InputError: If the folder has no such weights, or of another shape.
    """
    if not layers:
        return
    add_conditioning(model, layers)
    path = file_of(source, "model.safetensors")
    back = getattr(model, NAME)
    with safe_open(path, "pt") as file:
        there = set(file.keys())
        state = {name: file.get_tensor(f"{NAME}.{name}") for name in back.state_dict() if f"{NAME}.{name}" in there}
    shapes = {name: value.shape for name, value in back.state_dict().items()}
    if {name: value.shape for name, value in state.items()} != shapes:
        raise InputError(
            f"{path}: the weights {NAME}.weight and {NAME}.bias, by which speechxl.json says that predictions are fed back, are "
            "missing or of another shape."
        )
    back.load_state_dict(state)
