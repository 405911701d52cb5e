import numpy as np
import torch

from speechxl.evaluation.leaving_out import Spoken
from speechxl.evaluation.refitting import fit_composition
from speechxl.phonology.composition import bin_names, new_composition
from speechxl.phonology.features import panphon_table
from tests.objectives.test_articulation_loss import HEARD, HELD_OUT

TABLE = panphon_table()
OUTPUTS = {phone: number for number, phone in enumerate(HEARD, 1)}


def spoken(rng, phones, mixing, length=12):
    """An utterance: a frame of silence before each phone, and an output layer that is sure of what is said."""
    order = rng.integers(0, len(phones), length)
    found = TABLE.values(phones)
    values = np.concatenate([found.start, found.end], axis=1).astype(float)
    frames = np.zeros((2 * length, values.shape[1]))
    frames[1::2] = values[order]
    frames += 0.3 * rng.normal(size=frames.shape)
    emissions = np.full((2 * length, 1 + len(HEARD)), 0.001)
    emissions[::2, 0] = 1
    for frame, number in zip(range(1, 2 * length, 2), order, strict=True):
        emissions[frame, OUTPUTS.get(phones[number], 0)] = 1
    emissions = np.log(emissions / emissions.sum(1, keepdims=True)).astype(np.float32)
    return Spoken("xyz", tuple(phones[n] for n in order), emissions, (frames @ mixing).astype(np.float32)), order


def test_the_head_knows_the_phones_and_puts_others_together():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(2 * len(TABLE.names), 64)) / 4
    utterances = [spoken(rng, HEARD, mixing)[0] for _ in range(60)]
    head = fit_composition(utterances, OUTPUTS, 0, TABLE, 32)
    symbols = sorted(HEARD + HELD_OUT)
    composition = new_composition(TABLE, symbols, HEARD, penalty=0.0)
    right, new, silent = [], [], []
    for _ in range(30):
        other, order = spoken(rng, symbols, mixing)
        best = composition.apply(head.bins(torch.from_numpy(other.features)).detach().numpy()).argmax(-1)
        right += (best[1::2] - 1 == order).tolist()
        new += [symbols[number] in HELD_OUT for number in order]
        silent += (best[::2] == 0).tolist()
    right, new = np.array(right), np.array(new)
    assert new.sum() > 50
    assert right[~new].mean() > 0.9
    assert right[new].mean() > 0.5
    assert np.mean(silent) > 0.95


def test_what_no_phone_tells_apart_is_not_used_and_draws_are_repeated():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(2 * len(TABLE.names), 16))
    utterances = [spoken(rng, ["p", "b", "m"], mixing, 4)[0] for _ in range(3)]
    first, second = (fit_composition(utterances, OUTPUTS, 0, TABLE, 4, seed=3) for _ in range(2))
    assert torch.equal(first.embeddings, second.embeddings)
    used = {name for name, use in zip(bin_names(TABLE), first.used.tolist(), strict=True) if use}
    assert {"p", "b", "m", "nas=+ at the start"} <= used
    assert not {"t", "syl=+ at the start"} & used
    assert not first.training
