"""From the features of frames to one vector for an utterance. Frames of padding are never seen."""

import torch
from torch import Tensor, nn

_EPS = 1e-5
"""Least variance, so that the gradient of a standard deviation is finite."""


class Mean(nn.Module):
    """Mean over frames.

    Args:
        features: D.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.width = features

    def forward(self, x: Tensor, frames: Tensor) -> Tensor:
        """One vector for each utterance.

        Args:
            x: (B, F, D).
            frames: (B,) that are valid, at least 1.

        Returns:
            (B, ``width``).
        """
        return mean(x, frames)


class Attention(nn.Module):
    """Mean with weights that follow from the frames themselves (Lin et al. 2017, with one hop).

    Args:
        features: D.
        hidden: Features in which frames are compared.
    """

    def __init__(self, features: int, hidden: int = 128) -> None:
        super().__init__()
        self.width = features
        self.compare, self.score = nn.Linear(features, hidden), nn.Linear(hidden, 1, bias=False)

    def forward(self, x: Tensor, frames: Tensor) -> Tensor:
        """Like `Mean.forward`."""
        return _weighted(self.weights(x, frames), x)

    def weights(self, x: Tensor, frames: Tensor) -> Tensor:
        """(B, F) of each frame; they sum to 1, and are 0 for padding."""
        scores = self.score(self.compare(x).tanh())[..., 0].float()
        return scores.masked_fill(~valid(frames, x.shape[1]), -torch.inf).softmax(-1)


class Statistics(nn.Module):
    """Mean and standard deviation over frames (Snyder et al. 2017).

    Args:
        features: D.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.width = 2 * features

    def forward(self, x: Tensor, frames: Tensor) -> Tensor:
        """Like `Mean.forward`."""
        centre = mean(x, frames)
        variance = mean((x.float() - centre[:, None]).square(), frames)
        return torch.cat([centre, (variance + _EPS).sqrt()], dim=1)


POOLINGS = {"mean": Mean, "attention": Attention, "statistics": Statistics}


def valid(frames: Tensor, width: int) -> Tensor:
    """(B, ``width``) True for frames of the utterance, given the number of them (B,)."""
    return torch.arange(width, device=frames.device) < frames[:, None]


def mean(x: Tensor, frames: Tensor) -> Tensor:
    """Mean of (B, F, D) over the valid frames, float32: (B, D)."""
    return _weighted(valid(frames, x.shape[1]) / frames[:, None].float(), x)


def _weighted(weights: Tensor, x: Tensor) -> Tensor:
    """Sum of (B, F, D) over frames with weights (B, F), float32: (B, D)."""
    with torch.autocast(x.device.type, enabled=False):
        return (weights.float()[:, None] @ x.float())[:, 0]
