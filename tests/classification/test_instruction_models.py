"""Classification by the likelihood of descriptions, with tiny random weights."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from speechxl.classification.classifier import Examples, load_classifier, save_classifier
from speechxl.classification.instructions import Instructions
from speechxl.classification.likelihoods import continuation_scores, load_language_model
from speechxl.errors import InputError
from tests.classification.tiny_texts import language_model_folder

LABELS = ["food", "road"]
PROMPTS = ["text : wali na chai answer :", "text : gari answer :"]
ENDS = ["food", "road na gari", "ya"]
NONE = Examples([], [])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(language_model_folder(tmp_path_factory.mktemp("llama")))


def by_hand(folder, prompt, end):
    """Log-likelihood, token by token."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    ids, total = tokenizer(prompt)["input_ids"], 0.0
    for token in tokenizer(f" {end}", add_special_tokens=False)["input_ids"]:
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, -1]
        total += float(logits.log_softmax(-1)[token])
        ids = [*ids, token]
    return total


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_scores_are_sums_of_log_likelihoods_whatever_the_batch(folder, batch_size):
    scores, tokens = continuation_scores(
        *load_language_model(folder, "cpu"), PROMPTS, ENDS, batch_size=batch_size, max_tokens=100
    )
    expected = [[by_hand(folder, prompt, end) for end in ENDS] for prompt in PROMPTS]
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    assert tokens.tolist() == [1, 3, 1]
    assert np.ptp(scores) > 1


def test_long_prompts_lose_their_beginning(folder):
    model = load_language_model(folder, "cpu")
    long, short = (
        continuation_scores(*model, [text], ENDS, batch_size=8, max_tokens=4)[0]
        for text in ("wali " * 30 + "text : gari answer", "text : gari answer")
    )
    np.testing.assert_allclose(long, short, atol=1e-5)


def test_the_template_for_chats_is_used(tmp_path):
    folder = str(language_model_folder(tmp_path / "chat", chat=True))
    network, tokenizer = load_language_model(folder, "cpu")
    scores, _ = continuation_scores(network, tokenizer, ["gari leo"], ["road"], batch_size=4, max_tokens=50)
    ids = [0, *tokenizer("gari leo")["input_ids"], 2, 0]
    with torch.inference_mode():
        expected = network(torch.tensor([ids])).logits[0, -1].log_softmax(-1)[tokenizer.convert_tokens_to_ids("road")]
    assert scores[0, 0] == pytest.approx(float(expected), abs=1e-4)


def test_probabilities_follow_from_scores_in_each_correction(folder):
    learners = {name: Instructions(folder, correction=name, device="cpu") for name in ("none", "length", "prior")}
    found = {name: learner.learn(NONE, LABELS)(["gari la treni", "wali"]) for name, learner in learners.items()}
    asked = [learners["none"].asked(text, LABELS) for text in ("gari la treni", "wali", "")]
    raw = np.array([[by_hand(folder, prompt, label) for label in LABELS] for prompt in asked])

    def softmax(scores):
        return np.exp(scores) / np.exp(scores).sum(1, keepdims=True)

    np.testing.assert_allclose(found["none"], softmax(raw[:2]), atol=1e-4)
    np.testing.assert_allclose(found["prior"], softmax(raw[:2] - raw[2]), atol=1e-4)
    np.testing.assert_allclose(found["length"], found["none"], atol=1e-6)  # both are one token
    assert np.abs(found["prior"] - found["none"]).max() > 1e-3


def test_descriptions_stand_in_the_question_and_are_what_is_scored(folder):
    learner = Instructions(folder, {"food": "wali na nyama"}, correction="none", device="cpu")
    learned = learner.learn(NONE, ["food", "big_road"])
    assert learned.descriptions == ["wali na nyama", "big road"]
    prompt = learner.asked("leo", learned.descriptions)
    assert prompt == "Which one of these does the text belong to: wali na nyama, big road?\n\nText: leo\nAnswer:"
    assert learned.scores(["leo"])[0, 0] == pytest.approx(by_hand(folder, prompt, "wali na nyama"), abs=1e-4)


def test_it_is_saved_by_the_name_of_its_model_with_the_temperature_of_dev_texts(folder, tmp_path):
    dev = Examples(["wali", "gari", "chai", "treni"], ["food", "road", "food", "road"])
    learned = Instructions(folder, device="cpu").learn(NONE, LABELS, dev)
    assert learned.temperature != 1
    save_classifier(tmp_path / "c", learned)
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["classifier.json"]
    np.testing.assert_allclose(load_classifier(tmp_path / "c")(dev.texts), learned(dev.texts), atol=1e-6)


def test_what_cannot_be_asked_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="descriptions: 'fod' is no label; there are food, road"):
        Instructions(folder, {"fod": "x"}).learn(NONE, LABELS)
    with pytest.raises(InputError, match="no token for ''; describe the class in other words"):
        Instructions(folder, {"food": ""}, device="cpu").learn(NONE, LABELS)(["x"])
    with pytest.raises(
        InputError, match=r"prompt 'Hello': holds \[\], it may hold \['instruction', 'text'\] and needs \['text'\]"
    ):
        Instructions(folder, prompt="Hello")
    with pytest.raises(InputError, match=r"instruction '\{x\}': holds"):
        Instructions(folder, instruction="{x}")
    with pytest.raises(InputError, match=r"prompt '\{text': "):
        Instructions(folder, prompt="{text")
    with pytest.raises(InputError, match="batch_size and max_tokens must be at least 1, got 0"):
        Instructions(folder, batch_size=0)
    with pytest.raises(InputError, match="nowhere: transformers cannot load it"):
        Instructions(str(tmp_path / "nowhere")).learn(NONE, LABELS)
