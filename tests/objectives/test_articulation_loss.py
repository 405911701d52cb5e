"""Losses of the heads against one `torch.nn.functional.ctc_loss` after the other, and decoding of phones never heard."""

import numpy as np
import torch
import torch.nn.functional as F

from speechxl.models.articulation import Articulation
from speechxl.models.phone_note import Heads
from speechxl.objectives.articulation import ArticulationLoss
from speechxl.phonology.attributes import new_attributes
from speechxl.phonology.composition import new_composition, phone_bins
from speechxl.phonology.features import panphon_table

TABLE = panphon_table()
PHONES = ["a", "b", "ei", "i", "m", "p", "s", "t", "t͡s"]
SYMBOLS = ["<pad>", "˥", *PHONES]
"""Of the model; the tone is no phone."""
FRAMES = torch.tensor([30, 22, 26])
TEXTS = [["p", "a", "˥", "p", "i"], ["m", "˥", "ei"], ["t", "t", "s", "a", "b", "t͡s"]]


def matrix(phones):
    return torch.from_numpy(phone_bins(TABLE, phones).toarray().T).float()


def new_heads(phones=PHONES, width=8, dim=6):
    torch.manual_seed(0)
    attributes = new_attributes(TABLE, phones)
    heads = Articulation(width, Heads(attributes.values, len(attributes.bins), dim), torch.from_numpy(attributes.bins))
    outputs = torch.tensor([phones.index(symbol) + 1 if symbol in phones else 0 for symbol in SYMBOLS])
    return heads, ArticulationLoss(torch.from_numpy(attributes.labels), matrix(phones), outputs), attributes


def targets(texts):
    tokens = [torch.tensor([SYMBOLS.index(symbol) for symbol in text]) for text in texts]
    return torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True), torch.tensor([len(text) for text in texts])


def features(rows=3, frames=30, width=8):
    return torch.randn(rows, frames, width, generator=torch.Generator().manual_seed(2)).requires_grad_()


def one_by_one(heads, attributes, x):
    """The same by loops: one utterance and one attribute at a time."""
    sizes = [1 + len(values) for values in attributes.values.values()]
    attribute_losses, phone_losses = [], []
    for row, (text, frames) in enumerate(zip(TEXTS, FRAMES, strict=True)):
        spoken = [PHONES.index(phone) for phone in text if phone in PHONES]
        lengths = {"input_lengths": frames[None], "target_lengths": torch.tensor([len(spoken)])}
        logits = heads.attributes(x[row, :frames]).split(sizes, -1)
        own = []
        for number, part in enumerate(logits):
            labels = torch.tensor([int(attributes.labels[phone, number]) for phone in spoken])
            own.append(F.ctc_loss(part.log_softmax(-1)[:, None], labels[None], **lengths, reduction="sum"))
        attribute_losses.append(sum(own) / len(own))
        embeddings = [heads.embeddings[0]]
        for phone in PHONES:
            shares = matrix([phone])[0]
            used = [n for n in range(len(shares)) if shares[n] and heads.used[n]]
            embeddings.append(sum(shares[n] * heads.embeddings[1 + n] for n in used))
        scores = heads.projection(x[row, :frames]) @ torch.stack(embeddings).T / 6**0.5
        tokens = torch.tensor([[phone + 1 for phone in spoken]])
        phone_losses.append(F.ctc_loss(scores.log_softmax(-1)[:, None], tokens, **lengths, reduction="sum"))
    return torch.stack(attribute_losses), torch.stack(phone_losses)


def test_losses_and_gradients_are_those_of_one_head_after_the_other():
    heads, loss, attributes = new_heads()
    assert len(attributes.values) > 10
    results = []
    for way in ("together", "one by one"):
        x = features()
        heads.zero_grad()
        if way == "together":
            found = loss(heads, x, FRAMES, *targets(TEXTS))
            pair = found.attributes, found.phones
        else:
            pair = one_by_one(heads, attributes, x)
        (pair[0].sum() + 0.7 * pair[1].sum()).backward()
        results.append([*pair, x.grad, *(parameter.grad.clone() for parameter in heads.parameters())])
    for found, expected in zip(*results, strict=True):
        assert expected.abs().max() > 0
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_more_attributes_do_not_weigh_more():
    heads, loss, _ = new_heads()
    twice, more, attributes = new_heads()
    values = {f"{name}{copy}": own for copy in (1, 2) for name, own in attributes.values.items()}
    doubled = Articulation(8, Heads(values, len(attributes.bins), 6), heads.used)
    doubled.attributes.weight.data = heads.attributes.weight.data.repeat(2, 1)
    doubled.attributes.bias.data = heads.attributes.bias.data.repeat(2)
    more.labels = loss.labels.repeat(1, 2)
    assert doubled.attribute_logits(features()).shape[2] == 2 * twice.attribute_logits(features()).shape[2]
    found = more(doubled, features(), FRAMES, *targets(TEXTS)).attributes
    torch.testing.assert_close(found, loss(heads, features(), FRAMES, *targets(TEXTS)).attributes)


def test_padding_and_other_utterances_change_nothing():
    heads, loss, _ = new_heads()
    x = features()
    together = loss(heads, x, FRAMES, *targets(TEXTS))
    for row, text in enumerate(TEXTS):
        tokens, lengths = targets([text])
        own = x[row : row + 1, : FRAMES[row]]
        alone = loss(heads, own, FRAMES[row : row + 1], tokens, lengths)
        padded = loss(
            heads, F.pad(own, (0, 0, 0, 9), value=3.0), FRAMES[row : row + 1], F.pad(tokens, (0, 4), value=5), lengths
        )
        for name in ("attributes", "phones"):
            expected = getattr(together, name)[row : row + 1]
            torch.testing.assert_close(getattr(alone, name), expected, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(getattr(padded, name), expected, rtol=1e-4, atol=1e-4)


def test_what_has_too_few_frames_adds_nothing():
    heads, loss, attributes = new_heads()
    x = features(1)
    tokens, lengths = targets([["p", "b", "p", "b"]])
    found = loss(
        heads, x, torch.tensor([5]), tokens, lengths
    )  # enough for b after p, not for four values that are equal
    sizes = [1 + len(values) for values in attributes.values.values()]
    possible = []
    for number, part in enumerate(heads.attributes(x[0, :5]).split(sizes, -1)):
        labels = torch.tensor(attributes.labels[[PHONES.index(phone) for phone in "pbpb"], number])
        emissions = part.log_softmax(-1)[:, None]
        own = F.ctc_loss(emissions, labels[None], torch.tensor([5]), lengths, reduction="sum")
        possible.append(own if own.isfinite() else torch.zeros(()))
    assert 0 < sum(value == 0 for value in possible) < len(possible)
    torch.testing.assert_close(found.attributes[0], torch.stack(possible).mean())
    found.attributes.sum().backward()
    assert x.grad.isfinite().all()


HEARD = [
    "p", "b", "t", "k", "ɡ", "m", "n", "ŋ", "s", "z", "f", "x", "pʰ", "kʰ", "a", "e", "i", "o", "u", "ã", "ũ", "ẽ", "ai", "ei",
    "t͡ɕ", "t͡s", "nd", "mb", "l", "r", "j", "w",
]  # fmt: skip
HELD_OUT = ["d", "v", "ɣ", "tʰ", "ĩ", "õ", "t͡ɕʰ", "ou", "d͡z", "nt", "ŋɡ"]


def spoken(phones, order, rng, mixing):
    """(1, F, D) a frame of each phone: its feature values and noise, mixed."""
    found = TABLE.values(phones)
    values = np.concatenate([found.start, found.end], axis=1)[order]
    return torch.from_numpy((values + 0.3 * rng.normal(size=values.shape)) @ mixing).float()[None]


def test_phones_that_were_never_heard_are_decoded():
    """Section 9.5 of the specification: frames drawn from feature vectors and noise, some phones held out."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(2 * len(TABLE.names), 64)) / 4
    heads, loss, _ = new_heads(HEARD, width=64, dim=32)
    loss.outputs = torch.arange(len(HEARD) + 1)
    optimizer = torch.optim.Adam(heads.parameters(), 1e-2)
    length = torch.tensor([len(HEARD)])
    for _ in range(100):
        order = rng.permutation(len(HEARD))
        x = spoken(HEARD, order, rng, mixing)
        optimizer.zero_grad()
        loss(heads, x, length, torch.from_numpy(order)[None] + 1, length).phones.sum().backward()
        optimizer.step()
    symbols = sorted(HEARD + HELD_OUT)
    order = rng.integers(0, len(symbols), 400)
    composition = new_composition(TABLE, symbols, HEARD, penalty=0.0)
    posteriors = composition.apply(heads.bins(spoken(symbols, order, rng, mixing))[0].detach().numpy())
    right = posteriors.argmax(-1) - 1 == order
    new = np.isin(np.array(symbols, dtype=object)[order], HELD_OUT)
    assert new.sum() > 80
    assert right[~new].mean() > 0.9
    assert right[new].mean() > 0.7  # by chance 0.02; an output layer of symbols has none of them
