"""The own recogniser as the transcriber of a cascade."""

import json

import pytest

from speechxl.classification.choices import describe, rebuild
from speechxl.classification.transcribers import Transcriber
from speechxl.config import Phones
from speechxl.data.manifest import read_manifest
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import Vocabulary
from speechxl.verbs import transcribers
from speechxl.verbs.transcribe import transcribe
from speechxl.verbs.transcribers import Recogniser
from tests.conftest import save_phones


@pytest.fixture
def rows(corpus):
    return read_manifest(corpus / "manifest.tsv")


def test_it_says_what_transcribe_says(ctc_folder, corpus, rows):
    theirs = transcribe(str(ctc_folder), [str(corpus)], device="cpu").document["results"]
    found = Recogniser(str(ctc_folder), device="cpu")(rows)
    assert found == [result["text"] for result in theirs]
    assert len(set(found)) > 1


def test_what_was_recognised_is_kept_until_the_model_changes(ctc_folder, rows, tmp_path, monkeypatch):
    chosen = Recogniser(str(ctc_folder), cache=tmp_path / "cache", device="cpu")
    first = chosen(rows)
    monkeypatch.setattr(transcribers, "_loaded", lambda _: pytest.fail("it was recognised again"))
    assert chosen(rows[5:]) == first[5:]
    config = ctc_folder / "config.json"
    config.write_text(config.read_text() + "\n")
    with pytest.raises(BaseException, match="recognised again"):
        chosen(rows)


def test_a_recording_that_cannot_be_used_has_no_text(ctc_folder, rows, tmp_path, caplog):
    found = Recogniser(str(ctc_folder), cache=tmp_path / "cache", device="cpu")(
        [Utterance(tmp_path / "no.wav", "no"), rows[0]]
    )
    assert found[0] == ""
    assert found[1]
    assert "no.wav" in caplog.text


def test_it_is_a_choice_that_can_be_saved(tmp_path):
    chosen = Recogniser("folder", cache=tmp_path, model_language="swh")
    again = rebuild(describe(chosen), Transcriber, "here")
    assert (again.model, str(again.cache), again.model_language) == ("folder", str(tmp_path), "swh")


def test_a_model_of_phones_looks_for_those_of_a_file(corpus, rows, tmp_path):
    folder = save_phones(tmp_path / "phones", Vocabulary.from_texts(["p pʰ a i mb ã"], "phoneme"))
    wanted = tmp_path / "wanted.txt"
    wanted.write_text("p\na\nm\n")
    chosen = Recogniser(
        str(folder),
        cache=tmp_path / "cache",
        inventory=str(wanted),
        phones=Phones("nearest", distance="panphon"),
        device="cpu",
    )
    found = chosen(rows)
    assert set(" ".join(found).split()) <= {"p", "a", "m"}
    plain = Recogniser(str(folder), cache=tmp_path / "cache", device="cpu")(rows)
    assert set(" ".join(plain).split()) - {"p", "a", "m"}
    theirs = transcribe(
        str(folder), [str(corpus)], inventory=str(wanted), phones=Phones("nearest", distance="panphon"), device="cpu"
    ).document["results"]
    assert found == [result["text"] for result in theirs]
    again = rebuild(json.loads(json.dumps(describe(chosen))), Transcriber, "here")
    assert again.phones == chosen.phones
    assert again(rows) == found


def test_a_folder_that_is_none_is_named(rows, tmp_path):
    with pytest.raises(InputError, match="there is no such model folder"):
        Recogniser(str(tmp_path / "none"))(rows)
