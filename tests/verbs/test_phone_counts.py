"""What a model of phones keeps of its training texts, and who reads it."""

import json
from collections import Counter
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest

from speechxl.config import Watch
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.evaluation.phone_texts import in_one_spelling
from speechxl.models.folders import read_card
from speechxl.phonology.features import panphon_table
from speechxl.phonology.known import known_features
from speechxl.phonology.phoible import open_phoible
from speechxl.shapes import Utterance
from speechxl.tasks.recognition import Recognition
from speechxl.text import Vocabularies, Vocabulary
from speechxl.verbs.best import dev_transcripts
from speechxl.verbs.dev_scores import dev_error
from speechxl.verbs.finetune import finetune
from speechxl.verbs.map import map as map_phones
from speechxl.verbs.phone_counts import phone_note
from tests.conftest import SMALL, WORDS, make_corpus
from tests.phonology.conftest import write_release

pytestmark = pytest.mark.usefixtures("no_phoible")


def said(*texts):
    return [Utterance(f"{n}.wav", str(n), language=language, phonemes=text) for n, (language, text) in enumerate(texts)]


def test_phones_are_counted_by_language_in_one_spelling(caplog):
    rows = said(("swh", "t͡ʃ a g a"), ("swh", "tʃ a"), ("quy", "a˥ a ☃"))
    vocabulary = Vocabulary.from_texts([row.phonemes for row in rows], "phoneme")
    note = phone_note(rows, "phonemes", vocabulary)
    assert note.counts == {"quy": {"a": 2}, "swh": {"a": 3, "t͡ʃ": 2, "ɡ": 1}}
    assert list(note.counts["swh"]) == ["a", "t͡ʃ", "ɡ"]
    assert (note.features, note.version) == ("panphon", f"panphon {version('panphon')}")
    assert note.sha256 == panphon_table().digest
    assert "1 symbols of the training texts are no phones in IPA" in caplog.text
    assert "☃" in caplog.text
    training = note.training()
    assert training.counts == {"a": 5, "t͡ʃ": 2, "ɡ": 1}
    assert training.languages == {"a": ["quy", "swh"], "t͡ʃ": ["swh"], "ɡ": ["swh"]}
    assert note.training(without=["swh"]).counts == {"a": 2}


def test_separate_vocabularies_are_counted_as_well():
    rows = said(("swh", "b a"), ("quy", "q a"))
    vocabularies = Vocabularies.from_texts({row.language: [row.phonemes] for row in rows}, "phoneme")
    assert phone_note(rows, "phonemes", vocabularies).counts == {"quy": {"a": 1, "q": 1}, "swh": {"a": 1, "b": 1}}


def test_the_digest_is_that_of_the_features_in_any_order(tmp_path):
    table = panphon_table()
    order = np.random.default_rng(0).permutation(len(table.symbols))
    moved = replace(
        table, symbols=tuple(table.symbols[n] for n in order), start=table.start[order], end=table.end[order],
        counts=table.counts[order],
    )  # fmt: skip
    known = {symbol: table.values([symbol]) for symbol in table.symbols}
    twice = [symbol for symbol, count in Counter(table.symbols).items() if count > 1]
    assert not any((moved.values([symbol]).start != known[symbol].start).any() for symbol in twice)
    assert moved.digest == table.digest
    other = table.end.copy()
    other[7, 3] = 1 if other[7, 3] < 1 else 0
    assert replace(table, end=other).digest != table.digest
    assert len(table.digest) == 64


def test_phoible_goes_first_where_it_is_there(tmp_path, monkeypatch):
    assert known_features().table.name == "panphon"
    release = write_release(tmp_path / "release")
    assert known_features(release).table.name == "phoible"
    monkeypatch.setenv("SPEECHXL_PHOIBLE", str(release))
    open_phoible.cache_clear()
    assert known_features().table.names == known_features(release).table.names != panphon_table().names


@pytest.fixture
def spoken(tmp_path):
    """A corpus with phones, and with other spellings of them in dev."""
    corpus = make_corpus(tmp_path / "spoken")
    path = corpus / "manifest.tsv"
    rows = [
        replace(row, phonemes=" ".join(row.text.replace(" ", "").replace("d", "ɡ" if row.split == "train" else "g")))
        for row in read_manifest(path)
    ]
    write_manifest(path, rows)
    return corpus


def test_a_run_keeps_its_phones_and_map_tells_of_them(spoken, tmp_path):
    finetune(
        train=[spoken], out=tmp_path / "m", preset="tiny", architecture=SMALL, units="phoneme", max_steps=1, batch_seconds=4.0,
        device="cpu", watch=Watch(log_every=1),
    )  # fmt: skip
    rows = [row for row in read_manifest(spoken / "manifest.tsv") if row.split == "train"]
    expected = Counter(phone for row in rows if row.language == "quy" for phone in row.phonemes.split())
    note = read_card(str(tmp_path / "m")).phones
    assert note.counts["quy"] == dict(expected)
    (tmp_path / "own.txt").write_text("a\nβ\n", encoding="utf-8")
    outcome = map_phones(str(tmp_path / "m"), inventory=str(tmp_path / "own.txt"), distance="panphon")
    targets = {row["target"]: row for row in json.loads(json.dumps(outcome.document))["targets"]}
    everywhere = Counter(phone for row in rows for phone in row.phonemes.split())
    assert (targets["β"]["source"], targets["β"]["count"]) == ("b", everywhere["b"])
    assert targets["β"]["languages"] == "quy swh"
    head, line = (text.split() for text in outcome.text.splitlines()[2:4])
    assert head[5:7] == ["heard", "in"]
    assert line[:6] == ["β", "near", "b", str(everywhere["b"]), "quy", "swh"]


def test_a_model_of_characters_keeps_none(corpus, tmp_path):
    finetune(
        train=[corpus],
        out=tmp_path / "m",
        preset="tiny",
        architecture=SMALL,
        max_steps=1,
        batch_seconds=4.0,
        device="cpu",
    )
    assert read_card(str(tmp_path / "m")).phones is None


def test_texts_are_put_into_one_spelling():
    assert in_one_spelling(["tʃ g", "☃"], ["t͡ʃ ɡ", ""]) == (["t͡ʃ ɡ", "☃"], ["t͡ʃ ɡ", ""])


def test_phones_on_dev_are_compared_in_one_spelling(monkeypatch, spoken):
    class Dummy:
        vocabulary = Vocabulary.from_texts(["ɡ a b"], "phoneme")

    assert Recognition._rates(Dummy(), [("g a", "ɡ a"), ("b", "ɡ")]) == {"per": 1 / 3, "empty": 0.0}
    dev = [row for row in read_manifest(spoken / "manifest.tsv") if row.split == "dev"]
    assert any("g" in row.phonemes for row in dev)
    found = [replace(row, text=row.phonemes.replace("g", "ɡ").replace("l", "b")) for row in dev]
    items = [type("Item", (), {"utterance": row, "hypothesis": row}) for row in found]
    monkeypatch.setattr("speechxl.verbs.best.recognise", lambda recognisers, rows: items)
    expected = Counter(phone for row in dev for phone in row.phonemes.split())
    transcripts = dev_transcripts(Dummy(), dev, "phonemes")
    assert [row[0] for row in transcripts] == [row.id for row in dev]
    assert dev_error(transcripts, Dummy.vocabulary) == pytest.approx(expected["l"] / expected.total())
    assert expected["l"] > 0
    assert set("".join(WORDS)) >= {"l", "b", "d"}
