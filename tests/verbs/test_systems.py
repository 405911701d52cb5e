"""Parts of the systems that `classify compare` compares."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from speechxl.classification.labels import Labelled
from speechxl.classification.ngrams import NGrams
from speechxl.classification.sentences import SentenceEmbeddings
from speechxl.classification.transcribers import NoisyReference, Reference
from speechxl.evaluation.predictions import Predictions
from speechxl.shapes import Utterance
from speechxl.verbs.speech_systems import EndToEnd, calibrated
from speechxl.verbs.systems import Task, decisive, settings_of
from speechxl.verbs.text_systems import TextCascade
from speechxl.verbs.transcribers import Recogniser


def labelled(values):
    rows = [Utterance(Path(f"/{place}.wav"), f"u{place}") for place in range(len(values))]
    return Labelled(rows, list(values), "kind")


def test_a_temperature_makes_the_overconfident_less_so_and_changes_no_answer():
    sure = np.array([[0.98, 0.02], [0.98, 0.02], [0.02, 0.98], [0.98, 0.02]])
    test = Predictions(["t0", "t1"], ["a", "b"], np.array([[0.9, 0.1], [0.3, 0.7]]))
    held = Predictions([f"u{place}" for place in range(4)], ["a", "b"], sure)
    wrong = Task(labelled("ab"), labelled("abba"), labelled("ab"), ["a", "b"], 1)
    found = calibrated(test, held, wrong)
    assert found.best == test.best
    assert found.probabilities.max() < 0.9
    right = Task(labelled("ab"), labelled("aaba"), labelled("ab"), ["a", "b"], 1)
    assert calibrated(test, held, right).probabilities.max() > found.probabilities.max()
    none = Task(labelled("ab"), None, labelled("ab"), ["a", "b"], 1)
    assert calibrated(test, held.select([]), none) is test


def test_a_cascade_stands_for_its_training_texts():
    both = TextCascade(NoisyReference(0.2))
    names = both.variants("poor")
    assert {name: one.train_text for name, one in names.items()} == {
        "poor": ("both",), "poor, learns from transcripts": ("asr",), "poor, learns from references": ("gold",),
    }  # fmt: skip
    perfect = TextCascade(Reference()).variants("reference")["reference"]
    assert {one.oracle() for one in names.values()} == {perfect}
    assert perfect.oracle() is None
    assert (perfect.takes_noise(), names["poor"].takes_noise()) == (True, False)
    blind = TextCascade(NoisyReference(0.2), gold=None)
    assert list(blind.variants("x")) == ["x"]
    assert blind.variants("x")["x"].train_text == ("asr",)
    assert blind.oracle() is None


def test_only_what_is_drawn_depends_on_the_seed():
    assert EndToEnd(preset="tiny").drawn()
    assert not TextCascade(Reference(), learner=NGrams()).drawn()
    assert TextCascade(Reference(), learner=SentenceEmbeddings("m")).drawn()


def test_transcripts_are_kept_where_no_other_place_is_named(tmp_path):
    assert TextCascade(Recogniser("m")).keeping(tmp_path).transcriber.cache == tmp_path
    assert TextCascade(Recogniser("m", cache=Path("own"))).keeping(tmp_path).transcriber.cache == Path("own")
    assert TextCascade(Reference()).keeping(tmp_path) == TextCascade(Reference())


def test_what_decides_are_settings_and_the_content_of_models(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    before = decisive(settings_of(TextCascade(Recogniser(str(model)))))
    moved = decisive(settings_of(TextCascade(Recogniser(str(model), cache=tmp_path, device="cpu"))))
    assert moved == before
    (model / "config.json").write_text("{ }")
    assert decisive(settings_of(TextCascade(Recogniser(str(model))))) != before
    assert settings_of(EndToEnd(preset="tiny"))["init_args"]["head"] == {
        "pooling": "mean", "layers": "weighted", "projection": 256,
    }  # fmt: skip


@dataclass(frozen=True)
class Own(NGrams):
    """A learner of somebody's own, with a seed."""

    seed: int = 0
    seen: list = field(default_factory=list, compare=False)

    def learn(self, train, labels, dev=None, units="char"):
        self.seen.append(self.seed)
        return super().learn(train, labels, dev, units)


@pytest.mark.parametrize("seed", [3, 4])
def test_a_learner_is_given_the_seed(seed):
    rows = [Utterance(Path(f"/{place}.wav"), f"u{place}", text=text) for place, text in enumerate(["wali", "gari"] * 3)]
    train = Labelled(rows, ["food", "road"] * 3, "topic")
    own = Own()
    answers = (
        TextCascade(Reference(), learner=own)
        .variants("x")["x"]
        .answer(Task(train, None, train, ["food", "road"], seed))
    )
    assert own.seen == [seed]
    assert answers.predictions.best == train.values
    assert answers.heard == answers.spoken == ["wali", "gari"] * 3
