import csv
import json

import pytest
import torch

from speechxl.cli import main
from speechxl.errors import InputError
from speechxl.models.folders import Card
from speechxl.models.making import new_ctc_model
from speechxl.models.saving import save_model
from speechxl.phonology.phoible import open_phoible
from speechxl.text import Vocabularies, Vocabulary
from speechxl.verbs.map import map as map_phones
from tests.conftest import small_preset
from tests.phonology.conftest import write_release


@pytest.fixture(autouse=True)
def release(tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHXL_PHOIBLE", str(write_release(tmp_path / "release")))
    open_phoible.cache_clear()
    yield
    open_phoible.cache_clear()


@pytest.fixture
def phones(tmp_path):
    """A model folder that writes phones."""
    vocabulary = Vocabulary.from_texts(["p i a pʰ"], "phoneme")
    torch.manual_seed(0)
    card = Card(normalise=True, preset="tiny", units="phoneme", column="phonemes", vocabulary=vocabulary.hash)
    save_model(tmp_path / "phones", new_ctc_model(small_preset(), vocabulary), card, vocabulary)
    return str(tmp_path / "phones")


@pytest.fixture
def foreign(tmp_path):
    """A folder with espeak-ng's phones, as the published ones have it."""
    folder = tmp_path / "espeak"
    folder.mkdir()
    symbols = ["<pad>", "<s>", "</s>", "<unk>", "p", "a", "aɪ", "ts.h", "iɛ5", "t[", "??", "mb"]
    (folder / "vocab.json").write_text(json.dumps({symbol: number for number, symbol in enumerate(symbols)}))
    settings = {"tokenizer_class": "Wav2Vec2PhonemeCTCTokenizer", "word_delimiter_token": None, "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text(json.dumps({"pad_token_id": 0, "model_type": "wav2vec2"}))
    return str(folder)


def test_one_of_separate_vocabularies_is_mapped(tmp_path):
    vocabularies = Vocabularies.from_texts({"deu": ["p a"], "fra": ["p i"]}, "phoneme")
    card = Card(normalise=True, preset="tiny", units="phoneme", vocabulary=vocabularies.hash)
    save_model(tmp_path / "m", new_ctc_model(small_preset(), vocabularies), card, vocabularies)
    for language, found in (("deu", "a p"), ("fra", "i p")):
        text = map_phones(str(tmp_path / "m"), model_language=language, language="quy", distance="phoible").text
        assert text.splitlines()[1].endswith(f": {found}")
    with pytest.raises(InputError, match=r"choose one with --model_language: deu, fra"):
        map_phones(str(tmp_path / "m"), language="quy", distance="phoible")


def test_a_language_is_mapped(phones, tmp_path):
    outcome = map_phones(phones, language="quy", distance="phoible", csv=tmp_path / "map.csv")
    document = json.loads(json.dumps(outcome.document))
    assert document["inventory"]["source"] == "phoible:union"
    assert document["inventory"]["ids"] == [1, 2]
    assert {row["target"]: row["status"] for row in document["targets"]}["p"] == "exact"
    lines = outcome.text.splitlines()
    assert lines[0] == "quy Ayacucho Quechua (phoible:union): 6 phones; strategy soft tau 0.6, distance phoible:fitted"
    assert lines[1] == "the model has 3 of them (50%): a i p"
    with (tmp_path / "map.csv").open(encoding="utf-8") as file:
        assert [row["target"] for row in csv.DictReader(file)] == document["inventory"]["phones"]


def test_a_file_of_phones_is_mapped_with_panphon(phones, tmp_path):
    (tmp_path / "own.txt").write_text("p\nb\nẽ\n", encoding="utf-8")
    document = map_phones(phones, inventory=str(tmp_path / "own.txt"), distance="panphon", strategy="tr2tgt").document
    assert (document["strategy"], document["distance"]) == ("tr2tgt", "panphon")
    assert document["inventory"]["source"] == str(tmp_path / "own.txt")


def test_published_checkpoints_have_their_symbols_cleaned(foreign, tmp_path):
    (tmp_path / "own.txt").write_text("p\na\nt̪\nʔ\nai\nmb\nʈʂʰ\n", encoding="utf-8")
    document = map_phones(foreign, inventory=str(tmp_path / "own.txt"), distance="panphon").document
    rows = {row["target"]: (row["status"], row["source"]) for row in document["targets"]}
    assert rows["ʈ͡ʂʰ"] == ("respelled", "ts.h")
    assert rows["t̪"] == ("respelled", "t[")
    assert rows["ʔ"] == ("respelled", "??")
    assert rows["ai"] == ("near", "aɪ")
    assert document["unread"] == []


def test_far_phones_are_warned_of(phones, tmp_path, caplog):
    (tmp_path / "own.txt").write_text("p\nɬʼ\nŋ͡m\nʕ\n", encoding="utf-8")
    map_phones(phones, inventory=str(tmp_path / "own.txt"), max_far=1, max_distance=1.0, distance="panphon")
    assert "phones of" in caplog.text
    assert "far from all of the model or cannot be reached" in caplog.text


def test_a_model_of_characters_is_refused(ctc_folder):
    with pytest.raises(InputError, match="ctc: The model writes characters, not phones"):
        map_phones(str(ctc_folder), language="quy", distance="panphon")


def test_an_inventory_is_named_once(phones):
    for options in ({}, {"language": "quy", "inventory": "x.txt"}):
        with pytest.raises(InputError, match="Name the phones by --language, or by --inventory"):
            map_phones(phones, **options)


def test_an_unknown_language_has_hints_and_code_2(phones, capsys):
    assert main(["map", phones, "--language", "ara"]) == 2
    assert "of its members it has arb Árabe" in capsys.readouterr().err
