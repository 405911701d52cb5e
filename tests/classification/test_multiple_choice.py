"""Answers to questions about passages."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from speechxl.classification.multiple_choice import (
    AnswerLikelihood,
    AnswerSimilarity,
    Question,
    SlidingWindow,
    answered,
    passage_texts,
    read_questions,
)
from speechxl.classification.transcribers import Reference
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from tests.classification.tiny_texts import encoder_folder, language_model_folder

PASSAGE = "The ferry left the harbour at noon. A storm came up in the evening, and the crew returned to the island."
ASKED = Question(
    "q1",
    "eng",
    "a",
    ["r1", "r2"],
    "Where did the crew go?",
    ["to a market", "to the island", "into a village", "nowhere"],
    2,
)
EMPTY = Question("q2", "eng", "a", ["r1"], "What?", ["a", "b", "c", "d"], 1)


def test_the_window_is_that_of_the_paper():
    """By hand: stretches of one character stand for words."""
    question = Question("q", "eng", "a", [], "q", ["ab", "c"], 1)
    scores = SlidingWindow(width=1)(["abacc"], [question])[0]
    weights = {"a": np.log(1.5), "b": np.log(2), "c": np.log(1.5)}
    assert scores == pytest.approx(
        [2 * weights["a"] + weights["b"], 2 * weights["c"]]
    )  # q, a, b: three wide; q, c: two


def test_the_right_answer_is_found_by_its_words_and_nothing_by_none():
    said = answered(SlidingWindow(), [PASSAGE.upper()], [ASKED])
    assert (said.ids, said.labels, said.numbers.tolist()) == (["q1"], ["1", "2", "3", "4"], [1])
    assert SlidingWindow()(["", PASSAGE], [ASKED, EMPTY]).tolist()[0] == [0.0] * 4
    assert np.isfinite(SlidingWindow()(["a"], [ASKED])).all()


def test_similarity_is_the_cosine_of_sentence_embeddings(tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    body = Transformer(str(encoder_folder(tmp_path / "encoder")))
    network = SentenceTransformer(modules=[body, Pooling(32)], device="cpu")
    network.save(str(folder := tmp_path / "m"))
    scores = AnswerSimilarity(str(folder), "cpu")(["wali na chai", "gari"], [ASKED, EMPTY])
    for row, passage, one in zip(scores, ["wali na chai", "gari"], [ASKED, EMPTY], strict=True):
        for score, answer in zip(row, one.answers, strict=True):
            left, right = network.encode([passage, f"{one.question} {answer}"])
            assert score == pytest.approx(left @ right / np.linalg.norm(left) / np.linalg.norm(right), abs=1e-5)


def test_likelihood_is_that_of_the_tokens_of_the_answer(tmp_path):
    folder = language_model_folder(tmp_path / "m")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    network, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    scorer = AnswerLikelihood(str(folder), prompt="{passage} {question}", device="cpu")
    one = Question("q", "swh", "a", [], "which", ["food", "road na gari"], 1)
    for score, answer in zip(scorer(["wali chai"], [one])[0], one.answers, strict=True):
        start = tokenizer("wali chai which")["input_ids"]
        end = tokenizer(f" {answer}", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logs = network(torch.tensor([start + end])).logits[0].log_softmax(-1)
        own = [float(logs[len(start) + place - 1, token]) for place, token in enumerate(end)]
        assert score == pytest.approx(np.mean(own), abs=1e-4)
    with pytest.raises(InputError, match=r"the prompt needs \{passage\} and \{question\}, got 'Say: \{question\}'"):
        AnswerLikelihood("m", "Say: {question}")


def test_passages_are_put_together_in_the_order_of_their_sentences():
    rows = [Utterance(Path("/c/a.wav"), id, text=text) for id, text in (("r2", "two"), ("r1", "one"), ("r9", ""))]
    assert passage_texts(Reference(), rows, [ASKED, EMPTY]) == ["one two", "one"]
    with pytest.raises(InputError, match="r2: a question needs this recording, and the manifest has no such row"):
        passage_texts(Reference(), rows[1:], [ASKED])


def test_questions_that_are_none_are_named_with_their_line(tmp_path):
    path = tmp_path / "q.jsonl"

    def written(*entries):
        path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in entries))
        return path

    whole = asdict(ASKED)
    assert read_questions(written(whole, whole | {"extra": 1})) == [ASKED, ASKED]
    for entries, message in (
        ((whole, "{"), r"q.jsonl:2: is not JSON"),
        ((whole | {"correct": "2"},), r"q.jsonl:1: a question needs id, .*; correct is absent or of another type"),
        ((whole | {"correct": 5},), r"q.jsonl:1: answer 5 is right, and there are 4; they count from 1"),
        ((whole, whole | {"answers": ["a", "b"]}), r"q.jsonl:2: 2 answers, and 4 in the first line"),
        ((), r"q.jsonl: there are no questions"),
    ):
        with pytest.raises(InputError, match=message):
            read_questions(written(*entries))
