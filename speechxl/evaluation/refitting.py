"""A composition head for languages of one's choice, on features that stay as they are."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from speechxl.evaluation.leaving_out import Spoken
from speechxl.models.articulation import Articulation
from speechxl.models.phone_note import Heads
from speechxl.objectives.ctc import occupancies
from speechxl.phonology.attributes import new_attributes
from speechxl.phonology.composition import phone_bins
from speechxl.phonology.features import FeatureTable

_STEPS, _FRAMES, _RATE = 300, 2048, 1e-2
"""Of Adam: steps, frames of each, and the learning rate, which falls to nothing."""


def fit_composition(
    utterances: Sequence[Spoken], outputs: Mapping[str, int], blank: int, table: FeatureTable, dim: int, seed: int = 0
) -> Articulation:
    """A head that puts phones together, for the phones of some utterances and without any others.

    What the model's output layer says given the text, frame by frame, is what the head is to say.

    Args:
        utterances: With phones that have features and outputs.
        outputs: Number of the model's output for each phone.
        blank: That of the blank.
        table: Features.
        dim: Features of an embedding.
        seed: Of all draws.

    Raises:
        InputError: If the phones have the same features.
    """
    phones = sorted({phone for spoken in utterances for phone in spoken.phones})
    attributes = new_attributes(table, phones)
    columns = [blank, *(outputs[phone] for phone in phones)]
    features = torch.from_numpy(np.concatenate([spoken.features for spoken in utterances])).float()
    said = torch.cat([_said(spoken, outputs, blank)[:, columns] for spoken in utterances])
    matrix = torch.from_numpy(phone_bins(table, phones).toarray().T).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        own = Heads(attributes.values, len(attributes.bins), dim)
        head = Articulation(features.shape[1], own, torch.from_numpy(attributes.bins))
        optimizer = torch.optim.Adam(head.parameters(), _RATE)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, _STEPS)
        for _ in range(_STEPS):
            rows = torch.randint(len(features), (min(_FRAMES, len(features)),))
            scores = head.phone_logits(features[rows], matrix).log_softmax(-1)
            optimizer.zero_grad()
            (-(said[rows] * scores).sum(-1).mean()).backward()
            optimizer.step()
            schedule.step()
    return head.eval()


def _said(spoken: Spoken, outputs: Mapping[str, int], blank: int) -> Tensor:
    """(F, V) posteriors of the symbols given the text."""
    tokens = torch.tensor([outputs[phone] for phone in spoken.phones])
    return occupancies(torch.from_numpy(spoken.emissions), tokens, blank)
