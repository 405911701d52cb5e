"""Strategies on posteriors of a trained model: recipes/espeak-zero-shot, from the model of xlsr-mini, seed 1.

Of each of its ten unseen languages, the first 30 names, and of each frame the five likeliest symbols."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from speechxl.evaluation.edits import edit_distances
from speechxl.phonology.distance import new_metric
from speechxl.phonology.inventory import new_inventory
from speechxl.phonology.mapping import Settings, new_map
from speechxl.text import Vocabulary

STRATEGIES = ("exact", "nearest", "tr2tgt", "pinned", "assign", "soft")


@pytest.fixture(scope="module")
def stored():
    """Log posteriors (F, V) of each name, its language and phones, and the phones of each language."""
    with np.load(Path(__file__).parent / "zero-shot.npz") as file:
        emissions = np.full((len(file["numbers"]), len(file["symbols"])), -30.0)
        np.put_along_axis(emissions, file["numbers"].astype(int), file["scores"].astype(float), axis=1)
        return SimpleNamespace(
            emissions=np.split(emissions, np.cumsum(file["frames"])[:-1]),
            languages=file["languages"].tolist(),
            references=[text.split() for text in file["references"].tolist()],
            inventories={x: phones.split() for x, phones in (row.split("\t") for row in file["inventories"].tolist())},
            vocabulary=Vocabulary(tuple(file["symbols"].tolist()), 0, None),
        )


def phones(emissions, symbols):
    """The likeliest symbol of each frame, repetitions and blanks left out."""
    path = emissions.argmax(-1)
    first = np.append(True, path[1:] != path[:-1])
    return [symbols[number] for number in path[first & (path != 0)]]


def error_rate(stored, hypotheses):
    """Mean over languages of the phone error rate, percent."""
    numbers = {}
    own = [
        [numbers.setdefault(x, len(numbers)) for x in text]
        for texts in (stored.references, hypotheses)
        for text in texts
    ]
    sequences = [np.array(text, int) for text in own]
    edits = edit_distances(
        sequences[: len(hypotheses)], sequences[len(hypotheses) :], 1 - np.eye(len(numbers), dtype=np.int32)
    )
    lengths = np.array([len(text) for text in stored.references])
    spoken = np.array(stored.languages)
    return np.mean([100 * edits[spoken == x].sum() / lengths[spoken == x].sum() for x in stored.inventories])


@pytest.fixture(scope="module", params=["phoible", "panphon"])
def rates(request, stored):
    """Phone error rate of each strategy, and of the model by itself."""
    metric = new_metric("panphon")
    if request.param == "phoible":
        metric = new_metric("phoible", phoible=request.getfixturevalue("phoible").table)
    found = {"raw": error_rate(stored, [phones(x, stored.vocabulary.symbols) for x in stored.emissions])}
    for strategy in STRATEGIES:
        maps = {
            language: new_map(stored.vocabulary, new_inventory(symbols), metric, Settings(strategy))
            for language, symbols in stored.inventories.items()
        }
        found[strategy] = error_rate(stored, [
            phones(maps[x].apply(emissions), maps[x].vocabulary.symbols)
            for x, emissions in zip(stored.languages, stored.emissions, strict=True)
        ])  # fmt: skip
    return found


def test_there_is_something_to_win(stored, rates):
    assert len(stored.inventories) == 10
    assert len(stored.references) == 300
    assert 25 < rates["raw"] < 40


def test_soft_is_as_good_as_every_hard_strategy_and_far_better_than_none(rates):
    assert rates["soft"] < rates["raw"] - 4
    assert all(rates["soft"] <= rates[strategy] + 0.5 for strategy in STRATEGIES)
    assert rates["soft"] <= min(rates[strategy] for strategy in ("nearest", "tr2tgt", "pinned", "assign"))


def test_the_second_step_of_tr2tgt_costs_most_of_what_the_first_gains(rates):
    assert rates["tr2tgt"] > rates["nearest"] + 2
    assert rates["tr2tgt"] < rates["raw"]
