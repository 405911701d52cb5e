import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2ForPreTraining
from transformers.models.wav2vec2.modeling_wav2vec2 import _compute_mask_indices, _sample_negative_indices

from speechxl.config import PRESETS, Contrast, Mask, resolve, settle
from speechxl.models.making import configuration, with_encoder
from speechxl.shapes import Batch, Encoded
from speechxl.tasks import pretraining
from speechxl.tasks.collapse import collapse_sign
from speechxl.tasks.pretraining import Pretraining
from tests.conftest import NO_DROPOUT, SMALL, small_preset


def task_for(model, preset="xls-r-300m", hours=None, **contrast):
    objective = settle(Contrast(**contrast), PRESETS[preset], gumbel_start=2.0)
    task = Pretraining(
        model,
        mask=Mask(),
        objective=objective,
        hours=hours or {"swh": 1.0},
        seed=1,
        lr=1e-3,
        schedule=lambda step: 1.0,
        weight_decay=0.01,
    )
    task.__dict__["_trainer"] = SimpleNamespace(global_step=0, training=True)
    return task


def batch_of(waveform, lengths=None):
    full = torch.full((len(waveform),), waveform.shape[1])
    lengths = full if lengths is None else lengths
    return Batch(
        ids=[str(row) for row in range(len(waveform))],
        keys=torch.arange(len(waveform)) * 7919 + 3,
        waveform=waveform,
        lengths=lengths,
        padded=bool((lengths < full).any()),
        languages=torch.zeros(len(waveform), dtype=torch.long),
    )


@pytest.fixture(params=["w2v2-base", "xls-r-300m"])
def models(request):
    torch.manual_seed(0)
    peer = Wav2Vec2ForPreTraining(configuration(replace(small_preset(request.param), feature_dropout=0.0)))
    return peer, with_encoder(copy.deepcopy(peer))


def straight(logits, noise, tau):
    """`gumbel_softmax` with given noise."""
    soft = ((logits + noise.view_as(logits)) / tau).softmax(-1)
    return torch.zeros_like(soft).scatter_(-1, soft.argmax(-1, keepdim=True), 1.0) - soft.detach() + soft


@pytest.mark.parametrize("training", [False, True])
def test_loss_and_gradients_equal_those_of_transformers(models, training, monkeypatch):
    peer, model = models
    np.random.seed(0)
    waveform = torch.randn(2, 32_000)
    mask = torch.tensor(_compute_mask_indices((2, 99), 0.65, 10))
    negatives = torch.tensor(_sample_negative_indices((2, 99), 100, mask.numpy()))
    uniform = torch.rand(2, 99, 640).clamp(1e-6, 1 - 1e-6)
    noise = -(-uniform.log()).log()
    monkeypatch.setattr(torch.nn.functional, "gumbel_softmax", lambda logits, tau, hard: straight(logits, noise, tau))
    theirs = peer.train(training)(waveform, mask_time_indices=mask, sampled_negative_indices=negatives)

    places = [row.nonzero()[:, 0] for row in mask]
    distractors = torch.zeros(2, max(map(len, places)), 100, dtype=torch.long)
    masked_uniform = torch.full((2, distractors.shape[1], 640), 0.5)
    for row, frames in enumerate(places):
        rank = torch.full((2 * 99,), -1)
        rank[frames + 99 * row] = torch.arange(len(frames))
        distractors[row, : len(frames)] = rank[negatives[row, frames]]
        masked_uniform[row, : len(frames)] = uniform[row, frames]
    monkeypatch.setattr(pretraining, "span_mask", lambda *args, **kwargs: mask)
    monkeypatch.setattr(pretraining, "draw_distractors", lambda *args: distractors)
    draws = {
        pretraining.GUMBEL: masked_uniform.flatten(1),
        pretraining.DISTRACTORS: torch.zeros(distractors.shape).flatten(1),
    }
    monkeypatch.setattr(pretraining, "keyed_uniform", lambda keys, count, stream: draws[stream])
    loss = task_for(model, feature_penalty=0.0, feature_gradient=1.0).train(training).loss(batch_of(waveform))

    assert loss.count == mask.sum()
    assert loss.measures["contrastive"][0].item() == pytest.approx(theirs.contrastive_loss.item(), rel=1e-4)
    if training:  # in evaluation transformers takes the perplexity of hard choices
        assert loss.total.item() == pytest.approx(theirs.loss.item(), rel=1e-4)
        loss.total.backward()
        theirs.loss.backward()
        for (name, ours), (other, their) in zip(model.named_parameters(), peer.named_parameters(), strict=True):
            assert name == other
            scale = their.grad.abs().max() + 1e-6
            torch.testing.assert_close(
                ours.grad / scale, their.grad / scale, atol=2e-3, rtol=0, msg=lambda m, n=name: f"{n}: {m}"
            )


def test_padding_and_batch_do_not_change_the_loss():
    torch.manual_seed(0)
    model = with_encoder(Wav2Vec2ForPreTraining(configuration(small_preset())))
    task = task_for(model, diversity=0.0, feature_penalty=10.0).train()
    waveform, lengths = torch.randn(3, 20_000), torch.tensor([20_000, 16_000, 9_000])
    for row, length in zip(waveform, lengths, strict=True):
        row[length:] = 0
    batch = batch_of(waveform, lengths)
    together = task.loss(batch)
    alone = 0.0
    for row, length in enumerate(lengths):
        single = batch_of(waveform[row : row + 1, :length])
        single.keys = batch.keys[row : row + 1]
        alone += task.loss(single).total
    torch.testing.assert_close(together.total, alone, rtol=1e-5, atol=1e-3)


def test_the_bound_on_masked_frames_of_an_accelerator_gives_the_same_loss(monkeypatch):
    torch.manual_seed(0)
    model = with_encoder(Wav2Vec2ForPreTraining(configuration(small_preset())))
    task = task_for(model).train()
    batch = batch_of(torch.randn(2, 20_000))
    exact = task.loss(batch).total
    seen = []

    def bound(self, mask):
        seen.append((int(mask.sum(1).max()), self._bound(mask.shape[1])))
        return seen[-1][1]

    monkeypatch.setattr(Pretraining, "_most_masked", bound)
    torch.testing.assert_close(task.loss(batch).total, exact, rtol=1e-5, atol=1e-3)
    assert seen[0][0] < seen[0][1]


def test_the_gradient_into_the_extractor_is_scaled():
    torch.manual_seed(0)
    model = with_encoder(Wav2Vec2ForPreTraining(configuration(small_preset())))
    batch = batch_of(torch.randn(2, 16_000))
    gradients = []
    for share in (1.0, 0.1):
        model.zero_grad()
        task_for(model, feature_gradient=share).train().loss(batch).total.backward()
        gradients.append([parameter.grad.clone() for parameter in model.wav2vec2.feature_extractor.parameters()])
    for whole, part in zip(*gradients, strict=True):
        torch.testing.assert_close(part, 0.1 * whole, rtol=1e-3, atol=1e-4)


def means(measures):
    return {name: float(total) / float(weight) for name, (total, weight) in measures.items()}


def published(preset):
    """A model whose quantizer and heads have the published sizes, on a small encoder."""
    torch.manual_seed(0)
    shape = resolve(preset, replace(SMALL, conv_channels=512), NO_DROPOUT)
    return with_encoder(Wav2Vec2ForPreTraining(configuration(replace(shape, feature_dropout=0.0))))


def test_a_collapsed_codebook_shows_low_loss_perfect_accuracy_and_a_perplexity_of_one():
    model = published("xls-r-300m")
    torch.nn.init.zeros_(model.quantizer.weight_proj.weight)
    model.quantizer.weight_proj.bias.data[::320] = 50.0
    loss = task_for(model).eval().loss(batch_of(torch.randn(2, 16_000)))
    values = means(loss.measures)
    assert values["contrastive"] == 0
    assert values["accuracy"] == values["tied_distractors"] == 1
    assert values["code_perplexity_1"] == pytest.approx(1, abs=1e-3)
    assert values["code_perplexity_2"] == pytest.approx(1, abs=1e-3)
    assert (loss.total / loss.count).item() == pytest.approx(0.1 * 0.9969, abs=1e-5)  # the diversity loss alone
    for signs in ({"code_perplexity_2"}, {"tied_distractors"}, {"contrastive", "accuracy"}):
        assert collapse_sign({name: values[name] for name in signs}, 320)


def test_uniform_codes_have_no_diversity_loss():
    model = published("xls-r-300m")
    torch.nn.init.zeros_(model.quantizer.weight_proj.weight)
    loss = task_for(model).train().loss(batch_of(torch.randn(2, 160_000)))
    values = means(loss.measures)
    assert 2 * values["probability_perplexity"] == pytest.approx(640, abs=0.1)
    assert (loss.total / loss.count).item() == pytest.approx(values["contrastive"], abs=1e-4)
    assert not collapse_sign(values, 320)


@pytest.mark.parametrize(("preset", "nats", "accuracy"), [("w2v2-base", 4.66, 0.014), ("xls-r-300m", 4.63, 0.009)])
def test_a_published_initialisation_begins_where_a_simulation_of_it_does(preset, nats, accuracy):
    """400 masked frames of independent features, K = 100: near ln 101 = 4.615 nats and 1 / 101."""
    task = task_for(published(preset), preset).train()
    frames = torch.full((16,), 815)
    mask = torch.zeros(16, 815, dtype=torch.bool)
    mask[:, ::2] = True
    normed = torch.nn.functional.layer_norm(torch.randn(16, 815, 512), (512,))
    encoded = Encoded(torch.randn(16, 815, 32), None, normed, normed)
    values = means(task.compare(encoded, mask, frames, batch_of(torch.zeros(16, 261_000))).measures)
    assert values["contrastive"] == pytest.approx(nats, abs=0.04)
    assert values["accuracy"] == pytest.approx(accuracy, abs=0.006)
    assert values["code_perplexity_1"] > 300
    assert not collapse_sign(values, 320)


def test_each_language_is_measured():
    torch.manual_seed(0)
    model = with_encoder(Wav2Vec2ForPreTraining(configuration(small_preset())))
    task = task_for(model, hours={"quy": 0.5, "swh": 2.0, "yor": 1.0}).train()
    batch = batch_of(torch.randn(4, 32_000), torch.tensor([32_000, 32_000, 16_000, 32_000]))
    batch.languages = torch.tensor([1, 0, 1, 1])
    loss = task.loss(batch)
    task.note(batch, loss)
    task.note(batch, loss)
    read = task.languages.read()
    assert read.keys() == {"quy", "swh"}
    assert read["quy"]["loss"] == pytest.approx((loss.rows[1, 0] / loss.rows[1, 2]).item(), rel=1e-6)
    assert read["swh"]["accuracy"] == pytest.approx(
        (loss.rows[[0, 2, 3], 1].sum() / loss.rows[[0, 2, 3], 2].sum()).item()
    )
    assert read["swh"]["hours"] == pytest.approx(10 / 3600)
    assert read["swh"]["epochs"] == pytest.approx(10 / 3600 / 2)
    codes = [loss.codes[row][loss.valid[row]] for row in (0, 2, 3)]
    for book in range(2):
        used = torch.bincount(torch.cat(codes)[:, book], minlength=64).float()
        assert read["swh"][f"used_{book + 1}"] == (used > 0).sum()
        shares = used / used.sum()
        entropy = -(shares * shares.clamp(min=1e-12).log()).sum()
        assert read["swh"][f"perplexity_{book + 1}"] == pytest.approx(entropy.exp().item(), rel=1e-3)
    task.note(batch, loss)
    assert task.languages.read()["quy"]["hours"] == pytest.approx(6 / 3600)
