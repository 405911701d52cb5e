import json
import re
from dataclasses import replace

import numpy as np
import pytest

from speechxl.cli import main
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.verbs.stats import stats


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_hours_speakers_durations_and_symbols_are_counted(corpus, capsys):
    assert main(["stats", str(corpus), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    rows = read_manifest(corpus / "manifest.tsv")
    swh = [row for row in rows if row.language == "swh"]
    seconds = [row.duration for row in swh]
    found = document["languages"]["swh"]
    assert found["hours"] == pytest.approx(sum(seconds) / 3600)
    assert found["durations"]["median"] == pytest.approx(np.median(seconds))
    assert (found["utterances"], found["speakers"], found["words"]) == (7, 3, 14)
    assert sum(found["speaker_hours"].values()) == pytest.approx(found["hours"])
    letters = "".join(row.text for row in swh).replace(" ", "")
    assert found["symbol_counts"] == {
        symbol: letters.count(symbol) for symbol in sorted(set(letters), key=lambda x: (-letters.count(x), x))
    }
    assert found["symbols_per_second"] == pytest.approx(len(letters) / sum(seconds))
    assert document["splits"]["dev"]["utterances"] == 4
    assert document["all"]["utterances"] == 14


def test_the_table_has_a_line_for_each_language_and_split(corpus, capsys):
    assert main(["stats", str(corpus)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0].strip() for line in lines[1:6]] == ["quy", "swh", "split dev", "split train", "all"]
    assert re.search(r"\d+ symbols: .*a \d+", lines[-1])


def test_durations_that_the_manifest_lacks_are_read_and_those_that_cannot_be_are_said(corpus, capsys):
    whole = stats([corpus]).document["all"]["hours"]
    write_manifest(
        corpus / "manifest.tsv", [replace(row, duration=None) for row in read_manifest(corpus / "manifest.tsv")]
    )
    assert stats([corpus]).document["all"]["hours"] == pytest.approx(whole, rel=1e-3)
    (corpus / "u00.wav").write_text("nothing")
    outcome = stats([corpus])
    assert outcome.document["all"]["unknown_durations"] == 1
    assert "1 recordings cannot be read and are not in the hours" in outcome.text


def test_the_page_stands_by_itself_and_escapes_what_texts_hold(corpus, tmp_path):
    rows = read_manifest(corpus / "manifest.tsv")
    rows[0] = replace(rows[0], text="<b>ŋ ʃ</b>", speaker="<i>Ñuqa $x$ 李", language="quy")
    write_manifest(corpus / "manifest.tsv", rows)
    document = stats([corpus], out=tmp_path / "page").document
    page = (tmp_path / "page" / "stats.html").read_text()
    assert document["report"] == str(tmp_path / "page" / "stats.html")
    assert page.count("<svg") == 4
    assert not re.search(r"(src|href)=[\"']http", page)
    assert "<i>Ñuqa" not in page
    assert '<td class="number">ŋ</td>' in page
    assert "LATIN SMALL LETTER ENG" in page


@pytest.mark.filterwarnings("error")
def test_corpora_without_text_speakers_or_with_many_languages_have_a_page(corpus, tmp_path):
    rows = read_manifest(corpus / "manifest.tsv")
    many = [
        replace(rows[n % 14], language=f"q{chr(97 + n // 26)}{chr(97 + n % 26)}", text="", speaker="", id=str(n))
        for n in range(70)
    ]
    write_manifest(corpus / "many.tsv", many)
    stats([corpus / "many.tsv"], out=tmp_path / "many.html")
    page = (tmp_path / "many.html").read_text()
    assert "0 speakers. 70 rows name none." in page
    assert "Symbols" not in page
    assert "70 languages" in page
