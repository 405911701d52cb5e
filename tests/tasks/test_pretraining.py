import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2ForPreTraining
from transformers.models.wav2vec2.modeling_wav2vec2 import _compute_mask_indices, _sample_negative_indices

from speechxl.config import PRESETS, Contrast, Mask, settle
from speechxl.models.weights import configuration, with_encoder
from speechxl.shapes import Batch
from speechxl.tasks import pretraining
from speechxl.tasks.pretraining import Pretraining
from tests.conftest import small_preset


def task_for(model, preset="xls-r-300m", **contrast):
    objective = settle(Contrast(**contrast), PRESETS[preset], gumbel_start=2.0)
    task = Pretraining(
        model,
        mask=Mask(),
        objective=objective,
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


def test_a_collapsed_codebook_shows_low_loss_perfect_accuracy_and_a_perplexity_of_one():
    model = with_encoder(Wav2Vec2ForPreTraining(configuration(small_preset())))
    torch.nn.init.zeros_(model.quantizer.weight_proj.weight)
    model.quantizer.weight_proj.bias.data[::64] = 50.0
    measures = task_for(model).eval().loss(batch_of(torch.randn(2, 16_000))).measures
    assert measures["contrastive"][0] == 0
    assert measures["accuracy"][0] == measures["accuracy"][1]
    assert measures["code_perplexity"][0].item() == pytest.approx(1.0, abs=1e-3)


def test_random_weights_are_near_the_logarithm_of_the_number_of_candidates():
    torch.manual_seed(0)
    model = with_encoder(Wav2Vec2ForPreTraining(configuration(small_preset("xls-r-300m"))))
    loss = task_for(model).train().loss(batch_of(torch.randn(4, 48_000)))
    total, count = loss.measures["contrastive"]
    assert (total / count).item() == pytest.approx(np.log(101), abs=0.4)
