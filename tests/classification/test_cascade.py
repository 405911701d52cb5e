"""Cascades from labelled utterances."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from speechxl.classification.cascade import Cascade, examples, formed, learn_cascade, load_cascade
from speechxl.classification.classifier import TextLearner
from speechxl.classification.forms import Native, Phones, Romanized
from speechxl.classification.labels import Labelled, class_names
from speechxl.classification.ngrams import NGrams
from speechxl.classification.robustness import robustness
from speechxl.classification.transcribers import NoisyReference, Reference, TranscriptFile
from speechxl.errors import InputError
from speechxl.evaluation.class_report import class_rates
from speechxl.shapes import Utterance

WORDS = {
    "food": ["wali", "nyama", "samaki", "chai", "maziwa", "mkate"],
    "road": ["gari", "barabara", "baiskeli", "treni", "meli", "ndege"],
    "body": ["kichwa", "mkono", "mguu", "jicho", "sikio", "moyo"],
}


def labelled(count, seed, prefix="u"):
    rng = np.random.default_rng(seed)
    values = [str(value) for value in rng.choice(sorted(WORDS), count)]
    rows = []
    for number, value in enumerate(values):
        filler = rng.choice(["na", "ni", "ya", "kwa", "leo", "sana"], 3)
        text = " ".join([*rng.choice(WORDS[value], 2), *filler]).capitalize() + "."
        name = f"{prefix}{number}"
        rows.append(Utterance(Path(f"/c/{name}.wav"), name, language="swh", text=text, label=f"topic:{value}"))
    return Labelled(rows, values, "topic")


TRAIN, DEV, TEST = labelled(90, 0), labelled(30, 1, "d"), labelled(120, 2, "t")
LABELS = class_names(TRAIN)


def learned(transcriber=Reference(), train=TRAIN, dev=DEV, form=Native(), **settings):
    return learn_cascade(train, dev, LABELS, transcriber=transcriber, form=form, learner=NGrams(), **settings)


def test_the_oracle_classifies_new_utterances_and_swapped_labels_are_at_chance():
    cascade = learned()
    right = class_rates(TEST.values, cascade.predict(TEST.rows))
    assert right["accuracy"] > 0.95
    wrong = []
    for seed in range(6):
        values = [str(value) for value in np.random.default_rng(seed).permutation(TRAIN.values)]
        swapped = learned(train=Labelled(TRAIN.rows, values, "topic"))
        wrong.append(class_rates(TEST.values, swapped.predict(TEST.rows))["accuracy"])
    assert np.mean(wrong) == pytest.approx(1 / 3, abs=0.1)


def test_a_saved_cascade_predicts_the_same(tmp_path):
    cascade = learned(NoisyReference(0.1, "systematic"), form=Native("drop"))
    cascade.save(tmp_path / "c")
    again = load_cascade(tmp_path / "c")
    assert (again.transcriber, again.form, again.kind) == (cascade.transcriber, cascade.form, "topic")
    one, two = cascade.predict(TEST.rows), again.predict(TEST.rows)
    np.testing.assert_array_equal(one.probabilities, two.probabilities)
    assert two.ids == [row.id for row in TEST.rows]
    oracle = load_cascade(tmp_path / "c", Reference())
    assert np.abs(oracle.predict(TEST.rows).probabilities - one.probabilities).max() > 0.01
    assert not [path for path in (tmp_path / "c").rglob("*") if path.suffix not in ("", ".json", ".npz", ".md")]


def test_the_card_names_the_parts_and_acknowledges_uroman(tmp_path):
    cascade = learned()
    cascade.save(tmp_path / "native")
    Cascade(cascade.transcriber, Romanized(), cascade.classifier, "topic").save(tmp_path / "romanized")
    native, romanized = ((tmp_path / name / "README.md").read_text() for name in ("native", "romanized"))
    assert "Classes: body, food, road." in native
    assert "speechxl.classification.transcribers.Reference" in native
    assert "Hermjakob" not in native
    assert "This project uses the universal romanizer software 'uroman' written by Ulf Hermjakob" in romanized


@dataclass(frozen=True)
class Remembering(TextLearner):
    """Keeps what it is given."""

    def learn(self, train, labels, dev=None, units="char"):
        seen.update(train=train, dev=dev, units=units)
        return NGrams().learn(train, labels, dev, units)


seen = {}


@pytest.mark.parametrize("train_text", ["gold", "asr", "both"])
def test_it_learns_from_the_texts_that_were_chosen(train_text):
    noisy = NoisyReference(0.2)
    cascade = learn_cascade(
        TRAIN, DEV, LABELS, transcriber=noisy, form=Native(), learner=Remembering(), train_text=train_text
    )
    gold, asr = formed(Reference(), Native(), TRAIN.rows), formed(noisy, Native(), TRAIN.rows)
    wanted = {"gold": gold, "asr": asr, "both": [*gold, *asr]}[train_text]
    assert seen["train"].texts == wanted
    assert seen["train"].labels == TRAIN.values * (2 if train_text == "both" else 1)
    assert seen["train"].owners[-1] == TRAIN.rows[-1].id
    assert seen["dev"].texts == formed(noisy, Native(), DEV.rows)  # as they are when it is used
    assert isinstance(cascade, Cascade)


def test_references_are_not_counted_twice_where_they_are_the_transcripts():
    learn_cascade(TRAIN, None, LABELS, transcriber=Reference(), form=Native(), learner=Remembering())
    assert len(seen["train"]) == len(TRAIN)
    assert seen["dev"] is None


def test_units_of_the_form_reach_the_learner():
    learn_cascade(TRAIN, None, LABELS, transcriber=Reference(), form=Phones(), learner=Remembering())
    assert seen["units"] == "phoneme"


def test_an_empty_transcript_is_no_example_where_there_is_a_reference(caplog):
    some = TRAIN.select([0, 1])
    assert examples(["a", "b"], ["", "y"], some).texts == ["a", "b", "y"]
    assert examples(["a", "b"], ["", "y"], some).groups == ["u0", "u1", "u1"]
    assert examples(None, ["", "y"], some).texts == ["", "y"]
    caplog.set_level(logging.WARNING)
    formed(Reference(), Native(), [Utterance(Path("x"), "x", text="!"), *TRAIN.rows])
    assert "1 of 91 texts are empty" in caplog.text


def test_transcripts_of_a_file_are_classified(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps({"audio": row.id, "text": row.text}) + "\n" for row in TEST.rows))
    oracle = learned()
    from_file = Cascade(TranscriptFile(path), oracle.form, oracle.classifier, "topic")
    np.testing.assert_array_equal(from_file.predict(TEST.rows).probabilities, oracle.predict(TEST.rows).probabilities)


def test_the_robustness_curve_falls_and_reaches_its_rates():
    cascade = learned()
    for kind in ("random", "systematic"):
        points = robustness(cascade.classifier, cascade.form, TEST, rates=(0, 0.1, 0.3, 0.6), kind=kind)
        assert [point["cer"] for point in points] == pytest.approx([0, 0.1, 0.3, 0.6], abs=0.01)
        found = [point["macro_f1"] for point in points]
        assert found == sorted(found, reverse=True)
        assert found[1] > found[3] + 0.15
        assert points[1]["wer"] > 2 * points[1]["cer"]
        low, high = points[2]["intervals"]["accuracy"]
        assert low < points[2]["accuracy"] < high


def test_a_folder_of_another_kind_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no cascade.json there; it is not a cascade that speechxl has saved"):
        load_cascade(tmp_path)
    (tmp_path / "cascade.json").write_text('{"schema": 1}')
    with pytest.raises(InputError, match="lacks form, kind, transcriber; update speechxl"):
        load_cascade(tmp_path)
    (tmp_path / "cascade.json").write_text('{"schema": 7, "kind": "x", "transcriber": {}, "form": {}}')
    with pytest.raises(InputError, match="schema 7 is not known here; update speechxl"):
        load_cascade(tmp_path)
