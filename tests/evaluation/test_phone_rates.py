import csv
import json
from pathlib import Path

import jiwer
import numpy as np
import pytest

from speechxl.evaluation.phone_rates import MEASURES, compare, phone_errors, phone_rates
from speechxl.evaluation.phone_texts import model_inventory, read_texts
from speechxl.phonology.distance import new_metric
from speechxl.phonology.inventory import new_inventory

VOXANGELES = Path(__file__).parents[3] / "shared" / "corpora" / "voxangeles" / "manifest.tsv"
PHONES = ["p", "b", "t", "d", "a", "i", "u", "tʃ", "aː", "n", "s", "ŋ"]


@pytest.fixture(scope="module")
def metric():
    return new_metric("panphon")


def measured(references, hypotheses, metric, languages=None, inventories=None):
    errors = phone_errors(read_texts(references, hypotheses), metric)
    return phone_rates(errors, languages or ["swh"] * len(references), inventories or {})


def noisy(count, seed=0):
    """References, hypotheses and languages."""
    rng = np.random.default_rng(seed)
    references, hypotheses = [], []
    for _ in range(count):
        said = rng.choice(PHONES, rng.integers(1, 20))
        heard = [rng.choice(PHONES) if rng.random() < 0.2 else phone for phone in said if rng.random() > 0.1]
        references.append(" ".join(said))
        hypotheses.append(" ".join(heard))
    return references, hypotheses, list(rng.choice(["quy", "swh", "yor"], count))


def test_a_case_by_hand(metric):
    whole, parts = measured(["p a t a", "i"], ["b a t", "i u"], metric)
    assert whole["per"] == pytest.approx(3 / 5)
    assert [whole[kind] for kind in ("substitutions", "deletions", "insertions", "units")] == [1, 1, 1, 5]
    assert whole["pfer"] == pytest.approx((1 / 24 + 1 + 1) / 5)
    assert whole["pfer_panphon"] == pytest.approx((1 / 24 + 1 + 1) / 2)
    assert whole["attributes"]["voi"] == pytest.approx(1 / 4)  # of p-b, a-a, t-t, i-i
    assert whole["attributes"]["hi"] == 0
    assert "lat" not in whole["attributes"]  # no phone of the references is lateral
    assert whole["attribute_error"] == pytest.approx(1 / 4 / len(whole["attributes"]))
    assert whole["confusions"] == [
        {"reference": "p", "hypothesis": "b", "count": 1, "share": 1.0, "features": ["voiced"]}
    ]
    found = whole["inventory_found"]
    assert (found["precision"], found["recall"], found["f1"]) == (3 / 5, 3 / 4, pytest.approx(2 / 3))
    assert parts["swh"]["inventory_found"]["extra"] == ["b", "u"]
    assert parts["swh"]["inventory_found"]["missed"] == ["p"]


def test_folding_forgives_marks_length_ties_and_what_is_one_unit(metric):
    whole, _ = measured(["t͡ʃʰ aː ei t"], ["t ʃ a e i d"], metric)
    assert whole["per"] > 1
    assert whole["per_folded"] == pytest.approx(1 / 6)


def test_identity_costs_nothing(metric):
    texts, _, languages = noisy(30)
    texts[0] += " <unk>"
    whole, parts = measured(texts, texts, metric, languages)
    for document in (whole, whole["macro"], *parts.values()):
        assert [document[name] for name in MEASURES] == [0] * len(MEASURES)
        assert all(tuple(interval) == (0, 0) for interval in document["intervals"].values())
        assert document["inventory_found"]["f1"] == 1
    assert whole["confusions"] == []


def test_the_rate_of_phones_is_that_of_jiwer(metric):
    references, hypotheses, languages = noisy(100)
    whole, parts = measured(references, hypotheses, metric, languages)
    assert whole["per"] == pytest.approx(jiwer.wer(references, hypotheses))
    for name, part in parts.items():
        own = [row for row, language in enumerate(languages) if language == name]
        known = jiwer.wer([references[row] for row in own], [hypotheses[row] for row in own])
        assert part["per"] == pytest.approx(known)
    assert whole["macro"]["per"] == pytest.approx(np.mean([part["per"] for part in parts.values()]))
    assert whole["macro"]["languages"] == 3


def test_hypotheses_in_the_place_of_references_exchange_deletions_and_insertions_only(metric):
    references, hypotheses, _ = noisy(60)
    one, _ = measured(references, hypotheses, metric)
    two, _ = measured(hypotheses, references, metric)
    kinds = ["substitutions", "deletions", "insertions"]
    assert [one[kind] for kind in kinds] == [two[kind] for kind in (kinds[0], kinds[2], kinds[1])]
    assert one["pfer"] * one["units"] == pytest.approx(two["pfer"] * two["units"])
    assert one["pfer_panphon"] == pytest.approx(two["pfer_panphon"])
    assert one["inventory_found"]["f1"] == two["inventory_found"]["f1"]


def test_the_order_of_utterances_does_not_matter(metric):
    references, hypotheses, languages = noisy(80)
    order = np.random.default_rng(1).permutation(80)
    one, parts = measured(references, hypotheses, metric, languages)
    two, others = measured(*([x[row] for row in order] for x in (references, hypotheses)), metric,
                           [languages[row] for row in order])  # fmt: skip
    for first, second in ((one, two), *((parts[name], others[name]) for name in parts)):
        assert [first[name] for name in MEASURES] == pytest.approx([second[name] for name in MEASURES])
        for name in ("substitutions", "confusions", "inventory_found"):
            assert first[name] == second[name]
        assert first["attributes"] == pytest.approx(second["attributes"])


def test_a_language_has_the_same_numbers_alone(metric):
    references, hypotheses, languages = noisy(60)
    _, parts = measured(references, hypotheses, metric, languages)
    own = [row for row, language in enumerate(languages) if language == "swh"]
    alone, _ = measured([references[row] for row in own], [hypotheses[row] for row in own], metric)
    for name in (*MEASURES, "attributes", "confusions", "intervals"):
        assert alone[name] == parts["swh"][name], name


def test_intervals_hold_their_rates_and_shrink(metric):
    few, _ = measured(*noisy(40)[:2], metric)
    many, _ = measured(*noisy(1600)[:2], metric)
    for name in MEASURES:
        (low, high), (lower, higher) = few["intervals"][name], many["intervals"][name]
        assert low < few[name] < high
        assert lower < many[name] < higher
        assert 0.1 < (higher - lower) / (high - low) < 0.3  # 1 / sqrt(40)


def test_the_interval_of_a_mean_over_languages_is_that_of_independent_languages(metric):
    references, hypotheses, _ = noisy(100)
    languages = ["quy", "swh", "yor", "pol"]
    whole, parts = measured(
        references * 4, hypotheses * 4, metric, [language for language in languages for _ in references]
    )
    low, high = parts["quy"]["intervals"]["per"]
    lower, higher = whole["macro"]["intervals"]["per"]
    assert higher - lower == pytest.approx((high - low) / 2, rel=0.15)


def test_symbols_that_are_not_ipa_are_full_errors_and_named(metric):
    whole, _ = measured(["a b <x>"], ["a @ <x>"], metric)
    assert whole["pfer"] == whole["per"] == pytest.approx(1 / 3)
    assert whole["not_ipa"] == {"references": {"<x>": 1}, "hypotheses": {"<x>": 1, "@": 1}}
    assert whole["confusions"][0]["features"] is None


def test_a_phone_with_the_features_of_another_is_still_an_error(metric):
    whole, _ = measured(["q a"], ["q̟ a"], metric)
    assert (whole["per"], whole["pfer"], whole["confusions"][0]["features"]) == (0.5, 0, [])


def test_coverage_says_what_cannot_be_found(metric):
    inventories = {"swh": new_inventory(["p", "a"], "phoible:union"), "quy": new_inventory(["p"], "phoible:largest")}
    whole, parts = measured(
        ["p a˥ t ˥", "p a a", "i"], ["p", "p", "i"], metric, ["swh", "quy", "yor"], inventories
    )  # fmt: skip
    covered = parts["swh"]["inventory"]
    assert covered["source"] == "phoible:union"
    assert (covered["size"], covered["phones"], covered["uncovered"]) == (2, 3, 1)
    assert covered["missing"] == {"t": 1}
    assert parts["quy"]["inventory"]["coverage"] == pytest.approx(1 / 3)
    assert parts["yor"]["inventory"] is None
    assert whole["inventory"]["source"] == "phoible:largest, phoible:union"
    assert (whole["inventory"]["size"], whole["inventory"]["uncovered"]) == (None, 3)
    assert whole["inventory"]["missing"] == {"a": 2, "t": 1}


def test_without_phones_there_are_no_rates(metric):
    for references, hypotheses in (([""], ["a"]), ([""], [""]), ([], [])):
        whole, _ = measured(references, hypotheses, metric)
        assert whole["per"] is whole["pfer"] is whole["attribute_error"] is None
        assert whole["macro"]["per"] is None
        json.dumps(whole)


def test_inventories_are_compared_as_sets():
    assert compare({"a", "b"}, {"b", "c", "d"}, "list") == {
        "source": "list", "found": 2, "size": 3, "both": 1, "precision": 1 / 2, "recall": 1 / 3, "f1": 2 / 5,
        "missed": ["c", "d"], "extra": ["a"],
    }  # fmt: skip


@pytest.mark.skipif(not VOXANGELES.is_file(), reason=f"no {VOXANGELES}")
def test_real_narrow_transcripts_are_measured(metric):
    with VOXANGELES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    texts = [row["text"] for row in rows]
    languages = [row["language"] for row in rows]
    inventory = model_inventory({phone for text in texts for phone in text.split()})
    whole, parts = measured(texts, texts[1:] + texts[:1], metric, languages, dict.fromkeys(languages, inventory))
    assert len(parts) > 20
    assert whole["per_folded"] <= whole["per"]
    assert whole["pfer"] < whole["per"]
    assert whole["inventory"]["coverage"] == 1
    json.dumps(whole)
