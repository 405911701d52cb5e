import io
import json

import numpy as np
import pyarrow.parquet
import pytest
import soundfile
from datasets import Audio, load_dataset

from speechxl.data import shards as module
from speechxl.data.audio import Recording, read_audio
from speechxl.data.manifest import read_manifest
from speechxl.data.shards import flac, read_index, write_shards
from speechxl.errors import InputError


def rows(folder):
    """Every row of every shard, as (shard, row)."""
    return [(shard, row) for shard in read_index(folder) for row in pyarrow.parquet.read_table(shard.file).to_pylist()]


def utterances(corpus):
    return read_manifest(corpus / "manifest.tsv")


@pytest.fixture
def folder(corpus, tmp_path):
    """Two to four utterances a shard."""
    write_shards(utterances(corpus), tmp_path / "shards", corpus="radio", shard_seconds=2.0)
    return tmp_path / "shards"


def test_shards_hold_every_utterance_once_with_its_audio_to_the_bit(corpus, folder):
    known = {utterance.id: utterance for utterance in utterances(corpus)}
    found = rows(folder)
    assert sorted(row["id"] for _, row in found) == sorted(known)
    for shard, row in found:
        utterance = known[row["id"]]
        samples = read_audio(utterance.path)
        np.testing.assert_array_equal(read_audio(Recording(row["audio"]["bytes"], "x")), samples)
        assert soundfile.info(io.BytesIO(row["audio"]["bytes"])).subtype == "PCM_16"
        assert row["duration_s"] == len(samples) / 16_000
        assert (row["language"], row["split"]) == (utterance.language, utterance.split) == (shard.language, shard.split)
        assert (row["text"], row["speaker"]) == (utterance.text, utterance.speaker)
        assert shard.file.parent.name == row["language"]


def test_the_index_counts_what_the_shards_hold(folder):
    index = read_index(folder)
    assert len(index) >= 5
    for shard in index:
        table = pyarrow.parquet.read_table(shard.file)
        assert shard.utterances == len(table)
        assert shard.hours == pytest.approx(sum(table["duration_s"].to_pylist()) / 3600)
        assert 1.0 < 3600 * shard.hours < 4.5
    assert {shard.file.name.rpartition("-")[0] for shard in index} == {"radio"}


def test_datasets_streams_the_shards_without_torchcodec(folder):
    files = [str(shard.file) for shard in read_index(folder)]
    stream = load_dataset("parquet", data_files=files, split="train", streaming=True)
    found = {row["id"]: row["audio"]["bytes"] for row in stream.cast_column("audio", Audio(decode=False))}
    assert found == {row["id"]: row["audio"]["bytes"] for _, row in rows(folder)}


def test_the_order_is_that_of_hashed_ids_and_not_of_the_manifest(corpus, folder, tmp_path):
    write_shards(utterances(corpus)[::-1], tmp_path / "other", corpus="radio", shard_seconds=2.0, threads=3)
    order = [row["id"] for _, row in rows(folder)]
    assert order == [row["id"] for _, row in rows(tmp_path / "other")]
    assert order != sorted(order)


def test_row_groups_are_small(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_GROUP_SECONDS", 1.0)
    write_shards(utterances(corpus), tmp_path / "shards", corpus="radio")
    for shard in read_index(tmp_path / "shards"):
        file = pyarrow.parquet.ParquetFile(shard.file)
        assert all(file.read_row_group(number).num_rows <= 2 for number in range(file.num_row_groups))
    assert len(read_index(tmp_path / "shards")) == 4  # two languages, two splits


def test_an_interrupted_call_goes_on_where_it_was(corpus, folder, tmp_path, monkeypatch):
    write, done = module._write, []

    def killed_at_the_fourth(path, *rest):
        done.append(path)
        if len(done) == 4:
            raise KeyboardInterrupt
        return write(path, *rest)

    out = tmp_path / "again"
    with monkeypatch.context() as patch:
        patch.setattr(module, "_write", killed_at_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            write_shards(utterances(corpus), out, corpus="radio", shard_seconds=2.0)
    assert not (out / "shards.tsv").exists()
    done[3].parent.mkdir(exist_ok=True)
    (done[3].parent / f".{done[3].name}.123.part").write_text("half a shard")
    times = {path: path.stat().st_mtime_ns for path in done[:3]}
    write_shards(utterances(corpus), out, corpus="radio", shard_seconds=2.0)
    assert times == {path: path.stat().st_mtime_ns for path in done[:3]}
    files = {file.relative_to(out) for file in out.rglob("*") if file.is_file()}
    assert files == {file.relative_to(folder) for file in folder.rglob("*") if file.is_file()}
    for file in files:
        assert (out / file).read_bytes() == (folder / file).read_bytes()


def test_shards_of_another_plan_are_not_kept(corpus, tmp_path):
    out = tmp_path / "shards"
    write_shards(utterances(corpus), out, corpus="radio", shard_seconds=2.0)
    (out / "shards.tsv").unlink()
    write_shards(utterances(corpus)[:5], out, corpus="radio", shard_seconds=2.0)
    assert {row["id"] for _, row in rows(out)} == {utterance.id for utterance in utterances(corpus)[:5]}
    assert {shard.file for shard in read_index(out)} == set(out.glob("*/*.parquet"))


def test_damaged_recordings_are_named_and_named_again_when_a_call_is_continued(corpus, tmp_path):
    (corpus / "u03.wav").write_bytes(b"no")
    faults = []
    for _ in range(2):
        written = write_shards(utterances(corpus), tmp_path / "shards", corpus="radio", shard_seconds=2.0)
        faults.append([(fault.place, fault.message) for fault in written.faults])
        (tmp_path / "shards" / "shards.tsv").unlink()
    assert faults[0] == faults[1]
    assert len(faults[0]) == 1
    assert "manifest.tsv:5" in faults[0][0][0]
    assert "u03.wav: not audio" in faults[0][0][1]


def test_several_corpora_share_a_folder_and_one_is_replaced_only_if_told(corpus, folder):
    before = read_index(folder)
    write_shards(utterances(corpus)[:4], folder, corpus="church")
    assert [shard for shard in read_index(folder) if shard.corpus == "radio"] == before
    with pytest.raises(InputError, match=r"quy/radio, swh/radio stands there already; .*--overwrite"):
        write_shards(utterances(corpus)[:4], folder, corpus="radio")
    assert len(read_index(folder)) == len(before) + 2
    write_shards(utterances(corpus)[:4], folder, corpus="radio", overwrite=True)
    assert sorted((shard.language, shard.corpus) for shard in read_index(folder)) == [
        (language, name) for language in ("quy", "swh") for name in ("church", "radio")
    ]


def test_corpora_that_the_manifest_names_are_kept_apart_and_unknown_languages_have_a_folder(corpus, tmp_path):
    from dataclasses import replace

    named = [
        replace(row, language="" if number % 2 else "und", extra={"corpus": "a" if number < 3 else ""})
        for number, row in enumerate(utterances(corpus)[:6])
    ]
    write_shards(named, tmp_path / "shards", corpus="b")
    index = read_index(tmp_path / "shards")
    assert [(s.file.relative_to(tmp_path / "shards").as_posix(), s.language, s.utterances) for s in index] == [
        ("und/a-00000.parquet", "", 3),
        ("und/b-00000.parquet", "", 3),
    ]
    assert {row["language"] for _, row in rows(tmp_path / "shards")} == {""}


def test_durations_are_measured_where_the_manifest_gives_none(corpus, folder, tmp_path):
    from dataclasses import replace

    unknown = [replace(row, duration=None) for row in utterances(corpus)]
    unknown.append(replace(unknown[0], path=corpus / "gone.wav", id="gone"))
    written = write_shards(unknown, tmp_path / "other", corpus="radio", shard_seconds=2.0)
    assert [row["id"] for _, row in rows(tmp_path / "other")] == [row["id"] for _, row in rows(folder)]
    assert "gone.wav: there is no such file" in written.faults[0].message


@pytest.mark.parametrize(("language", "corpus_name"), [("../up", "c"), ("quy", "a/b"), ("quy", "")])
def test_names_that_cannot_be_files_are_refused(corpus, tmp_path, language, corpus_name):
    from dataclasses import replace

    with pytest.raises(InputError, match="cannot name a file"):
        write_shards([replace(utterances(corpus)[0], language=language)], tmp_path / "s", corpus=corpus_name)


def test_a_folder_without_index_or_with_a_damaged_one_is_explained(folder):
    index = (folder / "shards.tsv").read_text()
    (folder / "shards.tsv").write_text(index.replace("\t", " ", 9))
    with pytest.raises(InputError, match=r"shards\.tsv:2: .* was not written by"):
        read_index(folder)
    (folder / "shards.tsv").write_text(index)
    (folder / "quy" / "radio-00000.parquet").unlink()
    with pytest.raises(InputError, match=r"shards\.tsv:2: the shard .*radio-00000\.parquet is missing"):
        read_index(folder)
    (folder / "shards.tsv").unlink()
    with pytest.raises(InputError, match="or continued, with speechxl prepare shards"):
        read_index(folder)


def test_sixteen_bits_survive_and_what_is_louder_is_clipped():
    samples = np.array([-32768, -1, 0, 1, 32767, 40000, -50000], dtype=np.float32) / 32768
    decoded = read_audio(Recording(flac(np.tile(samples, 400)), "x"))
    np.testing.assert_array_equal(decoded, np.tile(np.clip(samples, -1, 32767 / 32768), 400))


def test_the_metadata_says_what_a_shard_was_made_from(folder):
    for shard in read_index(folder):
        made = json.loads(pyarrow.parquet.read_metadata(shard.file).metadata[b"speechxl"])
        assert made["utterances"] == shard.utterances
