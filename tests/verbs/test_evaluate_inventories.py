"""`evaluate --inventory`: what is looked for, and where it is from, beside every number."""

import json
from dataclasses import replace

import numpy as np
import pytest

from speechxl import load
from speechxl.cli import main
from speechxl.config import Phones
from speechxl.data.audio import read_audio
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError
from speechxl.phonology.phoible import open_phoible
from speechxl.text import Vocabularies, Vocabulary
from speechxl.verbs.evaluate import evaluate
from tests.conftest import save_phones
from tests.phonology.conftest import write_release

PHONES = ["b", "d", "l", "a", "i", "ã", "u", "m", "o"]
SAID = {"quy": {"a": "a", "o": "i"}, "swh": {"a": "ã", "o": "u"}}


pytestmark = pytest.mark.usefixtures("no_phoible")


@pytest.fixture
def release(tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHXL_PHOIBLE", str(write_release(tmp_path / "release")))
    open_phoible.cache_clear()


@pytest.fixture
def phones(tmp_path):
    return save_phones(tmp_path / "phones", Vocabulary(("<pad>", *PHONES), 0, None))


@pytest.fixture
def spoken(corpus):
    """The corpus with phones; each language has vowels of its own."""
    path = corpus / "manifest.tsv"

    def phonemes(row):
        return " ".join(SAID[row.language].get(x, x) for x in row.text.replace(" ", ""))

    write_manifest(path, [replace(row, phonemes=phonemes(row)) for row in read_manifest(path)])
    return corpus


def change(corpus, **fields):
    path = corpus / "manifest.tsv"
    rows = [replace(row, **{name: value(row) for name, value in fields.items()}) for row in read_manifest(path)]
    write_manifest(path, rows)


def hypotheses(path):
    return [line.split("\t")[2] for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def test_the_oracle_of_a_model_s_own_phones_is_masked_decoding(phones, spoken, tmp_path):
    document = evaluate(
        phones, [spoken], inventory="oracle", phones=Phones(strategy="exact"), precision="32",
        transcripts=tmp_path / "t.tsv",
    ).document  # fmt: skip
    recogniser = load(phones, precision="32").recognisers.of("")
    rows = read_manifest(spoken / "manifest.tsv")
    expected = []
    for row in rows:
        (logits,) = recogniser.logits([read_audio(row.path)])
        known = {x for other in rows if other.language == row.language for x in other.phonemes.split()}
        masked = [n for n, x in enumerate(recogniser.vocabulary.symbols) if n and x not in known]
        logits[:, masked] = -np.inf
        expected.append(recogniser.vocabulary.decode(logits.argmax(-1).unique_consecutive().tolist()))
    assert hypotheses(tmp_path / "t.tsv") == expected
    assert len({*" ".join(expected).split()}) > 4
    for name, part in document["per_language"].items():
        known = {x for row in rows if row.language == name for x in row.phonemes.split()}
        assert (part["inventory"]["source"], part["inventory"]["size"]) == ("oracle", len(known))
        assert part["inventory"]["coverage"] == 1
        scores = ("precision", "recall", "f1", "missed", "extra")
        assert {x: part["inventory_given"][x] for x in scores} == {x: part["inventory_found"][x] for x in scores}
        assert part["inventory_given"]["source"] == "oracle"
    assert document["inventory"]["source"] == "oracle"
    assert document["macro"]["inventory"] == {"source": "oracle", "coverage": 1}
    assert [each["language"] for each in document["maps"]] == ["quy", "swh"]
    both = [document["per_language"][name]["inventory_given"]["both"] for name in ("quy", "swh")]
    assert document["inventory_given"]["both"] == sum(both)


def test_all_of_a_model_s_phones_change_nothing(phones, spoken, tmp_path):
    (tmp_path / "all.txt").write_text("\n".join(PHONES), encoding="utf-8")
    plain = evaluate(phones, [spoken], precision="32").document
    document = evaluate(phones, [spoken], inventory=str(tmp_path / "all.txt"), precision="32").document
    for name in ("per", "per_folded", "pfer", "substitutions", "deletions", "insertions", "confusions", "intervals"):
        assert document[name] == plain[name]
    assert document["per_language"]["quy"]["inventory_found"] == plain["per_language"]["quy"]["inventory_found"]
    assert document["inventory"]["source"] == str(tmp_path / "all.txt")
    assert plain["inventory"]["source"] == "model"
    assert "maps" not in plain


def test_each_row_has_the_inventory_of_its_language_in_phoible(release, phones, spoken, capsys):
    settings = Phones(distance="panphon")  # as the small PHOIBLE lacks features of d and l
    with pytest.raises(InputError, match=r"manifest.tsv:3: PHOIBLE .* has no inventory of 'swh'"):
        evaluate(phones, [spoken], inventory="phoible:union", phones=settings)
    alone = evaluate(phones, [spoken], inventory="phoible:union", phones=settings, language=["quy"]).document
    assert alone["inventory"]["ids"] == [1, 2]
    change(spoken, language=lambda row: {"swh": "arb"}.get(row.language, row.language))
    assert (
        main(
            [
                "evaluate",
                phones,
                str(spoken),
                "--inventory",
                "phoible:largest",
                "--phones.distance",
                "panphon",
                "--json",
            ]
        )
        == 0
    )
    document = json.loads(capsys.readouterr().out)
    parts = document["per_language"]
    assert [(name, part["inventory"]["ids"]) for name, part in parts.items()] == [("arb", [3]), ("quy", [1])]
    assert {part["inventory"]["source"] for part in parts.values()} == {"phoible:largest"}
    assert parts["quy"]["inventory"]["missing"].keys() == {"d", "l"}
    found = parts["arb"]["inventory_given"]
    assert found["precision"] == 1
    assert found["recall"] == found["both"] / 5
    assert document["per_language"]["quy"]["per"] == pytest.approx(
        evaluate(
            phones, [spoken], inventory="quy", phones=replace(settings, source="largest"), language=["quy"]
        ).document["per"]
    )
    assert {each["inventory"]["source"] for each in document["maps"]} == {"phoible:largest"}


def test_source_and_coverage_stand_beside_the_rates(phones, spoken, tmp_path):
    (tmp_path / "few.txt").write_text("b\nd\na\n")
    text = evaluate(phones, [spoken], inventory=str(tmp_path / "few.txt")).text
    document = evaluate(phones, [spoken], inventory=str(tmp_path / "few.txt")).document
    rows = text.splitlines()[1:5]
    parts = [*document["per_language"].values(), document, document["macro"]]
    for row, part in zip(rows, parts, strict=True):
        assert row.split()[-2:] == [str(tmp_path / "few.txt"), f"{part['inventory']['coverage']:.3f}"]
    assert 0 < document["inventory"]["coverage"] < 1
    assert f"{document['inventory']['uncovered']} of {document['inventory']['phones']} phones of the references" in text


def test_separate_vocabularies_are_evaluated_with_an_inventory(spoken, tmp_path):
    vocabularies = Vocabularies.from_texts({"quy": ["b d l a i"], "swh": ["b d l ã u m"]}, "phoneme")
    folder = save_phones(tmp_path / "separate", vocabularies)
    plain = evaluate(folder, [spoken], precision="32").document
    oracle = evaluate(folder, [spoken], inventory="oracle", precision="32").document
    assert oracle["per_language"]["quy"]["per"] == plain["per_language"]["quy"]["per"]  # these are all it has
    assert oracle["per_language"]["swh"]["inventory"]["size"] == 5
    assert [each["lost"].keys() for each in oracle["maps"]] == [set(), {"m"}]
    one = evaluate(folder, [spoken], inventory="oracle", model_language="quy", language=["swh"]).document
    assert one["maps"][0]["targets"] != oracle["maps"][1]["targets"]


def test_an_oracle_needs_languages_or_has_all_rows_together(phones, spoken):
    change(spoken, language=lambda row: "" if row.language == "quy" else row.language)
    with pytest.raises(
        InputError, match=r"manifest.tsv:2: has no language, and others have; oracle is the phones of each"
    ):
        evaluate(phones, [spoken], inventory="oracle")
    change(spoken, language=lambda row: "")
    document = evaluate(phones, [spoken], inventory="oracle").document
    assert document["per_language"]["(unknown)"]["inventory"]["size"] == 7
    assert document["maps"][0]["language"] is None


def test_what_is_not_ipa_is_no_phone_of_an_oracle(phones, spoken):
    change(spoken, phonemes=lambda row: f"{row.phonemes} @")
    document = evaluate(phones, [spoken], inventory="oracle").document
    assert document["per_language"]["quy"]["inventory"]["size"] == 5
    assert document["not_ipa"]["references"] == {"@": 14}
    assert document["inventory"]["missing"] == {"@": 14}
    change(spoken, phonemes=lambda row: "@")
    with pytest.raises(InputError, match="oracle: there are no phones in the inventory"):
        evaluate(phones, [spoken], inventory="oracle")


def test_a_model_of_characters_and_settings_without_an_inventory_are_refused(ctc_folder, phones, spoken, capsys):
    for name in ("oracle", "phoible:union", "espeak:sw"):
        assert main(["evaluate", str(ctc_folder), str(spoken), "--inventory", name]) == 2
        assert "ctc: The model writes characters, not phones" in capsys.readouterr().err
    with pytest.raises(InputError, match="--phones says how an inventory is used, and none is named"):
        evaluate(phones, [spoken], phones=Phones(strategy="exact"))
    with pytest.raises(InputError, match="PHOIBLE is not installed"):
        evaluate(phones, [spoken], inventory="phoible:union")
