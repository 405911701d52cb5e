import json
import random
from dataclasses import replace

import pytest

from speechxl.cli import main
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError, NothingMatched
from speechxl.verbs.validate import validate
from tests.data.checks.faulty import clean_corpus


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "speechxl" / "validate.sqlite"


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
    assert not document["decoded"]
    assert len(document["findings"]) == sum({**document["errors"], **document["warnings"]}.values())


def test_the_mended_manifest_holds_the_good_rows_only_and_what_is_left_out_is_said(faulty, tmp_path, capsys):
    assert main(["validate", str(faulty), "--fix", str(tmp_path / "good.tsv")]) == 3
    said = capsys.readouterr().out
    assert "12 of 14 utterances kept; dropped 2 rows and 1 lines that cannot be read" in said
    assert "1 manifest, 1 missing, 1 unknown_language" in said
    assert len(read_manifest(tmp_path / "good.tsv")) == 12
    lines = (tmp_path / "good.dropped.tsv").read_text().splitlines()
    assert lines[0] == "place\tid\tclass\tmessage"
    assert [line.split("\t")[2] for line in lines[1:]] == ["manifest", "missing", "unknown_language"]
    assert main(["validate", str(tmp_path / "good.tsv")]) == 0
    assert main(["validate", str(tmp_path / "good.tsv"), "--fix", str(tmp_path / "same.tsv")]) == 0
    assert "12 of 12 utterances kept\n" in capsys.readouterr().out
    assert not (tmp_path / "same.dropped.tsv").exists()


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


def test_nul_bytes_are_one_fault_with_file_and_line_beside_those_of_other_manifests(corpus, tmp_path, capsys):
    bad = tmp_path / "bad.tsv"
    bad.write_bytes(b"path\ttext\na.wav\tb\nc\0.wav\td\n")
    (corpus / "u03.wav").unlink()
    assert main(["validate", str(bad), str(corpus)]) == 3
    out = capsys.readouterr().out
    assert f"{bad}:3: NUL byte; a manifest is a text file" in out
    assert "error    missing: 1" in out


def test_a_header_that_promises_four_gigabytes_is_an_error_with_file_and_place(corpus, capsys):
    data = bytearray((corpus / "u02.wav").read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = (0xF0000000).to_bytes(4, "little")
    (corpus / "u02.wav").write_bytes(data)
    assert main(["validate", str(corpus)]) == 3
    out = capsys.readouterr().out
    assert "manifest.tsv:4: " in out
    assert ": u02.wav: the file is truncated, its header promises 125829.12 s" in out


def test_lines_that_are_no_json_or_of_the_wrong_type_are_named(tmp_path, corpus, capsys):
    lines = [
        '{"audio_filepath": "u00.wav", "text": "x", "duration": 0.5}', "{", '["u01.wav"]', '{"text": "x"}',
        '{"audio_filepath": 3}', '{"audio_filepath": "u02.wav", "text": ["x"]}',
        '{"audio_filepath": "u03.wav", "duration": "long"}', "[" * 100_000, '{"audio_filepath": "u00.wav"}',
    ]  # fmt: skip
    (corpus / "m.jsonl").write_text("\n".join(lines))
    outcome = validate([corpus / "m.jsonl"])
    found = [(item["kind"], item["place"].rpartition(":")[2]) for item in outcome.document["findings"]]
    errors = [(kind, line) for kind, line in found if kind in outcome.document["errors"]]
    assert errors == [("manifest", str(line)) for line in (2, 3, 4, 5, 6, 7, 8)] + [("duplicate_id", "9")]
    messages = " ".join(item["message"] for item in outcome.document["findings"])
    assert "audio_filepath is 3, a string was expected" in messages
    assert "text is ['x'], a string or number was expected" in messages


def test_the_summary_stays_on_a_screen_however_much_is_wrong(tmp_path, capsys):
    rows = clean_corpus(tmp_path / "c", 40)
    kinds = [
        {"language": "sw"},
        {"text": "ab 12"},
        {"text": "<unk>"},
        {"text": ""},
        {"speaker": ""},
        {"language": "que"},
    ]
    rows = [replace(row, **kinds[number % 6]) for number, row in enumerate(rows)]
    rows[0] = replace(rows[0], path=tmp_path / "none.wav")
    rows[1] = replace(rows[1], text="b" * 200)
    rows[7] = replace(rows[7], duration=9.0)
    write_manifest(tmp_path / "c" / "manifest.tsv", rows)
    assert main(["validate", str(tmp_path / "c")]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if not line.startswith("   ")]) > 10
    assert len(lines) <= 30
    assert max(len(line.replace(str(tmp_path), "")) for line in lines) < 180


def test_shuffled_transcripts_are_seen_from_headers_alone(tmp_path, capsys):
    rows = clean_corpus(tmp_path / "c", 40)
    texts = [row.text for row in rows]
    random.Random(0).shuffle(texts)
    write_manifest(tmp_path / "c" / "shuffled.tsv", [replace(r, text=t) for r, t in zip(rows, texts, strict=True)])
    write_manifest(tmp_path / "c" / "good.tsv", rows)
    assert validate([tmp_path / "c" / "good.tsv"]).document["warnings"] == {}
    assert validate([tmp_path / "c" / "shuffled.tsv"]).document["warnings"]["uncorrelated"] == 1


def test_texts_are_checked_against_a_model_s_vocabulary_and_languages(ctc_folder, corpus):
    rows = read_manifest(corpus / "manifest.tsv")
    rows[4] = replace(rows[4], text="ba ñu")
    write_manifest(corpus / "manifest.tsv", rows)
    note = json.loads((ctc_folder / "speechxl.json").read_text())
    (ctc_folder / "speechxl.json").write_text(json.dumps(note | {"languages": ["swh"]}))
    document = validate([corpus], model=str(ctc_folder)).document
    assert document["errors"] == {"unknown_symbol": 1, "language_not_in_model": 7}
    assert any("'ñ'" in item["message"] and "'u'" in item["message"] for item in document["findings"])


def test_phones_are_checked_against_an_inventory_in_any_spelling(corpus, tmp_path):
    (tmp_path / "phones.txt").write_text("t͡ʃ\na\nɡ\n", encoding="utf-8")
    rows = [replace(row, phonemes="tʃ a g") for row in read_manifest(corpus / "manifest.tsv")]
    rows[3] = replace(rows[3], phonemes="tʃ a q $")
    write_manifest(corpus / "manifest.tsv", rows)
    document = validate([corpus], inventory=str(tmp_path / "phones.txt")).document
    (item,) = [item for item in document["findings"] if item["kind"] == "unknown_symbol"]
    assert item["place"].endswith(":5")
    assert "'q' (U+0071 LATIN SMALL LETTER Q), '$'" in item["message"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "m", "inventory": "i"}, "against the one or the other"),
        ({"column": "ipa"}, "--column is for --model or --inventory, which is not given"),
        ({"model_language": "swh"}, "--model_language is for --model, which is not given"),
        ({"inventory": "none.txt"}, "none.txt: there is no such file of phones"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(corpus, options, message):
    with pytest.raises(InputError, match=message):
        validate([corpus], **options)


def test_a_check_of_a_column_that_is_empty_is_refused(corpus, tmp_path):
    (tmp_path / "phones.txt").write_text("a\n", encoding="utf-8")
    message = (
        r"column 'phonemes', which is checked against the inventory .*phones.txt, is empty in all rows; name another"
    )
    with pytest.raises(InputError, match=message):
        validate([corpus], inventory=str(tmp_path / "phones.txt"))
    assert validate([corpus], inventory=str(tmp_path / "phones.txt"), column="text").document["errors"][
        "unknown_symbol"
    ]


def test_ids_of_several_manifests_are_not_mixed_up_in_one(corpus, tmp_path):
    rows = read_manifest(corpus / "manifest.tsv")
    for name, row in (("a", rows[0]), ("b", rows[1])):
        write_manifest(corpus / f"{name}.tsv", [replace(row, id="same")])
    with pytest.raises(InputError, match="id 'same' stands in several manifests"):
        validate([corpus / "a.tsv", corpus / "b.tsv"], fix=tmp_path / "f.tsv")


def test_a_split_that_is_not_there_is_said(corpus):
    with pytest.raises(NothingMatched, match="no row with split 'test'; there are dev, train"):
        validate([corpus], split="test")


def test_what_has_not_changed_is_not_read_again_and_what_has_is(corpus, cache, monkeypatch):
    first = validate([corpus], decode=True).document
    assert cache.exists()
    read = []
    from speechxl.data.checks import measuring

    header = measuring._header
    monkeypatch.setattr(measuring, "_header", lambda path: read.append(path.name) or header(path))
    assert validate([corpus], decode=True).document == first
    assert read == []
    data = (corpus / "u05.wav").read_bytes()
    (corpus / "u05.wav").write_bytes(data[:44] + bytes(len(data) - 44))
    again = validate([corpus], decode=True).document
    assert read == ["u05.wav"]
    assert again["errors"] == {"silent": 1}
    assert validate([corpus], decode=True, cache=False).document == again
    assert len(read) == 1 + 14


def test_a_cache_that_is_no_database_is_not_in_the_way(corpus, cache, caplog):
    cache.parent.mkdir(parents=True)
    cache.write_text("not a database, and long enough to be taken for one " * 100)
    assert validate([corpus]).code == 0
    assert "measurements are not kept" in caplog.text
