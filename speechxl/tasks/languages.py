"""What pretraining measures of each language."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from speechxl.models.quantizer import perplexity
from speechxl.shapes import SAMPLE_RATE


class LanguageMeter:
    """Sums for each language that stay on the device until they are read.

    Args:
        languages: Names whose places number the languages.
        hours: Of each in the training set.
        books: G, codebooks.
        codes: V, codes of each.
    """

    def __init__(self, languages: Sequence[str], hours: Sequence[float], books: int, codes: int) -> None:
        self.languages, self.hours = languages, hours
        self.sums = torch.zeros(len(languages), 3, dtype=torch.float64)
        """Loss, correct frames, masked frames since the last reading, of utterances whose loss is finite."""
        self.codes = torch.zeros(len(languages), books, codes, dtype=torch.int64)
        """How often each code was chosen since the last reading."""
        self.samples = torch.zeros(len(languages), dtype=torch.int64)
        """Samples heard since the run began."""

    def add(self, languages: Tensor, lengths: Tensor, rows: Tensor, codes: Tensor, valid: Tensor) -> None:
        """Adds a batch.

        Args:
            languages: (B,) numbers.
            lengths: (B,) samples.
            rows: (B, 3) loss, correct frames, masked frames.
            codes: (B, M, G) chosen codes.
            valid: (B, M) which of them count.
        """
        self._to(languages.device)
        rows = rows.detach().double()
        self.sums.index_add_(0, languages, torch.where(rows.isfinite().all(1, keepdim=True), rows, 0.0))
        self.samples.index_add_(0, languages, lengths)
        _, books, size = self.codes.shape
        places = (languages[:, None, None] * books + torch.arange(books, device=codes.device)) * size + codes
        self.codes.view(-1).index_add_(0, places.flatten(), valid[..., None].expand_as(codes).flatten().long())

    def gather(self, reduce: Callable[[Tensor], Tensor], *, keep: bool = True) -> None:
        """Adds up the sums of all processes, and forgets them in those that do not ``keep`` them."""
        self.sums, self.codes, self.samples = (reduce(total) * keep for total in (self.sums, self.codes, self.samples))

    def read(self) -> dict[str, dict[str, float]]:
        """Measures of the languages that were heard since the last reading; all but what was heard in all is then forgotten."""
        sums, samples = self.sums.cpu(), self.samples.cpu()
        codes = self.codes.cpu().float()
        spread, used = perplexity(codes / codes.sum(-1, keepdim=True).clamp(min=1)), (codes > 0).sum(-1)
        measures = {}
        for number, language in enumerate(self.languages):
            loss, correct, frames = sums[number].tolist()
            if frames:
                heard = samples[number].item() / SAMPLE_RATE / 3600
                own = {"loss": loss / frames, "accuracy": correct / frames, "hours": heard}
                if self.hours[number]:
                    own["epochs"] = heard / self.hours[number]
                for book in range(codes.shape[1]):
                    own[f"perplexity_{book + 1}"] = spread[number, book].item()
                    own[f"used_{book + 1}"] = used[number, book].item()
                measures[language or "(unknown)"] = own
        self.sums.zero_()
        self.codes.zero_()
        return measures

    def state_dict(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        sums = {"sums": self.sums.cpu(), "codes": self.codes.cpu(), "samples": self.samples.cpu()}
        return {"languages": list(self.languages), **sums}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where a checkpoint stands, if it is of the same languages and codes."""
        if state["languages"] == list(self.languages) and state["codes"].shape == self.codes.shape:
            for name in ("sums", "codes", "samples"):
                setattr(self, name, state[name].clone())

    def _to(self, device: torch.device) -> None:
        if self.sums.device != device:
            self.sums, self.codes, self.samples = (total.to(device) for total in (self.sums, self.codes, self.samples))


class LanguageRates:
    """Measures of each language at the last evaluation."""

    def __init__(self) -> None:
        self.rates: dict[str, dict[str, float]] = {}

    def read(self) -> dict[str, dict[str, float]]:
        """Measures of each language, which are then forgotten."""
        rates, self.rates = self.rates, {}
        return rates
