"""The codebook's collapse, and what tells it from success.

When few codes are left, most distractors equal the target and are left out of the comparison: the loss falls towards 0 and the
accuracy rises towards 1 while nothing is learned.
"""

from collections.abc import Mapping
from math import log

FEWEST = 1 / 64
"""Share of the codes below which a codebook's perplexity shows a collapse: 5 of 320."""
TIED = 0.5
"""Share of distractors equal to the target from which on the comparison says little."""
EASY_BITS, EASY_ACCURACY = 0.1, 0.99


class Collapsed(Exception):
    """The run has collapsed; the message says by which sign."""


def collapse_sign(values: Mapping[str, float], codes: int) -> str:
    """What in a row of the log shows a collapse; empty if nothing does.

    Args:
        values: Measures, of which ``contrastive`` is in nats and each ``code_perplexity_*`` that of one codebook.
        codes: V, codes of each codebook.
    """
    fewest = max(2.0, FEWEST * codes)
    for name, value in values.items():
        if name.startswith("code_perplexity") and value < fewest:
            return f"codebook {name[-1]} has a perplexity of {value:.1f} with {codes} codes, less than {fewest:g}"
    if values.get("tied_distractors", 0.0) > TIED:
        return f"{values['tied_distractors']:.0%} of the distractors equal the target"
    bits, accuracy = values.get("contrastive", 1.0) / log(2), values.get("accuracy", 0.0)
    if bits < EASY_BITS and accuracy > EASY_ACCURACY:
        return f"the loss is {bits:.3f} bit with an accuracy of {accuracy:.3f}: there is nothing left to tell apart"
    return ""


class CollapseGuard:
    """Counts the rows of the log that show a collapse.

    Args:
        codes: V, codes of each codebook.
        patience: Rows in succession after which the run has collapsed.
    """

    def __init__(self, codes: int, patience: int) -> None:
        self.codes, self.patience = codes, patience
        self.rows = 0
        """That have shown a collapse in succession."""

    def look(self, values: Mapping[str, float]) -> str:
        """Looks at a row.

        Returns:
            What shows a collapse in it; empty if nothing does.
        """
        sign = collapse_sign(values, self.codes)
        self.rows = self.rows + 1 if sign else 0
        return sign

    @property
    def suspicious(self) -> bool:
        """Whether the last row shows a collapse."""
        return self.rows > 0

    @property
    def sure(self) -> bool:
        """Whether the run has collapsed."""
        return self.rows >= self.patience
