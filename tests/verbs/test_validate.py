import json

import pytest

from speechxl.cli import main
from speechxl.data.manifest import read_manifest, write_manifest


@pytest.fixture
def faulty(corpus):
    path = corpus / "manifest.tsv"
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace("u00.wav", "gone.wav")
    lines[2] = lines[2].replace("swh", "sw")
    lines.append("u09.wav\tlong\tswh\t\ttrain\tx\t")
    path.write_text("\n".join(lines) + "\n")
    return corpus


def test_errors_are_exit_code_3_with_counts_places_and_files(faulty, tmp_path, capsys):
    assert main(["validate", str(faulty), "--out", str(tmp_path / "report")]) == 3
    out = capsys.readouterr().out
    assert "error    missing: 1" in out
    assert "error    unknown_language: 1" in out
    assert "error    manifest: 1" in out
    assert "manifest.tsv:16: duration_s is 'long'" in out
    assert {path.name for path in (tmp_path / "report").iterdir()} >= {
        "missing.tsv",
        "unknown_language.tsv",
        "manifest.tsv",
    }
    assert "gone.wav" in (tmp_path / "report" / "missing.tsv").read_text()


def test_the_document_lists_every_finding(faulty, capsys):
    assert main(["validate", str(faulty), "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["errors"] == {"manifest": 1, "missing": 1, "unknown_language": 1}
    assert document["decoded"]
    assert len(document["findings"]) == sum({**document["errors"], **document["warnings"]}.values())


def test_the_mended_manifest_holds_the_good_rows_only(faulty, tmp_path):
    assert main(["validate", str(faulty), "--fix", str(tmp_path / "good.tsv")]) == 3
    assert len(read_manifest(tmp_path / "good.tsv")) == 12
    assert main(["validate", str(tmp_path / "good.tsv")]) == 0


def test_warnings_alone_are_no_failure_unless_strict(corpus, capsys):
    assert main(["validate", str(corpus)]) == 0
    assert "warning  speaker_in_splits" in capsys.readouterr().out
    assert main(["validate", str(corpus), "--strict"]) == 3


def test_one_split_can_be_checked(corpus):
    rows = read_manifest(corpus / "manifest.tsv")
    write_manifest(corpus / "manifest.tsv", rows)
    (corpus / "u13.wav").unlink()
    assert main(["validate", str(corpus), "--split", "train"]) == 0
    assert main(["validate", str(corpus), "--split", "dev"]) == 3
