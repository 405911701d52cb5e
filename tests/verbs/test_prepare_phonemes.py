import csv
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from speechxl.cli import main
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError
from speechxl.verbs.finetune import finetune
from speechxl.verbs.prepare import prepare

HEADER = "InventoryID,Glottocode,ISO6393,LanguageName,SpecificDialect,Source,Phoneme,SegmentClass,Allophones,Marginal,GlyphID"
PHOIBLE = f"""{HEADER},nasal
1,swah1253,swh,Swahili,NA,spa,h,consonant,NA,NA,0068,-
1,swah1253,swh,Swahili,NA,spa,a,vowel,NA,NA,0061,-
"""


@pytest.fixture
def phoible(tmp_path):
    (tmp_path / "phoible").mkdir()
    (tmp_path / "phoible" / "phoible.csv").write_text(PHOIBLE, encoding="utf-8")
    return tmp_path / "phoible"


@pytest.fixture(autouse=True)
def without_phoible(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SPEECHXL_PHOIBLE", raising=False)


def with_texts(corpus, *texts, language="swh", phonemes=""):
    """A manifest in which the first rows have these texts."""
    rows = read_manifest(corpus / "manifest.tsv")[: len(texts)]
    rows = [
        replace(row, text=text, language=language, phonemes=phonemes) for row, text in zip(rows, texts, strict=True)
    ]
    write_manifest(corpus / "texts.tsv", rows)
    return corpus / "texts.tsv"


def report(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_a_manifest_gets_the_phones_of_its_texts(corpus, tmp_path, phoible, capsys):
    source = with_texts(corpus, "Habari ya asubuhi", "watoto 12", "", "habari привет")
    arguments = ["prepare", "phonemes", str(source), str(tmp_path / "out"), "--phoible", str(phoible)]
    assert main(arguments) == 4
    said = capsys.readouterr().out
    rows = read_manifest(tmp_path / "out" / "manifest.tsv")
    assert [row.phonemes for row in rows] == [
        "h a b a r i j a a s u b u h i", "w a t o t o k u m i n a m b i l i", "", "",
    ]  # fmt: skip
    assert [row.text for row in rows] == ["Habari ya asubuhi", "watoto 12", "", "habari привет"]
    assert all(row.path.exists() for row in rows)
    assert "2 of 4 rows have phonemes; 1 could not be read, 1 have no text" in said
    assert "phones that PHOIBLE does not have for swh:" in said
    lines = report(tmp_path / "out" / "manifest.g2p.tsv")
    assert [(x["item"], x["count"]) for x in lines if x["kind"] == "unknown word"] == [("привет", "1")]
    assert [x["becomes"] for x in lines if x["kind"] == "row without phonemes"] == ["no text", "unknown: привет"]
    assert [(x["item"], x["becomes"]) for x in lines if x["kind"] == "digits"] == [("12", "k u m i n a m b i l i")]
    phones = {x["item"]: (x["becomes"], int(x["count"])) for x in lines if x["kind"] == "phone"}
    assert phones["h"] == ("in PHOIBLE", 2)
    assert phones["k"] == ("not in PHOIBLE", 1)
    assert sum(count for _, count in phones.values()) == sum(len(row.phonemes.split()) for row in rows)
    assert main(arguments) == 2
    assert "stands there already" in capsys.readouterr().err


def test_unknown_words_can_be_passed_over(corpus, tmp_path):
    (tmp_path / "l.tsv").write_text("habari\th a b a r i\n", encoding="utf-8")
    source = with_texts(corpus, "habari yako", "habari", "yako")
    outcome = prepare("phonemes", source, tmp_path / "m.tsv", g2p=str(tmp_path / "l.tsv"), unknown="skip")
    assert [row.phonemes for row in read_manifest(tmp_path / "m.tsv")] == ["h a b a r i", "h a b a r i", ""]
    assert outcome.code == 4
    assert outcome.document["failed"] == 1
    assert outcome.document["languages"]["swh"]["unknown"] == [
        {"word": "yako", "reason": "not in the lexicon", "count": 2}
    ]
    assert outcome.document["languages"]["swh"]["tools"] == {"l.tsv": 2}


def test_nothing_that_can_be_read_is_exit_code_5_with_a_report(corpus, tmp_path):
    (tmp_path / "l.tsv").write_text("habari\th a b a r i\n", encoding="utf-8")
    outcome = prepare("phonemes", with_texts(corpus, "yako"), tmp_path / "m.tsv", g2p=str(tmp_path / "l.tsv"))
    assert outcome.code == 5
    assert not (tmp_path / "m.tsv").exists()
    assert (tmp_path / "m.g2p.tsv").exists()


def test_phones_that_are_there_are_kept_unless_told_otherwise(corpus, tmp_path):
    source = with_texts(corpus, "habari", phonemes="x")
    kept = prepare("phonemes", source, tmp_path / "kept.tsv")
    assert (kept.code, kept.document["kept"]) == (0, 1)
    assert read_manifest(tmp_path / "kept.tsv")[0].phonemes == "x"
    prepare("phonemes", source, tmp_path / "new.tsv", redo=True)
    assert read_manifest(tmp_path / "new.tsv")[0].phonemes == "h a b a r i"


def test_a_language_that_nothing_reads_leaves_the_others(corpus, tmp_path):
    outcome = prepare("phonemes", corpus, tmp_path / "m.tsv")  # quy and swh
    rows = read_manifest(tmp_path / "m.tsv")
    assert outcome.code == 4
    assert {(row.language, bool(row.phonemes)) for row in rows} == {("swh", True), ("quy", False)}
    reasons = {x["becomes"] for x in report(tmp_path / "m.g2p.tsv") if x["kind"] == "row without phonemes"}
    assert len(reasons) == 1
    assert "no voice for 'quy'" in reasons.pop()


@pytest.mark.parametrize(
    ("language", "options", "message"),
    [
        ("quy", {}, "no voice for 'quy'; of its macrolanguage que it has qu"),
        ("", {}, "--g2p espeak needs the language of the rows: name it with --language"),
        ("swh", {"g2p": "none.tsv"}, "none.tsv: there is no such file"),
        ("swh", {"corpus": "a"}, "--corpus is of shards"),
    ],
)
def test_wrong_settings_are_explained(corpus, tmp_path, language, options, message):
    with pytest.raises(InputError, match=message):
        prepare("phonemes", with_texts(corpus, "habari", language=language), tmp_path / "m.tsv", **options)
    assert not (tmp_path / "m.tsv").exists()


def test_settings_of_phonemes_are_of_no_other_kind(corpus, tmp_path):
    with pytest.raises(InputError, match="--unknown is of phonemes; 'folder' has no use for it"):
        prepare("folder", corpus, tmp_path / "m.tsv", unknown="skip")


def test_a_model_of_phones_can_be_trained_on_the_result(corpus, tmp_path):
    prepare("phonemes", corpus, tmp_path / "m.tsv", g2p="espeak,espeak:qu")
    rows = read_manifest(tmp_path / "m.tsv")
    outcome = finetune(preset="tiny", train=[tmp_path / "m.tsv"], out=tmp_path / "o", units="phoneme", dry_run=True)
    heard = {phone for row in rows if row.split == "train" for phone in row.phonemes.split()}
    assert set(outcome.document["vocabulary"]) == heard


def test_the_result_does_not_depend_on_hashes(corpus, tmp_path):
    source = with_texts(corpus, "habari ya 12", "chai hello", "ñandu na маma")
    texts = []
    for seed in ("1", "2"):
        out = tmp_path / seed / "m.tsv"
        code = f"from speechxl.cli import main; main(['prepare', 'phonemes', {str(source)!r}, {str(out)!r}, '--json'])"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        )
        document = json.loads(done.stdout)
        del document["manifest"], document["report"]
        texts.append((document, (tmp_path / seed / "m.g2p.tsv").read_text(encoding="utf-8")))
    assert texts[0] == texts[1]
