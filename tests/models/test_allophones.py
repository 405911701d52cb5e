import pytest
import torch

from speechxl.models.allophones import AllophoneLayer

SYMBOLS = ["<pad>", "a", "p", "pʰ", "ã", "b"]
LISTS = {"quy": {"a": ["a", "ã"], "p": ["p", "pʰ"]}, "deu": {"p": ["p"], "pʰ": ["pʰ", "p"], "a": ["a"]}}
LANGUAGES = ["quy", "xyz", "deu"]


@pytest.fixture
def layer():
    layer = AllophoneLayer(SYMBOLS, LISTS, LANGUAGES)
    layer.weights.data = torch.tensor([0.5, 1.5, 0.8, 1.2, 0.9, 0.4, 2.0, 1.1])
    return layer


def logits(rows=3):
    return torch.randn(rows, 4, len(SYMBOLS), generator=torch.Generator().manual_seed(0)).requires_grad_()


ORDER = [
    (language, phoneme, phone)
    for language in sorted(LISTS)
    for phoneme, own in LISTS[language].items()
    for phone in own
]
"""Of the weights."""


def by_hand(layer, x, language):
    """(F, V) of one utterance, pair by pair."""
    if language not in LISTS:
        return x
    result = torch.full_like(x, -1e4)
    result[:, 0] = x[:, 0]
    for phoneme, own in LISTS[language].items():
        scores = [layer.weights[ORDER.index((language, phoneme, phone))] * x[:, SYMBOLS.index(phone)] for phone in own]
        result[:, SYMBOLS.index(phoneme)] = torch.stack(scores).amax(0)
    return result


def test_a_phoneme_has_the_largest_weighted_score_of_its_allophones(layer):
    results = []
    for way in ("together", "by hand"):
        x = logits()
        layer.zero_grad()
        if way == "together":
            found = layer(x, torch.tensor([2, 0, 1]))
        else:
            rows = zip(x, ["deu", "quy", "xyz"], strict=True)
            found = torch.stack([by_hand(layer, row, language) for row, language in rows])
        found.softmax(-1).square().sum().backward()
        results.append([found.detach(), x.grad, layer.weights.grad.clone()])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)
    assert (results[0][0] == -1e4).any()
    assert (results[0][2] != 0).sum() > 4


def test_it_begins_by_changing_nothing_but_what_the_language_lacks():
    layer = AllophoneLayer(SYMBOLS, {"quy": {"a": ["a"], "p": ["p"]}})
    x = logits()
    found = layer(x, torch.zeros(3, dtype=torch.long))
    assert torch.equal(found[..., :3], x[..., :3])
    assert (found[..., 3:] == -1e4).all()
    assert layer.languages == ["quy"]
    assert torch.equal(layer.of("quy", x), found)


def test_the_penalty_is_there_and_pulls_the_weights_back(layer):
    start = AllophoneLayer(SYMBOLS, LISTS)
    assert start.penalty() == 0
    start.penalty().backward()
    assert (start.weights.grad == 0).all()  # and not "not a number", as of a norm
    layer.penalty().backward()
    torch.testing.assert_close(layer.weights.grad, 2 * (layer.weights.detach() - 1))
    assert layer.penalty().item() == pytest.approx(sum((w - 1) ** 2 for w in layer.weights.tolist()))


def test_the_weights_belong_to_the_same_pairs_whatever_languages_are_numbered(layer):
    other = AllophoneLayer(SYMBOLS, {"quy": LISTS["quy"], "deu": LISTS["deu"]})
    other.load_state_dict(layer.state_dict())
    x = logits(1)
    for language in LISTS:
        assert torch.equal(other.of(language, x), layer.of(language, x))


def test_bfloat16_goes_in_and_float32_comes_out(layer):
    assert layer(logits().bfloat16(), torch.tensor([0, 1, 2])).dtype == torch.float32
