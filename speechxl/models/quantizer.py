"""Gumbel product quantizer, one for all languages (Baevski et al. 2020, section 2; Conneau et al. 2021, XLSR)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class Quantized:
    """Result of the quantizer for N frames."""

    vectors: Tensor
    """(N, G * Dg) code vectors, concatenated over codebooks."""
    codes: Tensor
    """(N, G) index of the chosen code in each codebook."""
    probabilities: Tensor
    """(N, G, V) softmax of the logits, without noise, float32."""


class GumbelQuantizer(nn.Module):
    """Chooses one code of each codebook; gradients pass straight through to the soft choice (Jang et al. 2017).

    All in float32. The parameters and their names are those of `transformers`' `Wav2Vec2GumbelVectorQuantizer`.

    Args:
        codevectors: (1, G * V, Dg).
        weight_proj: Linear map from features to G * V logits.
        num_codebooks: G.
    """

    def __init__(self, codevectors: nn.Parameter, weight_proj: nn.Linear, num_codebooks: int) -> None:
        super().__init__()
        self.codevectors = codevectors
        self.weight_proj = weight_proj
        self.num_codebooks = num_codebooks

    def forward(self, features: Tensor, temperature: float | None = None, uniform: Tensor | None = None) -> Quantized:
        """Quantizes frames.

        Args:
            features: (N, Dc) layer-normed features.
            temperature: Of the Gumbel softmax; None takes the likeliest code, without noise and without gradient.
            uniform: (N, G * V) numbers in (0, 1) that the Gumbel noise is made of; needed with a temperature.
        """
        with torch.autocast(features.device.type, enabled=False):
            logits = self.weight_proj(features.float()).unflatten(1, (self.num_codebooks, -1))  # (N, G, V)
            books = self.codevectors.view(self.num_codebooks, -1, self.codevectors.shape[-1])  # (G, V, Dg)
            if temperature is None or uniform is None:
                codes = logits.argmax(-1)
                vectors = _look_up(books, codes)
            else:
                noise = -(-uniform.log()).log()
                noisy = logits + noise.view_as(logits)
                codes = noisy.argmax(-1)
                soft = torch.einsum("ngv,gvd->ngd", (noisy / temperature).softmax(-1), books.detach())
                vectors = _look_up(books, codes) + (soft - soft.detach())
            return Quantized(vectors.flatten(1), codes, logits.softmax(-1))

    @torch.no_grad()
    def spread(self, features: Tensor, deviation: float) -> None:
        """Centres the logits on given frames and sets their standard deviation, so that many codes are used at first.

        Features of an untrained extractor have much in common, and most of a random projection of them is the same for
        all frames (data-dependent initialisation; Salimans and Kingma 2016).

        Args:
            features: (N, Dc) layer-normed features.
            deviation: Of each code's logit.
        """
        logits = self.weight_proj(features.float())
        scale = deviation / logits.std(0).clamp(min=1e-6)
        self.weight_proj.weight *= scale[:, None]
        self.weight_proj.bias.copy_(scale * (self.weight_proj.bias - logits.mean(0)))


def _look_up(books: Tensor, codes: Tensor) -> Tensor:
    """Code vectors: (G, V, Dg) and (N, G) to (N, G, Dg)."""
    offsets = torch.arange(len(books), device=books.device) * books.shape[1]
    return nn.functional.embedding(codes + offsets, books.flatten(0, 1))


def perplexity(distribution: Tensor) -> Tensor:
    """Exponential of the entropy of each codebook: (..., V) to (...). It is V for uniform use, 1 after a collapse.

    The small number keeps the gradient finite where a code is never used.
    """
    return (-(distribution * (distribution + 1e-7).log()).sum(-1)).exp()
