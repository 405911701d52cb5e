"""Which of several transcribers is used in a language."""

import json
from pathlib import Path

import jiwer
import pytest

from speechxl.classification.cascade import learn_cascade, load_cascade
from speechxl.classification.choices import describe, rebuild
from speechxl.classification.choosing import BestOnDev, ByLanguage
from speechxl.classification.forms import Native
from speechxl.classification.labels import Labelled
from speechxl.classification.ngrams import NGrams
from speechxl.classification.transcribers import Reference, Transcriber, TranscriptColumn
from speechxl.errors import InputError
from speechxl.shapes import Utterance

SAID = "habari yako rafiki"
POOR, BAD = "habari yak rafiki", "habri jaka"
BEST = BestOnDev((TranscriptColumn("one"), TranscriptColumn("two")))


def row(number, language, one, two, text=SAID):
    return Utterance(
        Path("/c/a.wav"), f"{language}{number}", language=language, text=text, extra={"one": one, "two": two}
    )


def rows(*parts):
    return [row(number, *part) for number, part in enumerate(parts)]


DEV = rows(
    ("swh", "Habari, YAKO rafiki!", BAD), ("swh", POOR, BAD), ("quy", BAD, POOR), ("quy", BAD, BAD), ("ell", BAD, SAID)
)


def test_each_language_has_the_one_with_fewer_wrong_characters():
    rates = BEST.rates(DEV)
    assert rates["quy"] == pytest.approx([jiwer.cer([SAID] * 2, [BAD, BAD]), jiwer.cer([SAID] * 2, [POOR, BAD])])
    assert rates["swh"][0] == pytest.approx(jiwer.cer([SAID] * 2, [SAID, POOR]))  # case and punctuation are no errors
    chosen = BEST.settled(DEV)
    asked = rows(("quy", "a", "b"), ("swh", "c", "d"), ("ell", "e", "f"), ("quy", "g", "h"), ("mdw", "i", "j"))
    assert chosen(asked) == ["b", "c", "f", "h", "j"]  # the second is better on average over languages


def test_what_was_chosen_is_saved_and_made_again():
    chosen = BEST.settled(DEV)
    again = rebuild(json.loads(json.dumps(describe(chosen))), Transcriber, "here")
    assert isinstance(again, ByLanguage)
    assert again == chosen
    assert again([row(0, "swh", "x", "y")]) == ["x"]


def test_a_cascade_uses_and_keeps_what_was_chosen(tmp_path):
    words = {"food": "wali nyama", "road": "gari treni"}
    train = [row(n, "swh", words[v], "zz", words[v]) for n, v in enumerate(["food", "road"] * 4)]
    labelled = Labelled(train, ["food", "road"] * 4, "topic")
    ways = {"transcriber": BEST, "form": Native(), "learner": NGrams(), "train_text": "asr"}
    cascade = learn_cascade(labelled, labelled, ["food", "road"], **ways)
    assert cascade.texts(train[:2]) == ["wali nyama", "gari treni"]
    cascade.save(tmp_path / "c")
    assert load_cascade(tmp_path / "c").texts(train[:2]) == ["wali nyama", "gari treni"]
    worse = learn_cascade(labelled, labelled, ["food", "road"], **ways, choosing=rows(("swh", BAD, SAID)))
    assert worse.texts(train[:1]) == ["zz"]


def test_without_dev_rows_nothing_can_be_chosen():
    for call in (BEST.settled, BEST):
        with pytest.raises(InputError, match="BestOnDev: without dev rows there is nothing to choose a transcriber by"):
            call([])
    with pytest.raises(InputError, match="BestOnDev: name two transcribers at least, got 1"):
        BestOnDev((Reference(),))


def test_columns_with_transcripts_may_be_empty_but_not_everywhere():
    assert TranscriptColumn("one")(rows(("swh", "", "x"), ("swh", " Habari ", "x"))) == ["", "Habari"]
    with pytest.raises(InputError, match=r"a.wav: column 'three' is empty or absent in all 5 rows"):
        TranscriptColumn("three")(DEV)
