import csv
import json
import re
import unicodedata
from dataclasses import replace

import pytest

from speechxl.cli import main
from speechxl.config import Rewriting
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError, NothingMatched
from speechxl.verbs.prepare import prepare


@pytest.fixture
def texts(corpus):
    rows = read_manifest(corpus / "manifest.tsv")[:4]
    said = ["Habari, BWANA!", "na' 12 <unk>", "<unk>", ""]
    rows = [replace(row, text=text, language="swh") for row, text in zip(rows, said, strict=True)]
    write_manifest(corpus / "texts.tsv", rows)
    return corpus / "texts.tsv"


def test_texts_are_rewritten_and_what_they_were_is_kept(texts, tmp_path, capsys):
    arguments = [
        "prepare",
        "text",
        str(texts),
        str(tmp_path / "out"),
        "--text.case",
        "lower",
        "--text.punctuation",
        "drop",
        "--text.tags",
        "drop",
    ]
    assert main(arguments) == 0
    said = capsys.readouterr()
    rows = read_manifest(tmp_path / "out" / "manifest.tsv")
    assert [row.text for row in rows] == ["habari bwana", "na 12", "", ""]
    assert [row.extra["raw_text"] for row in rows] == ["Habari, BWANA!", "na' 12 <unk>", "<unk>", ""]
    assert all(row.path.exists() for row in rows)
    assert "3 of 4 texts rewritten, 1 of them are empty now" in said.out
    assert "1 texts are empty now, the first at" in said.err
    lines = said.out.splitlines()
    assert lines[0].split() == ["before", "code", "points", "after", "count", "first", "text", "before", "and", "after"]
    assert any(
        re.fullmatch(r"punctuation +, +U\+002C +\(left out\) +1 +Habari, BWANA! +habari bwana", x) for x in lines
    )
    with (tmp_path / "out" / "manifest.text.tsv").open(encoding="utf-8", newline="") as file:
        report = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    counts = {(x["kind"], x["given"]): int(x["count"]) for x in report}
    assert counts[("tags", "<unk>")] == 2
    assert counts[("case", "A")] == 2
    assert {x["language"] for x in report} == {"swh"}
    assert main(arguments) == 2
    assert "stands there already" in capsys.readouterr().err


def test_by_default_only_nfc_is_made_and_said(texts, tmp_path, capsys):
    raw = texts.read_text(encoding="utf-8").replace("Habari", "Haba\u0301ri")
    texts.write_text(raw, encoding="utf-8")
    assert main(["prepare", "text", str(texts), str(tmp_path / "m.tsv"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (change,) = document["changes"]
    assert (change["kind"], change["given"], change["becomes"], change["count"]) == (
        "nfc",
        "Haba\u0301ri,",
        "Habári,",
        1,
    )
    assert read_manifest(tmp_path / "m.tsv")[0].text == unicodedata.normalize("NFC", "Haba\u0301ri, BWANA!")
    assert "raw_text" not in read_manifest(tmp_path / "m.tsv")[0].extra


def test_what_texts_were_first_stays_when_they_are_rewritten_again(texts, tmp_path):
    prepare("text", texts, tmp_path / "a.tsv", text=Rewriting(punctuation="drop"))
    prepare("text", tmp_path / "a.tsv", tmp_path / "b.tsv", text=Rewriting(case="lower"))
    row = read_manifest(tmp_path / "b.tsv")[0]
    assert (row.text, row.extra["raw_text"]) == ("habari bwana", "Habari, BWANA!")


def test_numbers_become_words_where_the_language_is_known(texts, tmp_path):
    pytest.importorskip("num2words")
    rows = [replace(row, language="eng") for row in read_manifest(texts)]
    write_manifest(texts, rows)
    prepare("text", texts, tmp_path / "m.tsv", text=Rewriting(digits="words"))
    assert read_manifest(tmp_path / "m.tsv")[1].text == "na' twelve <unk>"
    write_manifest(texts, [replace(row, language="quy") for row in rows])
    with pytest.raises(InputError, match="no words for the numbers of the language 'quy'; choose digits: keep or drop"):
        prepare("text", texts, tmp_path / "n.tsv", text=Rewriting(digits="words"))


def test_latin_letters_are_a_column(texts, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    asked = []
    monkeypatch.setattr(
        "speechxl.classification.romanizing.romanize", lambda *given: asked.append(given) or ["a", "b", "c", ""]
    )
    prepare("text", texts, tmp_path / "m.tsv", text=Rewriting(romanize=True, case="lower"))
    found = read_manifest(tmp_path / "m.tsv")
    assert asked == [([row.text for row in found], ["swh"] * 4)]
    assert [row.extra.get("romanized", "") for row in found] == ["a", "b", "c", ""]
    assert "uroman" in caplog.text
    assert "Ulf Hermjakob" in caplog.text


def test_wrong_uses_of_text_are_explained(texts, corpus, tmp_path):
    with pytest.raises(InputError, match=r"--text is of text; .folder. has no use for it"):
        prepare("folder", corpus, tmp_path / "m.tsv", text=Rewriting(case="lower"))
    write_manifest(texts, [replace(row, text="") for row in read_manifest(texts)])
    with pytest.raises(NothingMatched, match=r"texts.tsv: no row has text"):
        prepare("text", texts, tmp_path / "m.tsv")
