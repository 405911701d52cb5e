"""Phones of an inventory in the place of the model's, and what else each phone may be."""

import pickle

import numpy as np
import pytest
import torch

from speechxl.decoding.recogniser import Recogniser
from speechxl.decoding.recognisers import Recognisers
from speechxl.models.making import new_ctc_model
from speechxl.phonology.distance import new_metric
from speechxl.phonology.inventory import Inventory
from speechxl.phonology.mapping import Settings, new_map
from speechxl.shapes import Phone
from speechxl.text import Vocabularies, Vocabulary
from tests.conftest import small_preset

METRIC = new_metric("panphon")
VOCABULARY = Vocabulary(("<pad>", "<unk>", *"ptkbmaiu", "tʃ", "aː", "ai", "1"), 0, None)
INVENTORY = Inventory(["p", "d", "ŋ", "a", "e", "o", "t͡ʃ", "pʰ"])
WAVEFORMS = [
    np.random.default_rng(seed).normal(size=size).astype(np.float32) for seed, size in enumerate((9_000, 30_000, 100))
]


def new_model(vocabulary=VOCABULARY):
    torch.manual_seed(0)
    model = new_ctc_model(small_preset(), vocabulary)
    torch.nn.init.normal_(model.lm_head.weight, std=0.5)
    torch.nn.init.normal_(model.lm_head.bias, std=0.5)
    return model


@pytest.fixture(scope="module")
def model():
    return new_model()


def mapping_of(strategy="soft", inventory=INVENTORY, vocabulary=VOCABULARY):
    return new_map(vocabulary, inventory, METRIC, Settings(strategy=strategy))


def posteriors(logits):
    return logits.double().log_softmax(-1).numpy()


def collapsed(scores, vocabulary):
    """Greedy CTC in its simplest form."""
    best = np.asarray(scores).argmax(-1)
    return vocabulary.decode(best[np.diff(best, prepend=-1) != 0].tolist())


def assert_same(one, other):
    assert one.text == other.text
    for first, second in zip(one.words, other.words, strict=True):
        assert (first.start, first.end, first.text) == (second.start, second.end, second.text)
        assert first.score == pytest.approx(second.score, abs=1e-4)
        if isinstance(first, Phone):
            assert dict(first.alternatives) == pytest.approx(dict(second.alternatives), abs=1e-4)


def recogniser(model, **options):
    return Recogniser(model, options.pop("vocabulary", VOCABULARY), **{"normalise": True, **options})


@pytest.mark.parametrize("strategy", ["exact", "nearest", "tr2tgt", "pinned", "assign", "soft"])
def test_the_recogniser_does_what_the_map_does_to_its_logits(model, strategy):
    mapping = mapping_of(strategy)
    own = recogniser(model, mapping=mapping)
    assert own.vocabulary == mapping.vocabulary
    texts = [hypothesis.text for hypothesis in own(WAVEFORMS)]
    for plain, found, text in zip(recogniser(model).logits(WAVEFORMS), own.logits(WAVEFORMS), texts, strict=True):
        expected = mapping.apply(posteriors(plain))
        np.testing.assert_allclose(found.numpy(), expected, atol=2e-4)
        assert text == collapsed(expected, mapping.vocabulary)
    assert set(" ".join(texts).split()) <= set(INVENTORY.symbols)
    assert [bool(text) for text in texts] == [True, True, False]


def test_padding_batches_windows_and_blocks_change_nothing(model):
    mapping = mapping_of()
    together = recogniser(model, mapping=mapping, alternatives=2, batch_seconds=100)(WAVEFORMS)
    for waveform, found in zip(WAVEFORMS, together, strict=True):
        (alone,) = recogniser(model, mapping=mapping, alternatives=2)([waveform])
        assert_same(alone, found)
    cutting = recogniser(model, mapping=mapping, alternatives=2, window_seconds=0.5, context_seconds=0.1)
    (cut,) = cutting([WAVEFORMS[1]])
    plain = recogniser(model, window_seconds=0.5, context_seconds=0.1)
    assert cut.text == collapsed(mapping.apply(posteriors(plain.logits(WAVEFORMS[1:2])[0])), mapping.vocabulary)
    assert_same(cutting.stream(lambda: np.array_split(WAVEFORMS[1], 7)), cut)


def test_a_model_s_own_phones_come_out_as_they_went_in(model):
    own = Inventory([symbol for symbol in VOCABULARY.symbols[2:-1]])
    mapping = mapping_of("soft", own)
    (plain,), (found,) = (recogniser(model, mapping=m).logits(WAVEFORMS[1:2]) for m in (None, mapping))
    expected = np.exp(posteriors(plain))
    expected /= 1 - expected[:, [1, -1]].sum(-1, keepdims=True)  # without <unk> and the tone
    for number, symbol in enumerate(VOCABULARY.symbols[2:-1], 2):
        (column,) = [n for n, x in enumerate(mapping.vocabulary.symbols) if Inventory([symbol]).symbols == (x,)]
        np.testing.assert_allclose(found[:, column].exp().numpy(), expected[:, number], atol=2e-5)
    np.testing.assert_allclose(found[:, 0].exp().numpy(), expected[:, 0], atol=2e-5)


def test_soft_never_takes_from_a_phone_that_the_inventory_has(model):
    """Whatever else is looked for, its posterior is at least what the model gives it."""
    (plain,), (found,) = (recogniser(model, mapping=m).logits(WAVEFORMS[:1]) for m in (None, mapping_of()))
    for symbol in ("p", "a"):
        before = np.exp(posteriors(plain))[:, VOCABULARY.symbols.index(symbol)]
        after = found.exp().numpy()[:, 1 + INVENTORY.symbols.index(symbol)]
        assert (after >= before - 1e-5).all()


def test_where_nothing_is_heard_nothing_is_recognised(model):
    spans = [(0, 9_000)]
    own = recogniser(model, mapping=mapping_of(), alternatives=3, find_speech=lambda blocks: spans)
    (found,) = own.logits(WAVEFORMS[1:2])
    assert (found[40:].argmax(-1) == 0).all()
    (hypothesis,) = own(WAVEFORMS[1:2])
    assert 0 < max(word.end for word in hypothesis.words) < 1


def test_each_vocabulary_is_mapped_by_itself():
    vocabularies = Vocabularies.from_texts({"deu": ["p a ʃ"], "fra": ["b i ʒ o"]}, "phoneme")
    model = new_model(vocabularies)
    maps = {name: mapping_of("soft", INVENTORY, vocabularies.of(name)) for name in ("deu", "fra")}
    plain, own = (
        Recognisers(model, vocabularies, normalise=True),
        Recognisers(model, vocabularies, maps=maps, normalise=True),
    )
    languages = ["fra", "deu", "fra"]
    found = own.logits(WAVEFORMS, languages)
    for logits, mapped, language in zip(plain.logits(WAVEFORMS, languages), found, languages, strict=True):
        np.testing.assert_allclose(mapped.numpy(), maps[language].apply(posteriors(logits)), atol=2e-4)


def test_languages_have_inventories_of_their_own_or_one_for_all(model, monkeypatch):
    maps = {"quy": mapping_of("soft", Inventory(["p", "a"])), "swh": mapping_of("soft", Inventory(["b", "u"]))}
    own = Recognisers(model, VOCABULARY, maps=maps, normalise=True)
    texts = [found.text for found in own([WAVEFORMS[0], WAVEFORMS[0], WAVEFORMS[1]], ["swh", "quy", "swh"])]
    assert [set(text.split()) <= set(symbols) for text, symbols in zip(texts, ("bu", "pa", "bu"), strict=True)] == [
        True
    ] * 3
    assert all(texts)
    one = own.mapped({"": mapping_of()})
    assert one.of("quy") is one.of("") is not own.of("quy")
    batches = []
    encode = Recogniser._encode
    monkeypatch.setattr(Recogniser, "_encode", lambda self, *rest: batches.append(1) or encode(self, *rest))
    one([WAVEFORMS[0], WAVEFORMS[1]], ["swh", ""])
    assert len(batches) == 1


def test_a_map_travels_to_other_processes():
    mapping = mapping_of()
    again = pickle.loads(pickle.dumps(mapping))
    np.testing.assert_array_equal(again.dense, mapping.dense)
    assert again.vocabulary == mapping.vocabulary


def alternatives_by_hand(emissions, vocabulary, path, count):
    """Of each run of a phone: other phones by their highest posterior in its frames."""
    found, first = [], 0
    for last in range(1, len(path) + 1):
        if last < len(path) and path[last] == path[first]:
            continue
        if vocabulary.is_written(path[first]):
            best = np.exp(emissions[first:last]).max(0)
            others = [n for n in range(len(vocabulary)) if vocabulary.is_written(n) and n != path[first]]
            ranked = sorted(others, key=lambda n: -best[n])[:count]
            found.append([(vocabulary.symbols[n], pytest.approx(best[n], abs=1e-4)) for n in ranked])
        first = last
    return found


@pytest.mark.parametrize("mapping", [None, mapping_of()], ids=["own", "mapped"])
@pytest.mark.parametrize("count", [1, 3, 50])
def test_alternatives_are_the_likeliest_other_phones_of_the_stretch(model, mapping, count):
    own = recogniser(model, mapping=mapping, alternatives=count)
    (logits,) = own.logits(WAVEFORMS[1:2])
    emissions = posteriors(logits)
    (found,) = own(WAVEFORMS[1:2])
    expected = alternatives_by_hand(emissions, own.vocabulary, emissions.argmax(-1), count)
    assert len(expected) > 5
    assert [list(phone.alternatives) for phone in found.words] == expected
    assert all(isinstance(phone, Phone) for phone in found.words)
    (plain,) = recogniser(model, mapping=mapping)(WAVEFORMS[1:2])
    assert [(w.text, w.start, w.end, w.score) for w in plain.words] == [
        (w.text, w.start, w.end, w.score) for w in found.words
    ]


@pytest.mark.parametrize("count", [0, 2])
def test_a_beam_searches_the_inventory_s_phones(model, count):
    pytest.importorskip("flashlight")
    from speechxl.decoding.beam import Beam

    mapping = mapping_of()
    own = recogniser(model, mapping=mapping, decoder=Beam(mapping.vocabulary, beam=20), alternatives=count)
    (found,) = own(WAVEFORMS[:1])
    assert_same(own.stream(lambda: np.array_split(WAVEFORMS[0], 4)), found)
    assert set(found.text.split()) <= set(INVENTORY.symbols)
    assert len(found.words) > 3
    if count:
        assert all(len(phone.alternatives) == count for phone in found.words)
        assert all(phone.text not in dict(phone.alternatives) for phone in found.words)
    (plain,) = recogniser(model).logits(WAVEFORMS[:1])
    beam = Beam(mapping.vocabulary, beam=20)
    path = beam.search([beam.reduce(torch.from_numpy(mapping.apply(posteriors(plain))))])
    assert found.text == mapping.vocabulary.decode(path[:, 0].int().unique_consecutive().tolist())
