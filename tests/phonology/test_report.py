import csv
import io
import json

from speechxl.phonology.distance import new_metric
from speechxl.phonology.features import panphon_table
from speechxl.phonology.inventory import new_inventory
from speechxl.phonology.mapping import Settings, new_map
from speechxl.phonology.report import Training, attributes, in_words
from speechxl.text import Vocabulary

SYMBOLS = ("<pad>", "p", "tʃ", "ʂ", "i", "a", "☃", "ʒ")


def mapped(inventory, **settings):
    training = Training({"ʂ": ["rus", "pol"]}, {"ʂ": 12})
    metric = new_metric("panphon")
    return new_map(
        Vocabulary(SYMBOLS, 0, None), new_inventory(inventory), metric, Settings(**settings), training
    ).report


def test_each_phone_has_a_line():
    report = mapped(["p", "t͡ʃ", "s", "ɡǁ", "a"], strategy="nearest")
    found = {target.target: target for target in report.targets}
    assert found["p"].status == "exact"
    assert found["t͡ʃ"].status == "respelled"
    assert found["t͡ʃ"].source == "tʃ"
    assert (found["s"].status, found["s"].source, found["s"].count, found["s"].languages) == (
        "near",
        "ʂ",
        12,
        "rus pol",
    )
    assert found["s"].features
    assert found["ɡǁ"].status == "unreachable"
    assert report.coverage == 3 / 5
    assert report.unread == ("☃",)
    assert report.lost["ʂ"] == "s"
    assert set(report.lost) == {"ʂ", "i", "ʒ"}


def test_a_phone_beyond_the_limit_is_far():
    report = mapped(["p", "a", "ɬ"], strategy="nearest", max_distance=0.75)
    (target,) = (x for x in report.targets if x.target == "ɬ")
    assert target.status == "far"
    assert target.distance > 0.75


def test_phones_with_one_source_are_named():
    assert mapped(["p", "a", "ɪ", "e"], strategy="soft").shared == (("i", ("e", "ɪ")),)


def test_it_is_a_table_and_a_document():
    report = mapped(["p", "s", "a"])
    rows = list(csv.DictReader(io.StringIO(report.csv())))
    assert [row["target"] for row in rows] == ["a", "p", "s"]
    document = json.loads(json.dumps(report.document))
    assert document["inventory"] == {"source": "list", "ids": [], "size": 3}
    assert [row["status"] for row in document["targets"]] == ["exact", "exact", "near"]
    assert (document["strategy"], document["distance"]) == ("soft", "panphon")


def test_differences_are_said_in_words():
    assert in_words(["+spreadGlottis", "-periodicGlottalSource", "+→-nasal", "0tense", "+unheard"]) == [
        "aspirated", "voiceless", "nasal then oral", "no tense", "+unheard",
    ]  # fmt: skip


def test_a_phone_is_described_in_words():
    table = panphon_table()
    assert set(attributes(table, "b")) == {
        "consonantal", "obstruent", "stopped", "oral", "voiced", "anterior", "labial", "unrounded",
    }  # fmt: skip
    assert {"nasal then oral", "voiced"} <= set(attributes(table, "mb"))
    assert {"not high then high", "syllabic"} <= set(attributes(table, "ai"))
    assert "voiceless" in attributes(table, "pʰ")
    assert "aspirated" in attributes(table, "pʰ")
    assert not [word for word in attributes(table, "k") if word.startswith(("not ", "no "))]
    assert attributes(table, "☃") is None


def test_every_segment_of_phoible_is_described(phoible):
    named = [attributes(phoible.table, symbol) for symbol in phoible.table.symbols]
    assert len(named) > 3_000
    assert all(words and len(set(words)) == len(words) for words in named)
