import numpy as np
import pytest
import torch
import torch.nn.functional as F

from speechxl.config import Augment, Head
from speechxl.errors import InputError
from speechxl.models.adapters import add_lora
from speechxl.models.classifiers import new_classifier
from speechxl.shapes import Batch, Targets
from speechxl.tasks.classification import NO_LABEL, SpeechClassification
from tests.conftest import small_preset

CLASSES = {"digit": ["0", "1", "2"], "command": ["go", "stop"]}
TARGETS = torch.tensor([[0, NO_LABEL], [2, 1], [NO_LABEL, 0], [1, NO_LABEL]])


def make(model=None, **options):
    torch.manual_seed(0)
    model = model or new_classifier(small_preset(), CLASSES, Head(projection=24))
    usual = {
        "classes": CLASSES, "weights": None, "smoothing": 0.0, "augment": Augment(0.0, 10, 0.0), "freeze_extractor": False,
        "freeze_encoder": 0, "train_layers": None, "head_lr": 1e-3, "languages": ["quy", "swh"], "seed": 1, "lr": 1e-4,
        "schedule": lambda step: 1.0, "weight_decay": 0.0,
    }  # fmt: skip
    return SpeechClassification(model, **{**usual, **options})


def batch(targets=TARGETS):
    return Batch(
        [f"u{row}" for row in range(len(targets))],
        torch.arange(len(targets)),
        torch.randn(len(targets), 6_000, generator=torch.Generator().manual_seed(0)),
        torch.tensor([6_000 - 500 * row for row in range(len(targets))]),
        padded=True,
        languages=torch.arange(len(targets)) % 2,
        targets=Targets([""] * len(targets), targets, torch.full((len(targets),), 2)),
    )


def trained(task):
    return {name for name, parameter in task.model.named_parameters() if parameter.requires_grad}


def test_the_loss_is_the_mean_over_the_labels_that_an_utterance_has():
    task = make(weights=[np.array([1.0, 2.0, 3.0]), np.array([0.5, 4.0])]).eval()
    digit, command = (scores.log_softmax(-1) for scores in task.logits(batch()))
    expected = [-digit[0, 0], (-3 * digit[1, 2] - 4 * command[1, 1]) / 2, -0.5 * command[2, 0], -2 * digit[3, 1]]
    found = task.loss(batch())
    torch.testing.assert_close(found.utterances, torch.stack(expected))
    torch.testing.assert_close(found.total, torch.stack(expected).sum())
    assert found.count == 4
    assert {name: pair[1].item() for name, pair in found.measures.items()} == {
        "accuracy_digit": 3,
        "accuracy_command": 2,
    }


def test_targets_are_smoothed_in_training_only():
    task = make(smoothing=0.3)
    only = TARGETS.clone()
    only[:, 1] = NO_LABEL
    rows = only[[0, 1, 3]]
    own = task.train().loss(batch(rows)).utterances
    expected = F.cross_entropy(task.logits(batch(rows))[0], rows[:, 0], reduction="none", label_smoothing=0.3)
    torch.testing.assert_close(own, expected)
    plain = task.eval().loss(batch(rows)).utterances
    torch.testing.assert_close(plain, F.cross_entropy(task.logits(batch(rows))[0], rows[:, 0], reduction="none"))
    assert (own - plain).abs().max() > 1e-4


def test_a_kind_that_no_utterance_of_a_batch_has_learns_nothing():
    task = make()
    task.loss(batch(TARGETS[[0, 3]])).total.backward()
    digit, command = task.model.heads
    assert digit.weight.grad.abs().max() > 0
    assert command.weight.grad is None or command.weight.grad.abs().max() == 0


def test_masks_follow_from_the_keys_and_not_from_the_batch():
    task = make(augment=Augment(0.5, 4, 0.5, 8)).train()
    one, other = task.loss(batch()).utterances, task.loss(batch()).utterances
    torch.testing.assert_close(one, other)
    moved = batch()
    moved.keys += 100
    assert (task.loss(moved).utterances - one).abs().max() > 1e-5
    assert (make().train().loss(batch()).utterances - one).abs().max() > 1e-5


@pytest.mark.parametrize(
    ("options", "extractor", "layers", "rest"),
    [
        ({}, True, {0, 1}, True),
        ({"freeze_extractor": True}, False, {0, 1}, True),
        ({"freeze_encoder": 5}, True, {0, 1}, True),
        ({"freeze_encoder": None}, False, set(), False),
        ({"train_layers": 0}, False, set(), False),
        ({"train_layers": 1}, False, {1}, False),
        ({"train_layers": 2}, False, {0, 1}, False),
    ],
)
def test_what_is_trained(options, extractor, layers, rest):
    task = make(**options)
    names = trained(task)
    assert {"network.projector.weight", "network.classifier.bias", "network.layer_weights", "outputs.0.weight"} <= names
    start = "network.wav2vec2."
    assert any(name.startswith(f"{start}feature_extractor") for name in names) == extractor
    assert {int(name.split(".")[4]) for name in names if ".encoder.layers." in name} == layers
    assert (f"{start}feature_projection.projection.weight" in names) == rest
    assert (f"{start}encoder.layer_norm.weight" in names) == bool(layers)
    assert task.frozen == (not layers)
    assert task.strict_loading == (len(layers) == 2)


def test_layers_that_stay_get_no_gradient_and_those_above_do():
    task = make(train_layers=1).train()
    task.loss(batch()).total.backward()
    lower, upper = (layer.attention.q_proj.weight.grad for layer in task.layers)
    assert lower is None
    assert upper.abs().max() > 0


def test_lora_alone_is_trained_in_the_encoder():
    pytest.importorskip("peft")
    model = new_classifier(small_preset(), CLASSES, Head(projection=24))
    add_lora(
        model.network, rank=2, scale=4, targets=["q_proj"], layers=model.backbone.layers,
        heads=("projector.", "classifier.", "layer_weights"),
    )  # fmt: skip
    names = trained(make(model, freeze_extractor=True))
    inside = {name for name in names if ".wav2vec2." in name}
    assert len(inside) == 4
    assert all("lora_" in name for name in inside)
    assert {"network.projector.weight", "outputs.0.weight"} <= names


def test_encoder_and_head_have_learning_rates_of_their_own():
    task = make(layer_decay=0.5)
    rates = {id(p): group["lr"] for group in task._groups() for p in group["params"]}
    parameters = dict(task.model.named_parameters())
    assert len(rates) == len(parameters)
    found = {name: rates[id(parameter)] for name, parameter in parameters.items()}
    start = "network.wav2vec2."
    assert found["network.projector.weight"] == found["outputs.0.bias"] == found["network.layer_weights"] == 1e-3
    assert found[f"{start}encoder.layers.1.attention.q_proj.weight"] == found[f"{start}encoder.layer_norm.bias"] == 1e-4
    assert found[f"{start}encoder.layers.0.attention.q_proj.weight"] == 5e-5
    assert found[f"{start}feature_projection.projection.weight"] == 2.5e-5
    assert [group["lr"] for group in make()._groups()] == [1e-4, 1e-3]
    assert [group["lr"] for group in make(freeze_encoder=None)._groups()] == [1e-3]


def test_dev_is_measured_by_kind_and_language():
    task = make().eval()
    with torch.no_grad():
        for head, best in zip(task.model.heads, (0, 1), strict=True):  # always the digit 0, always stop
            head.weight.zero_()
            head.bias.copy_(torch.nn.functional.one_hot(torch.tensor(best), len(head.bias)) * 9.0)
    task.validation_step(batch(), 0)
    task.on_validation_epoch_end()
    assert task.dev_rates["accuracy_digit"] == pytest.approx(1 / 3)
    assert task.dev_rates["macro_f1_digit"] == pytest.approx(0.5 / 3)  # precision 1/3, recall 1, of three classes
    assert task.dev_rates["macro_f1_command"] == pytest.approx((0 + 2 / 3) / 2)
    mean = (0.5 / 3 + 1 / 3) / 2
    assert 1 - mean < task.score < 1 - mean + 1e-4
    languages = task.dev_languages.read()
    assert languages["quy"]["accuracy_digit"] == 1  # u0, and u2 which has a command only
    assert languages["swh"]["accuracy_command"] == 1
    assert languages["quy"]["accuracy_command"] == 0


def test_a_batch_without_labels_is_named():
    empty = batch()
    empty.targets = None
    with pytest.raises(InputError, match="The batch with u0 has no targets"):
        make().loss(empty)
