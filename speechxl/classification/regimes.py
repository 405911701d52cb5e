"""Which languages are learned from together, and which are tested. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from speechxl.errors import InputError

Regime: TypeAlias = Literal["monolingual", "family", "multilingual", "zero-shot", "leave-one-out"]
"""A language by itself; the languages of its family together; all together; one language, tested on others; all but the one that
is tested."""
REGIMES: tuple[Regime, ...] = get_args(Regime)
"""In the order of tables."""


@dataclass(frozen=True)
class Job:
    """One training, and what it is tested on."""

    train: tuple[str, ...]
    """Languages."""
    test: tuple[str, ...]
    """Languages."""
    shots: int | None
    """Examples of each class in each language; None for all."""
    seed: int
    """Of the draw of few examples, and of training."""
    fold: int
    together: str = ""
    """What the languages are, where they are many and not all."""

    @property
    def name(self) -> str:
        """For messages and files."""
        many = self.together or f"{len(self.train)} languages"
        languages = "+".join(map(shown, self.train)) if len(self.train) <= 3 else many
        return f"{languages}, {'all' if self.shots is None else self.shots} examples, seed {self.seed}, fold {self.fold + 1}"


def shown(language: str) -> str:
    """A language in tables."""
    return language or "(unknown)"


def regime_of(train: Sequence[str], test: str, sources: Sequence[str]) -> Regime:
    """What it is to learn from some languages and be tested on one.

    Args:
        train: Languages.
        test: Language.
        sources: All languages with training rows.
    """
    if len(train) == 1:
        return "monolingual" if test in train else "zero-shot"
    if set(train) == set(sources):
        return "multilingual"
    return "family" if test in train else "leave-one-out"


def relatives(train: Sequence[str], families: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Languages of each family that has several of them, but not all.

    Args:
        train: Languages with training rows.
        families: Family of each language.
    """
    found: dict[str, list[str]] = {}
    for language in train:
        if language in families:
            found.setdefault(families[language], []).append(language)
    return {name: tuple(own) for name, own in found.items() if 1 < len(own) < len(train)}


def usual_regimes(
    train: Sequence[str], test: Sequence[str], asked: Sequence[Regime] | None, families: Mapping[str, str] | None = None
) -> list[Regime]:
    """Those that were asked for, or of monolingual, multilingual and zero-shot all that these languages allow.

    Args:
        train: Languages with training rows.
        test: Languages with test rows.
        asked: For; None for the usual ones.
        families: Family of each language.

    Raises:
        InputError: If one of them needs more languages.
    """
    related = {language for own in relatives(train, families or {}).values() for language in own}
    allowed: dict[Regime, bool] = {
        "monolingual": bool({*train} & {*test}),
        "family": bool(related & {*test}),
        "multilingual": len(train) > 1,
        "zero-shot": any(source != target for source in train for target in test),
        "leave-one-out": len(train) > 2 and bool({*train} & {*test}),
    }
    possible = [regime for regime in REGIMES if allowed[regime]]
    impossible = [regime for regime in asked or () if not allowed[regime]]
    if impossible:
        raise InputError(
            f"--regimes {impossible[0]}: training rows are in {', '.join(map(shown, train))}, test rows in "
            f"{', '.join(map(shown, test))}; possible {'is' if len(possible) == 1 else 'are'} {', '.join(possible)}."
        )
    wanted = _USUAL if asked is None else asked
    return [regime for regime in possible if regime in wanted]


_USUAL: tuple[Regime, ...] = ("monolingual", "multilingual", "zero-shot")


def plan(
    train: Sequence[str],
    test: Sequence[str],
    regimes: Sequence[Regime],
    shots: Sequence[int | None],
    seeds: Sequence[int],
    folds: int,
    families: Mapping[str, str] | None = None,
) -> list[Job]:
    """All trainings, each once: that of a language serves the monolingual and the zero-shot regime.

    Args:
        train: Languages with training rows.
        test: Languages with test rows.
        regimes: See `usual_regimes`.
        shots: Examples of each class in each language; None for all.
        seeds: Of the draws.
        folds: Number of divisions.
        families: Family of each language.
    """
    trainings: dict[tuple[str, ...], tuple[list[str], str]] = {}

    def add(languages: Sequence[str], tested: Sequence[str], together: str = "") -> None:
        own, name = trainings.get(tuple(languages), ([], together))
        if found := [language for language in test if language in own or language in tested]:
            trainings[tuple(languages)] = found, name

    for language in train:
        add([language], test if "zero-shot" in regimes else [language] if "monolingual" in regimes else [])
    for name, own in relatives(train, families or {}).items() if "family" in regimes else ():
        add(own, own, name)
    if "multilingual" in regimes:
        add(train, test)
    for language in train if "leave-one-out" in regimes else ():
        add([other for other in train if other != language], [language], f"all but {shown(language)}")
    return [
        Job(languages, tuple(tested), count, seed, fold, together)
        for count in shots
        for seed in seeds
        for fold in range(folds)
        for languages, (tested, together) in trainings.items()
    ]
