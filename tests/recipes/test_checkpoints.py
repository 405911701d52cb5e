"""The recipes for corpora and checkpoints that users have: common-voice, fleurs, xls-r-continued."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from speechxl.data.manifest import read_manifest, write_manifest
from tests.conftest import WORDS, tone
from tests.data.corpora.common_voice import write_release
from tests.data.corpora.test_fleurs import write_language
from tests.recipes.conftest import ROOT, option

QUICK = ["--optim.accumulate", "1", "--augment.channel_length", "8"]
PREPARE = {name: ROOT / "recipes" / name / "prepare.py" for name in ("common-voice", "xls-r-continued")}


@pytest.fixture
def release(tmp_path):
    """A release of Kyrgyz with ten clips in train, three in dev, three in test, two in no split."""

    def clip(number, person):
        text = f"{WORDS[number % 6]} {WORDS[number % 5]}"
        return {"path": f"common_voice_ky_{number}.mp3", "client_id": person, "sentence": text}

    tables = {
        "train": [clip(number, f"train{number % 3}") for number in range(10)],
        "dev": [clip(number, "dev") for number in range(10, 13)],
        "test": [clip(number, "test") for number in range(13, 16)],
        "other": [clip(number, f"other{number}") for number in range(16, 18)],
    }
    write_release(tmp_path / "cv-corpus-21.0-2025-03-14", "ky", tables)
    return tmp_path / "cv-corpus-21.0-2025-03-14"


def test_an_hour_of_common_voice(recipe, release, pretrained_folder, capsys):
    voice = recipe("common-voice")
    printed = voice.script_says(release, "ky", voice.out, pretrained_folder)
    assert "test: 3 clips" in printed
    voice.really("model", *QUICK)
    assert "kir" in capsys.readouterr().out
    assert len((voice.out / "test.tsv").read_text().splitlines()) == 4
    command = voice.command_for("model", "finetune")
    assert [value for flag, value in pairwise(command) if flag == "--config"] == [
        str(voice.script.parent / ".." / ".." / "configs" / "finetune.yaml"), str(voice.script.parent / "finetune.yaml"),
    ]  # fmt: skip


def test_lists_and_phones_of_one_s_own(recipe, release, pretrained_folder, tmp_path):
    for name, numbers in {"train": range(8), "val": [13], "test": [10, 16, 99]}.items():
        (tmp_path / f"{name}.txt").write_text("".join(f"common_voice_ky_{number}\n" for number in numbers))
    phones = "".join(f"common_voice_ky_{number}\tb a tʃ  o\n" for number in range(17))
    (tmp_path / "phones.tsv").write_text(phones, encoding="utf-8")
    voice = recipe("common-voice")
    lists = " ".join(str(tmp_path / f"{name}.txt") for name in ("train", "val", "test"))
    voice.environment |= {"LISTS": lists, "PHONES": str(tmp_path / "phones.tsv")}
    assert "test.txt: 2 of 3 clips" in voice.script_says(release, "ky", voice.out, pretrained_folder)
    rows = read_manifest(voice.out / "data" / "hour.tsv")
    assert [(row.id[16:-4], row.split) for row in rows][-3:] == [("13", "dev"), ("10", "test"), ("16", "test")]
    assert {row.phonemes for row in rows} == {"b a tʃ o"}
    voice.really("model", *QUICK)
    assert option(voice.command_for("model", "finetune"), "--units") == "phoneme"


def test_the_hour_is_drawn_by_name(recipe, tmp_path, corpus):
    (row, *_) = read_manifest(corpus / "manifest.tsv")
    many = [
        replace(row, id=f"{split}{number}.mp3", duration=10.0, split=split)
        for split in ("train", "dev", "test", "validated")
        for number in range(500)
    ]
    write_manifest(tmp_path / "all.tsv", many)
    write_manifest(tmp_path / "fewer.tsv", [row for row in many if not row.id.endswith("7.mp3")])
    voice = recipe("common-voice")
    for name in ("all", "fewer"):
        voice.python(PREPARE["common-voice"], tmp_path / f"{name}.tsv", tmp_path / f"{name}-hour.tsv")
    rows, fewer = (read_manifest(tmp_path / f"{name}-hour.tsv") for name in ("all", "fewer"))
    counts = {split: sum(row.split == split for row in rows) for split in ("train", "dev", "test", "validated")}
    assert counts == {"train": 360, "dev": 120, "test": 360, "validated": 0}
    assert {row.id for row in rows if not row.id.endswith("7.mp3")} <= {row.id for row in fewer}


def test_a_part_of_a_language_of_fleurs(recipe, pretrained_folder, tmp_path):
    write_language(tmp_path / "sw_ke")
    fleurs = recipe("fleurs")
    fleurs.environment |= {"MINUTES": "0.02"}
    said = fleurs.script_says(tmp_path / "sw_ke", fleurs.out, pretrained_folder)
    assert "train: 1 recordings" in said
    assert "test: 1 recordings" in said
    fleurs.really("model", *QUICK)
    assert len((fleurs.out / "test.tsv").read_text().splitlines()) == 2
    fleurs.environment |= {"MINUTES": "0.001"}
    with pytest.raises(AssertionError, match="no recordings to train on"):
        fleurs.script_says(tmp_path / "sw_ke", fleurs.out, pretrained_folder)


def record(path, seconds, pitch=300.0):
    """A recording."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(seconds, pitch, len(path.stem)), 16_000)


@pytest.fixture
def field(tmp_path):
    """Raw recordings of three people, of which short parts of one's are transcribed, as are recordings of five others."""
    record(tmp_path / "raw" / "ana" / "story.wav", 50)
    record(tmp_path / "raw" / "ben" / "walk.wav", 3)
    for number, speaker in enumerate(["s0", "s1", "s2", "s3", "s4"]):
        for turn in range(3):
            name = f"{speaker}-{turn}"
            record(tmp_path / "transcribed" / speaker / f"{name}.flac", 0.8 + 0.1 * turn, 200 + 100 * number)
            (tmp_path / "transcribed" / speaker / f"{name}.txt").write_text(f"{WORDS[number]} {WORDS[turn]}")
        record(tmp_path / "raw" / speaker / f"{speaker}-0.wav", 0.8)
        record(tmp_path / "raw" / speaker / f"{speaker}-more.wav", 1.5)
    return tmp_path


def test_continued_pretraining_against_none(recipe, field, pretrained_folder):
    ainu = recipe("xls-r-continued")
    ainu.script_says(field / "raw", field / "transcribed", "ain", ainu.out, pretrained_folder)
    assert [command[0] for command in ainu.commands()] == ["adapt"] + ["finetune", "evaluate"] * 4
    assert str(pretrained_folder) in ainu.command_for("published-ain-2", "finetune")
    assert f"{ainu.out}/continued" in ainu.command_for("continued-ain-2", "finetune")
    for transcripts in ainu.out.glob("*.tsv"):
        transcripts.unlink()
    ainu.really("continued", "--optim.accumulate", "1")
    for start in ("published", "continued"):
        ainu.really(f"{start}-ain-1", *QUICK)
    table = ainu.python(ROOT / "recipes" / "table.py", ainu.out, "published", "continued")
    assert "| ain | continued - published |" in table
    assert {row.language for row in read_manifest(ainu.out / "continued-ain-1" / "dev.tsv")} == {"ain"}


def manifests(recipe, raw, labelled):
    ainu = recipe("xls-r-continued")
    ainu.python(PREPARE["xls-r-continued"], raw, labelled, "ain", ainu.out)
    return {name: read_manifest(ainu.out / f"{name}.tsv") for name in ("raw", "labelled", "measured")}


def test_nobody_in_dev_is_heard_in_continued_pretraining(recipe, field):
    tables = manifests(recipe, field / "raw", field / "transcribed")
    dev = {row.speaker for row in tables["labelled"] if row.split == "dev"}
    train = {row.speaker for row in tables["labelled"] if row.split == "train"}
    assert len(dev) == 1
    assert dev | train == {"s0", "s1", "s2", "s3", "s4"}
    assert {row.speaker for row in tables["raw"]} == train | {"ana", "ben"}
    assert {row.speaker for row in tables["measured"]} == dev
    assert all(not row.text and row.split == "train" for row in tables["raw"])


def test_all_of_a_long_recording_is_heard_and_nothing_twice(recipe, field):
    rows = manifests(recipe, field / "raw", field / "transcribed")["raw"]
    story = [(row.start, row.seconds) for row in rows if row.path.stem == "story"]
    np.testing.assert_allclose(story, [(0, 50 / 3), (50 / 3, 50 / 3), (100 / 3, 50 / 3)], atol=1e-3)
    names = [row.path.stem for row in rows if row.path.stem != "story"]
    assert len(set(names)) == len(names)  # s0-0 is among the raw and the transcribed recordings
    assert {"walk", "s0-more"} <= set(names) or {"walk", "s1-more"} <= set(names)


def test_transcribed_stretches_of_dev_and_test_are_cut_out_of_the_raw_recording(recipe, field):
    story = field / "raw" / "ana" / "story.wav"
    lines = [f"{start}\t2\t{split}\tda lo" for start, split in [(5, "dev"), (20, "test"), (30, "train")]]
    labelled = field / "labelled.tsv"
    labelled.write_text("path\tstart_s\tduration_s\tsplit\ttext\n" + "".join(f"{story}\t{line}\n" for line in lines))
    tables = manifests(recipe, field / "raw", labelled)
    parts = [(row.start, row.start + row.seconds) for row in tables["raw"] if row.path.name == story.name]
    np.testing.assert_allclose(parts, [(0, 5), (7, 20), (22, 36), (36, 50)], atol=1e-3)
    assert [row.split for row in tables["measured"]] == ["test"]
