"""`--phones.strategy compose` and `blend`: phones that were never heard, by their features."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from speechxl.cli import main
from speechxl.config import Phones, Watch
from speechxl.errors import InputError
from speechxl.models.extensions import FILE
from speechxl.phonology.composition import bin_names
from speechxl.phonology.features import panphon_table
from speechxl.verbs.evaluate import evaluate
from speechxl.verbs.finetune import finetune
from speechxl.verbs.map import map as map_phones
from speechxl.verbs.transcribe import transcribe
from tests.conftest import SMALL, make_corpus
from tests.phonology.conftest import write_release
from tests.verbs.test_finetune_attributes import with_phones

pytestmark = pytest.mark.usefixtures("no_phoible")


@pytest.fixture
def corpus(tmp_path):
    return with_phones(make_corpus(tmp_path / "corpus"))


def train(corpus, out, *, attributes=True):
    finetune(
        train=[corpus], out=out, preset="tiny", architecture=SMALL, units="phoneme", attributes=attributes, max_steps=1,
        batch_seconds=4.0, device="cpu", watch=Watch(log_every=1),
    )  # fmt: skip
    return str(out)


@pytest.fixture
def model(corpus, tmp_path):
    return train(corpus, tmp_path / "m")


@pytest.fixture
def inventory(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("t\na\n", encoding="utf-8")  # the model has heard a, b, d, l, o
    return str(path)


def speak(model, *names):
    """Heads that say some values in every frame, and nothing else."""
    path = f"{model}/{FILE}"
    state = load_file(path)
    for name in ("articulation.projection.weight", "articulation.embeddings"):
        state[name].zero_()
    state["articulation.projection.bias"].fill_(1.0)
    known = bin_names(panphon_table())
    for name in names:
        assert state["articulation.used"][known.index(name)]
        state["articulation.embeddings"][1 + known.index(name)] = 1.0
    save_file(state, path)


def test_a_phone_that_was_not_heard_is_written(model, inventory, corpus):
    speak(model, "syl=- at the start", "syl=- at the end")
    texts = {}
    for penalty in (0.0, 1000.0):
        phones = Phones(strategy="compose", penalty=penalty, distance="panphon")
        outcome = transcribe(model, [str(corpus / "u00.wav")], inventory=inventory, phones=phones, precision="32")
        texts[penalty] = outcome.document["results"][0]["text"]
    assert texts[0.0] == "t"
    assert "t" not in texts[1000.0]


def test_both_strategies_are_evaluated_and_told_in_the_report(model, inventory, corpus):
    for strategy, parameters in {
        "compose": {"penalty": 4.0}, "blend": {"tau": 0.6, "penalty": 4.0, "weight": 0.3}, "soft": {"tau": 0.6},
    }.items():  # fmt: skip
        outcome = map_phones(model, inventory=inventory, strategy=strategy, distance="panphon")
        assert json.loads(json.dumps(outcome.document))["parameters"] == parameters
        told = " ".join(f"{name} {value:g}" for name, value in parameters.items())
        assert f"strategy {strategy} {told}, distance panphon" in outcome.text
        phones = Phones(strategy=strategy, distance="panphon")
        document = evaluate(model, [corpus], split="dev", inventory=inventory, phones=phones).document
        assert document["per"] is not None


def test_heads_are_needed(corpus, tmp_path, inventory, capsys):
    plain = train(corpus, tmp_path / "plain", attributes=False)
    flags = ["--inventory", inventory, "--strategy", "compose", "--distance", "panphon"]
    assert main(["map", plain, *flags]) == 2
    assert (
        "plain: --phones.strategy compose needs heads of articulation, which the model does not"
        in capsys.readouterr().err
    )
    with pytest.raises(InputError, match=r"--phones.strategy blend needs heads of articulation"):
        transcribe(plain, [str(corpus / "u00.wav")], inventory=inventory, phones=Phones(strategy="blend"))


def test_the_features_have_to_be_those_of_the_heads(model, inventory, tmp_path):
    release = write_release(tmp_path / "release")
    with pytest.raises(
        InputError, match=r"heads are of the features of panphon [\d.]+, and here are those of unknown \w+; name"
    ):
        map_phones(model, inventory=inventory, strategy="compose", phoible=release, distance="panphon")


@pytest.mark.parametrize(("name", "value"), [("penalty", -1.0), ("weight", 2.0), ("tau", 0.0)])
def test_values_out_of_range_are_refused(model, inventory, name, value):
    with pytest.raises(InputError, match=f"{name} must be .*, got {value}"):
        map_phones(model, inventory=inventory, strategy="blend", distance="panphon", **{name: value})


def test_scores_are_the_same_in_windows_and_batches(model, inventory, corpus):
    phones = Phones(strategy="blend", distance="panphon")
    names = [str(corpus / f"u0{number}.wav") for number in range(4)]
    options = {"inventory": inventory, "phones": phones, "precision": "32"}
    together = transcribe(model, names, **options).document["results"]
    alone = [transcribe(model, [name], **options).document["results"][0] for name in names]
    assert [row["text"] for row in together] == [row["text"] for row in alone]
    assert torch.tensor([len(row["phones"]) for row in together]).sum() > 0
