"""The search of `calibrate`: errors over settings of mapping, and the best of them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from speechxl.evaluation.leaving_out import LeftOut, Rate, Spoken, left_out_rate
from speechxl.phonology.mapping import Settings, Strategy
from speechxl.verbs.inventory_table import columns

log = logging.getLogger(__name__)
TAUS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0)
PENALTIES = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
_STEPS: tuple[tuple[Strategy, str, Sequence[float]], ...] = (
    ("soft", "tau", TAUS), ("compose", "penalty", PENALTIES), ("blend", "weight", WEIGHTS),
)  # fmt: skip
"""What is searched, one after the other."""


@dataclass(frozen=True)
class Point:
    """One setting and its errors."""

    settings: Settings
    name: str
    """Of the parameter that is searched."""
    rate: Rate
    usual: Rate
    """Of the usual setting of the same strategy."""

    @property
    def value(self) -> float:
        """Of the parameter."""
        return float(getattr(self.settings, self.name))

    @property
    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "strategy": self.settings.strategy,
            **self.settings.decisive,
            "searched": self.name,
            "per": self.rate.per,
            "interval": self.rate.interval,
            "difference": self.rate.difference(self.usual),
            "per_language": self.rate.languages,
        }


def search(
    utterances: Mapping[str, Sequence[Spoken]], models: Mapping[str, LeftOut], *, heads: bool
) -> tuple[list[Point], Settings]:
    """Errors of all values of each parameter, one after the other with the best of those before, and the best of all.

    A penalty below the usual one is not chosen: the head has not heard the language that is left out, but the encoder has, and
    its phones are easier to tell than those of a language that is new to both.

    Args:
        utterances: Of each language.
        models: Without each.
        heads: Whether they have heads of articulation.
    """
    best = Settings()
    curve: list[Point] = []
    for strategy, name, values in _STEPS if heads else _STEPS[:1]:
        usual_value = getattr(Settings(), name)
        with_value: Any = partial(replace, best, strategy=strategy)
        tried = [with_value(**{name: value}) for value in sorted({*values, usual_value})]
        rates = {getattr(settings, name): left_out_rate(utterances, models, settings) for settings in tried}
        points = [Point(settings, name, rates[getattr(settings, name)], rates[usual_value]) for settings in tried]
        able = [point for point in points if name != "penalty" or point.value >= usual_value]
        chosen = min(able, key=lambda point: (round(point.rate.per, 9), abs(point.value - usual_value)))
        best = with_value(strategy=best.strategy, **{name: chosen.value})
        curve += points
        log.info("%s: %s %g, PER %.4f", strategy, name, chosen.value, chosen.rate.per)
    return curve, best


def table(curve: Sequence[Point], best: Settings, languages: Sequence[str]) -> str:
    """For people."""
    rows = [["strategy", "", "PER (95 %)", "to the usual value (95 %)", ""]]
    for point in curve:
        low, high = point.rate.interval or (0.0, 0.0)
        less, more = point.rate.difference(point.usual) or (0.0, 0.0)
        own = point.rate is point.usual
        rows.append(
            [
                point.settings.strategy, f"{point.name} {point.value:g}", f"{point.rate.per:.4f} ({low:.4f}-{high:.4f})",
                "usual" if own else f"{point.rate.per - point.usual.per:+.4f} ({less:+.4f} to {more:+.4f})",
                "best" if point.value == getattr(best, point.name) else "",
            ]
        )  # fmt: skip
    return f"mean over {len(languages)} languages, each left out in turn: {' '.join(languages)}\n{columns(rows)}"
