import json
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from speechxl.cli import main
from speechxl.errors import InputError, NothingMatched
from speechxl.verbs.vocab import vocab

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "manifest.tsv"
    rows = [("a", "train", "ba bo"), ("b", "train", "ba\u00a0e\u0301"), ("c", "dev", "ba ñe")]
    path.write_text("path\tsplit\ttext\n" + "".join(f"{n}.wav\t{s}\t{t}\n" for n, s, t in rows), encoding="utf-8")
    return path


def kinds(outcome):
    return [finding["kind"] for finding in outcome.document["findings"]]


def test_the_table_and_the_document(manifest):
    outcome = vocab([manifest])
    document = json.loads(json.dumps(outcome.document))
    assert (document["schema"], document["texts"], document["dev_texts"]) == (1, 2, 1)
    assert [(row["symbol"], row["count"]) for row in document["symbols"]] == [("b", 3), ("a", 2), ("o", 1), ("é", 1)]
    assert document["symbols"][2] == {
        "symbol": "o",
        "count": 1,
        "code_points": ["U+006F"],
        "names": ["LATIN SMALL LETTER O"],
        "example": {"place": f"{manifest}:2", "word": "bo"},
    }
    lines = outcome.text.splitlines()
    assert lines[0].split("  ")[0] == "symbol"
    assert "é           1  U+00E9       LATIN SMALL LETTER E WITH ACUTE  é" in outcome.text
    assert "unseen_in_train: ñ U+00F1, e U+0065: 2" in outcome.text
    for finding in document["findings"]:
        assert finding.keys() == {"kind", "symbols", "count", "example", "advice"}


def test_the_manifest_is_looked_at_as_it_stands(manifest):
    outcome = vocab([manifest])
    assert kinds(outcome) == ["unseen_in_train", "not_nfc", "spaces", "singletons"]
    assert vocab([manifest.parent]).document == outcome.document


def test_splits_and_dev_manifests(manifest, tmp_path):
    assert "unseen_in_train" not in kinds(vocab([manifest], split="all"))
    other = tmp_path / "other.tsv"
    other.write_text("path\ttext\nd.wav\tzo\n")
    (finding,) = (f for f in vocab([manifest], dev=[other]).document["findings"] if f["kind"] == "unseen_in_train")
    assert (finding["symbols"], finding["example"]["place"]) == (["z"], f"{other}:2")
    with pytest.raises(NothingMatched, match="test"):
        vocab([manifest], split="test")


def test_folders_of_recordings_with_their_texts(corpus):
    (corpus / "manifest.tsv").unlink()
    for number in range(14):
        (corpus / f"u{number:02d}.txt").write_text("ba bo")
    assert [row["symbol"] for row in vocab([corpus]).document["symbols"]] == ["b", "a", "o"]


def test_a_model_s_vocabulary_units_and_column_are_used(ctc_folder, corpus, manifest):
    assert kinds(vocab([corpus], model=str(ctc_folder))) == []
    result = {finding["kind"]: finding for finding in vocab([manifest], model=str(ctc_folder)).document["findings"]}
    assert result["not_in_model"]["symbols"] == ["é"]
    assert result["only_in_model"]["symbols"] == ["d", "l"]
    with pytest.raises(InputError, match=r"--units phoneme: .* is a model of units char"):
        vocab([corpus], model=str(ctc_folder), units="phoneme")


def test_phones_are_what_stands_between_spaces(corpus, manifest):
    manifest.write_text("path\tphonemes\na.wav\ttʃ a tʃ\n")
    assert [row["symbol"] for row in vocab([manifest], units="phoneme").document["symbols"]] == ["tʃ", "a"]
    with pytest.raises(InputError, match="column 'text' is empty or absent"):
        vocab([manifest])


def test_marks_stand_on_a_circle_and_columns_stay_in_line(manifest):
    manifest.write_text("path\ttext\na.wav\tka\u0300\u0324 東\u200b\n")
    lines = vocab([manifest]).text.splitlines()
    assert any(line.startswith("\u25cc\u0324") for line in lines)
    table = lines[: lines.index("")]
    for line in table[1:]:
        before = line[: line.index("U+")]
        wide = sum(unicodedata.east_asian_width(x) == "W" for x in before)
        marks = sum(unicodedata.combining(x) > 0 for x in before)
        assert len(before) + wide - marks == table[0].index("code points")


def test_it_does_without_torch(manifest):
    code = (
        "import sys; from speechxl.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "assert 'torch' not in sys.modules and code == 0"
    )
    subprocess.run([sys.executable, "-c", code, "vocab", str(manifest), "--json"], check=True, capture_output=True)


@pytest.mark.skipif(not CORPORA.is_dir(), reason=f"no corpora in {CORPORA}")
def test_what_is_said_of_real_corpora(capsys):
    def found(name, **options):
        result = vocab([CORPORA / name / "manifest.tsv"], **options)
        return {finding["kind"]: finding for finding in result.document["findings"]}

    mboshi = found("mboshi")
    assert list(mboshi) == ["mixed_scripts_in_words"]
    assert set(mboshi["mixed_scripts_in_words"]["symbols"]) == set("εωέώ")
    assert list(found("quechua")) == list(found("yoruba")) == ["singletons"]
    assert list(found("tusom")) == ["unseen_in_train", "singletons"]
    assert "long_phones" in found("tusom", units="phoneme", column="text")
    assert main(["vocab", str(CORPORA / "kinyarwanda" / "manifest.tsv")]) == 2
    assert "column 'text' is empty" in capsys.readouterr().err
