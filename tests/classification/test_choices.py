"""Choices written down and made again."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from speechxl.classification.choices import describe, rebuild
from speechxl.classification.classifier import TextLearner
from speechxl.classification.forms import Phones, Romanized, TextForm
from speechxl.classification.instructions import Instructions
from speechxl.classification.ngrams import NGrams
from speechxl.classification.transcribers import NoisyReference, Transcriber, TranscriptFile
from speechxl.errors import InputError


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        (Romanized("drop"), TextForm),
        (Phones(running=True), TextForm),
        (NoisyReference(0.1, "systematic", seed=3), Transcriber),
        (TranscriptFile(Path("/x/t.jsonl")), Transcriber),
        (NGrams(c=2.5), TextLearner),
        (Instructions("m", {"a": "b"}), TextLearner),
    ],
)
def test_a_choice_is_made_again_from_plain_values(choice, kind):
    import json

    document = json.loads(json.dumps(describe(choice)))
    again = rebuild(document, kind, "here")
    assert type(again) is type(choice)
    assert describe(again) == describe(choice)
    assert document["class_path"].startswith("speechxl.classification.")


def test_what_is_not_there_is_named_with_its_place():
    with pytest.raises(InputError, match=r"x.json: there is no class 'speechxl.nowhere.Form'; is the file that has it"):
        rebuild({"class_path": "speechxl.nowhere.Form"}, TextForm, "x.json")
    with pytest.raises(InputError, match="there is no class 'Form'"):
        rebuild({"class_path": "Form"}, TextForm, "x.json")
    with pytest.raises(InputError, match=r"x.json: speechxl.classification.forms.Phones is not a Transcriber"):
        rebuild(describe(Phones()), Transcriber, "x.json")
    with pytest.raises(InputError, match=r"forms.Phones does not take these settings .*'tones'"):
        rebuild(describe(Phones()) | {"init_args": {"tones": True}}, TextForm, "x.json")


def test_what_is_no_dataclass_cannot_be_saved():
    class Own(TextForm):
        def __call__(self, texts, languages):
            return list(texts)

    with pytest.raises(InputError, match="Own is not a dataclass"):
        describe(Own())


def test_choices_come_from_yaml_by_class_path(tmp_path):
    from speechxl.cli import build_parser

    def choose(*, transcriber: Transcriber, form: TextForm = Romanized(), classifier: TextLearner = NGrams()) -> None:
        """Choose.

        Args:
            transcriber: Texts.
            form: Their form.
            classifier: What learns.
        """

    path = tmp_path / "c.yaml"
    path.write_text(
        "transcriber:\n  class_path: speechxl.classification.transcribers.NoisyReference\n  init_args: {rate: 0.2}\n"
        "classifier:\n  class_path: speechxl.classification.encoders.TextEncoder\n  init_args: {model: m, epochs: 3}\n"
    )
    parser = build_parser("choose", choose)
    chosen = parser.instantiate(
        parser.parse_args(["--config", str(path), "--classifier.lr", "1e-3", "--form", "Phones"])
    )
    assert chosen["transcriber"] == NoisyReference(0.2)
    assert chosen["form"] == Phones()
    assert (chosen["classifier"].model, chosen["classifier"].epochs, chosen["classifier"].lr) == ("m", 3, 1e-3)


@dataclass(frozen=True)
class Shout(TextForm):
    """A form of a user's own file."""

    def __call__(self, texts, languages):
        return [text.upper() for text in texts]


def test_a_class_of_a_file_of_the_user_is_a_choice_too():
    again = rebuild(describe(Shout()), TextForm, "here")
    assert again(["a"], [""]) == ["A"]
