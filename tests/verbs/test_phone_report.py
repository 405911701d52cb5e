import json
from dataclasses import replace
from importlib.metadata import version

import jiwer
import pytest
import torch

from speechxl.cli import main
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.models.folders import Card
from speechxl.models.making import new_ctc_model
from speechxl.models.saving import save_model
from speechxl.phonology.inventory import new_inventory
from speechxl.phonology.phoible import open_phoible
from speechxl.text import Vocabulary
from speechxl.verbs.evaluate import evaluate
from speechxl.verbs.phone_report import add_phone_measures, phone_metric, phone_table
from tests.conftest import small_preset
from tests.phonology.conftest import write_release

pytestmark = pytest.mark.usefixtures("no_phoible")


@pytest.fixture
def phones(tmp_path):
    """A model folder that writes phones, one of which is not IPA."""
    vocabulary = Vocabulary.from_texts(["b o d l a @"], "phoneme")
    torch.manual_seed(0)
    card = Card(normalise=True, preset="tiny", units="phoneme", column="phonemes", vocabulary=vocabulary.hash)
    save_model(tmp_path / "phones", new_ctc_model(small_preset(), vocabulary), card, vocabulary)
    return str(tmp_path / "phones")


@pytest.fixture
def spoken(corpus):
    """The corpus with phones, of which the model lacks one."""
    path = corpus / "manifest.tsv"
    phonemes = [" ".join(row.text.replace(" ", "").replace("o", "ɔ")) for row in read_manifest(path)]
    write_manifest(path, [replace(row, phonemes=own) for row, own in zip(read_manifest(path), phonemes, strict=True)])
    return corpus


def test_a_model_of_phones_is_measured_by_phones(phones, spoken, tmp_path):
    outcome = evaluate(phones, [spoken], transcripts=tmp_path / "t.tsv")
    document = json.loads(json.dumps(outcome.document))
    rows = [line.split("\t") for line in (tmp_path / "t.tsv").read_text().splitlines()[1:]]
    assert document["per"] == pytest.approx(jiwer.wer([row[1] for row in rows], [row[2] for row in rows]))
    assert document["cer"] is document["wer"] is None
    assert document["inventory"]["source"] == "model"
    assert document["inventory"]["missing"].keys() == {"ɔ"}
    assert document["features"] == {"source": "panphon", "version": f"panphon {version('panphon')}"}
    assert document["macro"]["languages"] == 2
    for part in document["per_language"].values():
        assert part["inventory"]["size"] == 5
        assert part["intervals"].keys() == {"per", "per_folded", "pfer", "pfer_panphon", "attribute_error"}
    lines = outcome.text.splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["language", "quy", "swh", "all", "mean"]
    assert "phones of the references are not in it: ɔ" in outcome.text
    assert lines[-1].startswith("PFER") or "are not IPA: @" in lines[-1]


def test_the_document_is_json(phones, spoken, capsys):
    assert main(["evaluate", phones, str(spoken), "--json", "--split", "dev"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["per_language"].keys() == {"quy", "swh"}
    assert document["pfer"] is not None


def base(languages):
    own = {"sentences": 2, "empty": 0.0}
    return {**own, "per_language": {language: dict(own) for language in languages}}


def test_features_are_those_of_phoible_where_it_is(tmp_path, monkeypatch):
    assert phone_metric()[0].name == "panphon"
    monkeypatch.setenv("SPEECHXL_PHOIBLE", str(write_release(tmp_path / "release")))
    open_phoible.cache_clear()
    metric, version = phone_metric()
    assert metric.name == "phoible:uniform"
    assert version.startswith("unknown")
    document = base(["swh"])
    add_phone_measures(document, ["p a m"], ["b a s"], ["swh"], ["p"], (metric, version))
    assert document["pfer"] == pytest.approx((1 / 5 + 1) / 3)  # voice; the small table has no s
    assert "phoible:uniform (unknown" in phone_table(document)


def test_the_inventory_that_was_looked_for_is_named():
    document = base(["swh", "quy"])
    inventories = {"swh": new_inventory(["p", "a"], "phoible:union"), "quy": new_inventory(["p"], "phoible:union")}
    add_phone_measures(
        document, ["p a t", "p"], ["p a p", "p"], ["swh", "quy"], ["p", "a"], phone_metric(), inventories
    )
    text = phone_table(document)
    assert "inventory: phoible:union; 1 of 4 phones of the references are not in it: t 1" in text
    assert "t → p  " in text
    assert document["per_language"]["quy"]["inventory"]["coverage"] == 1


def test_a_table_of_nothing_and_of_far_phones_is_drawn():
    document = base(["swh"])
    add_phone_measures(document, ["", "a"], ["a", "ɡ͡b"], ["swh", "swh"], ["p", "a"], phone_metric())
    assert " more" in phone_table(document)
    nothing = base([])
    add_phone_measures(nothing, [], [], [], ["p"], phone_metric())
    assert nothing["per"] is None
    assert phone_table(nothing).startswith("language")
    empty = base(["swh"])
    add_phone_measures(empty, [""], [""], ["swh"], ["p"], phone_metric())
    assert "swh" in phone_table(empty)
