"""From phones, which are the same in all languages, to the phonemes of a language by its allophones, as a layer that learns.

The layer of Li et al. 2020 (Allosaurus), as Glocker et al. 2023 (Allophant) have it: the logit of a phoneme is the largest among
those of its allophones, each times a weight that is 1 in the beginning; the blank stays. The squared distance of the weights from
1 is a loss beside CTC.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

_NEVER = -1e4
"""Score of what is no phoneme of the language."""


class AllophoneLayer(nn.Module):
    """Logits of phones to logits of phonemes, under the numbers of the model's outputs.

    Args:
        symbols: V outputs.
        allophones: For each language, the phonemes and the phones that each of them is heard as, in the order of the weights, the
            languages sorted. In a language that is not there, the logits stay as they are.
        languages: Names whose places number the languages of batches; by default those of ``allophones``, sorted.
        blank: Number of the blank.
    """

    rows: Tensor
    phones: Tensor
    phonemes: Tensor
    numbers: Tensor

    def __init__(
        self,
        symbols: Sequence[str],
        allophones: Mapping[str, Mapping[str, Sequence[str]]],
        languages: Sequence[str] | None = None,
        blank: int = 0,
    ) -> None:
        super().__init__()
        known = sorted(allophones)
        self.languages, self.blank = known if languages is None else list(languages), blank
        outputs = {symbol: number for number, symbol in enumerate(symbols)}
        pairs = [
            [(outputs[phone], outputs[phoneme]) for phoneme, own in allophones[language].items() for phone in own]
            for language in known
        ]
        shape = len(known), max(map(len, pairs), default=0)
        phones, phonemes = torch.zeros(shape, dtype=torch.long), torch.full(shape, len(symbols))
        numbers, count = torch.zeros(shape, dtype=torch.long), 0
        for row, own in enumerate(pairs):
            phones[row, : len(own)] = torch.tensor([phone for phone, _ in own])
            phonemes[row, : len(own)] = torch.tensor([phoneme for _, phoneme in own])
            numbers[row, : len(own)] = torch.arange(count, count + len(own))
            count += len(own)
        self.weights = nn.Parameter(torch.ones(count))
        rows = [known.index(language) if language in allophones else -1 for language in self.languages]
        for name, value in (
            ("rows", torch.tensor(rows)),
            ("phones", phones),
            ("phonemes", phonemes),
            ("numbers", numbers),
        ):
            self.register_buffer(name, value, persistent=False)

    def forward(self, logits: Tensor, languages: Tensor) -> Tensor:
        """Logits of phonemes.

        Args:
            logits: (B, F, V) of phones.
            languages: (B,) numbers of languages.

        Returns:
            (B, F, V); next to none for what is no phoneme of the language.
        """
        rows = self.rows[languages]  # (B,), -1 where the phones stay
        shape = *logits.shape[:2], self.phones.shape[1]
        phones, phonemes, numbers = (
            table[rows][:, None].expand(shape) for table in (self.phones, self.phonemes, self.numbers)
        )
        heard = logits.float().gather(-1, phones) * self.weights[numbers]
        never = heard.new_full((*logits.shape[:2], logits.shape[2] + 1), _NEVER)  # the last column takes the padding
        spoken = never.scatter_reduce(-1, phonemes, heard, "amax")[..., :-1]
        blank = torch.arange(logits.shape[2], device=logits.device) == self.blank
        return torch.where((rows < 0)[:, None, None] | blank, logits.float(), spoken)

    def penalty(self) -> Tensor:
        """() squared distance of all weights from where they began."""
        return (self.weights - 1).square().sum()

    def of(self, language: str, logits: Tensor) -> Tensor:
        """`forward` of utterances (B, F, V) in one language of `languages`."""
        number = self.languages.index(language)
        return self(logits, torch.full((len(logits),), number, device=logits.device))
