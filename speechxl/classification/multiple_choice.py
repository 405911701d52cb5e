"""Questions about a passage that was heard, each with a few answers of which one is right. No torch at import."""

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from speechxl.classification.forms import native
from speechxl.classification.transcribers import Transcriber
from speechxl.errors import InputError
from speechxl.evaluation.calibration import softmax
from speechxl.evaluation.predictions import Predictions
from speechxl.shapes import Utterance

_FIELDS = {
    "id": str,
    "language": str,
    "group": str,
    "recordings": list,
    "question": str,
    "answers": list,
    "correct": int,
}


@dataclass(frozen=True)
class Question:
    """One question."""

    id: str
    language: str
    """ISO 639-3."""
    group: str
    """What is drawn together by intervals: questions about the same article, in all languages."""
    recordings: list[str]
    """Ids of the recordings of the passage, in order."""
    question: str
    answers: list[str]
    correct: int
    """Number of the right answer, from 1."""


class AnswerScorer(ABC):
    """Says how well answers fit; nothing is learned from questions."""

    @abstractmethod
    def __call__(self, passages: Sequence[str], questions: Sequence[Question]) -> np.ndarray:
        """(N, A) scores of the answers, higher is better.

        Args:
            passages: N texts.
            questions: N, all with A answers.
        """


@dataclass(frozen=True)
class SlidingWindow(AnswerScorer):
    """Where the passage has most of what question and answer have (Richardson, Burges and Renshaw 2013, algorithm 1).

    In the place of words it counts stretches of three characters, so that scripts without spaces and transcripts with wrong
    ones can be searched. It needs no model, and no language.
    """

    width: int = 3
    """Characters of a stretch."""

    def __call__(self, passages: Sequence[str], questions: Sequence[Question]) -> np.ndarray:
        """See `AnswerScorer`."""
        found = []
        for passage, question in zip(passages, questions, strict=True):
            own = self._stretches(passage)
            weights = {one: np.log1p(1 / count) for one, count in Counter(own).items()}
            asked = self._stretches(question.question)
            found.append([self._best(own, weights, {*asked, *self._stretches(answer)}) for answer in question.answers])
        return np.array(found)

    def _stretches(self, text: str) -> list[str]:
        plain = native(text)
        return [plain[place : place + self.width] for place in range(len(plain) - self.width + 1)]

    @staticmethod
    def _best(passage: Sequence[str], weights: Mapping[str, float], wanted: set[str]) -> float:
        if not passage or not wanted:
            return 0.0
        sums = np.concatenate([[0.0], np.cumsum([weights[one] if one in wanted else 0.0 for one in passage])])
        size = min(len(wanted), len(passage))
        return float((sums[size:] - sums[:-size]).max())


@dataclass(frozen=True)
class AnswerSimilarity(AnswerScorer):
    """Cosine of the embeddings of the passage and of question and answer (extra sentences)."""

    model: str
    """Folder of sentence-transformers, or a name on the hub, such as sentence-transformers/LaBSE."""
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __call__(self, passages: Sequence[str], questions: Sequence[Question]) -> np.ndarray:
        """See `AnswerScorer`."""
        from speechxl.classification.sentences import embeddings, load_sentence_model

        network = load_sentence_model(self.model, self.device)
        texts = [f"{one.question} {answer}" for one in questions for answer in one.answers]
        left, right = (_unit(embeddings(network, part)) for part in (passages, texts))
        return np.asarray(np.einsum("nd,nad->na", left, right.reshape(len(questions), -1, left.shape[1])))


@dataclass(frozen=True)
class AnswerLikelihood(AnswerScorer):
    """What a causal language model finds likely after passage and question: log-likelihood for each token of an answer."""

    model: str
    """Model folder, or a name on the hub."""
    prompt: str = "{passage}\n\n{question}\n"
    """What stands before an answer."""
    max_tokens: int = 1024
    """Longer prompts lose their beginning."""
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        if "{passage}" not in self.prompt or "{question}" not in self.prompt:
            raise InputError(f"AnswerLikelihood: the prompt needs {{passage}} and {{question}}, got {self.prompt!r}.")

    def __call__(self, passages: Sequence[str], questions: Sequence[Question]) -> np.ndarray:
        """See `AnswerScorer`."""
        from speechxl.classification.likelihoods import continuation_scores

        network, tokenizer = _language_model(self.model, self.device)
        found = []
        for passage, one in zip(passages, questions, strict=True):
            text = self.prompt.replace("{question}", one.question).replace("{passage}", passage)
            scores, tokens = continuation_scores(
                network, tokenizer, [text], one.answers, batch_size=len(one.answers), max_tokens=self.max_tokens
            )
            found.append(scores[0] / tokens)
        return np.array(found)


def read_questions(path: Path) -> list[Question]:
    """Questions from JSON lines.

    Args:
        path: File; each line an object with the fields of `Question`.

    Raises:
        InputError: If a line is none, or the number of its answer is not one of them, or the answers are not as many everywhere.
    """
    found: list[Question] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        place = f"{path}:{number}"
        try:
            entry: Any = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{place}: is not JSON ({error.msg}).") from None
        wrong = [
            name
            for name, kind in _FIELDS.items()
            if not isinstance(entry, dict) or not isinstance(entry.get(name), kind)
        ]
        if wrong:
            raise InputError(
                f"{place}: a question needs {', '.join(_FIELDS)}; {wrong[0]} is absent or of another type."
            )
        one = Question(**{name: entry[name] for name in _FIELDS})
        if not 1 <= one.correct <= len(one.answers):
            raise InputError(
                f"{place}: answer {one.correct} is right, and there are {len(one.answers)}; they count from 1."
            )
        if found and len(one.answers) != len(found[0].answers):
            raise InputError(f"{place}: {len(one.answers)} answers, and {len(found[0].answers)} in the first line.")
        found.append(one)
    if not found:
        raise InputError(f"{path}: there are no questions.")
    return found


def passage_texts(transcriber: Transcriber, rows: Sequence[Utterance], questions: Sequence[Question]) -> list[str]:
    """What was heard of the passage of each question.

    Args:
        transcriber: Of the recordings.
        rows: Recordings.
        questions: N.

    Raises:
        InputError: If a recording is not among the rows.
    """
    wanted = {id for one in questions for id in one.recordings}
    there = [row for row in rows if row.id in wanted]
    if lacking := sorted(wanted - {row.id for row in there}):
        raise InputError(f"{lacking[0]}: a question needs this recording, and the manifest has no such row.")
    texts = dict(zip([row.id for row in there], transcriber(there), strict=True))
    return [" ".join(text for id in one.recordings if (text := texts[id])) for one in questions]


def answered(scorer: AnswerScorer, passages: Sequence[str], questions: Sequence[Question]) -> Predictions:
    """What is chosen; the classes are the numbers of the answers."""
    scores = scorer(passages, questions)
    labels = [str(number) for number in range(1, scores.shape[1] + 1)]
    return Predictions([one.id for one in questions], labels, softmax(scores, 1.0))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


@lru_cache(maxsize=1)
def _language_model(model: str, device: str) -> tuple[Any, Any]:
    from speechxl.classification.likelihoods import load_language_model

    return load_language_model(model, device)
