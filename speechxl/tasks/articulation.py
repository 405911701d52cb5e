"""Articulation and allophones as something that is learnt beside the symbols."""

from typing import Any, cast

from torch import Tensor, nn

from speechxl.models.allophones import AllophoneLayer
from speechxl.models.articulation import Articulation
from speechxl.models.extensions import allophones_of, articulation_of
from speechxl.objectives.articulation import ArticulationLoss
from speechxl.shapes import Targets
from speechxl.tasks.base import Measures
from speechxl.tasks.recognition import Heard


class LearnArticulation(nn.Module):
    """Adds the losses of the heads of articulation.

    Args:
        loss: Of the heads.
        weight: Of the attributes.
        compose: Of the composed phones.
    """

    def __init__(self, loss: ArticulationLoss, weight: float, compose: float) -> None:
        super().__init__()
        self.loss, self.weight, self.compose = loss, weight, compose

    def forward(self, model: Any, heard: Heard, targets: Targets) -> tuple[Tensor, Measures]:
        """(B,) losses and measures of a batch."""
        heads = cast(Articulation, articulation_of(model))
        found = self.loss(heads, heard.features, heard.frames, targets.tokens, targets.lengths)
        symbols = targets.lengths.sum()
        measures: Measures = {
            "attribute_loss_per_symbol": (found.attributes.sum(), symbols),
            "composed_loss_per_symbol": (found.phones.sum(), symbols),
        }
        return self.weight * found.attributes + self.compose * found.phones, measures


class KeepAllophones(nn.Module):
    """Adds the distance of the weights of allophones from where they began.

    Args:
        penalty: Weight of that.
    """

    def __init__(self, penalty: float) -> None:
        super().__init__()
        self.penalty = penalty

    def forward(self, model: Any, heard: Heard, targets: Targets) -> tuple[Tensor, Measures]:
        """(B,), the same for each utterance, and measures of a batch."""
        del targets
        distance = cast(AllophoneLayer, allophones_of(model)).penalty()
        return self.penalty * distance.expand(len(heard.frames)), {"allophone_distance": (distance, 1.0)}
