"""The recipes on a folder of corpora: mboshi, xlsr-mini, quechua and its like, joint."""

import shutil
from dataclasses import replace
from itertools import pairwise

import pytest

from speechxl.cli import main
from speechxl.data.manifest import read_manifest, write_manifest
from tests.recipes.conftest import ROOT, SMALL, TINY, option

LANGUAGES = {"mboshi": "mdw", "griko": "ell", "quechua": "quy", "yoruba": "yor"}


@pytest.fixture
def corpora(corpus, tmp_path):
    """A folder of four corpora."""
    folder = tmp_path / "corpora"
    for name, language in LANGUAGES.items():
        shutil.copytree(corpus, folder / name)
        rows = read_manifest(folder / name / "manifest.tsv")
        write_manifest(folder / name / "manifest.tsv", [replace(row, language=language) for row in rows])
    return folder


def cells(table):
    """Rows of Markdown tables without their header lines."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    return [row for row in rows if row[0] not in ("data", "---")]


def test_multilingual_against_monolingual_pretraining(recipe, corpora):
    mini = recipe("xlsr-mini")
    mini.script_says(corpora, mini.out)
    speech = [f"{mini.out}/data/speech/{name}.tsv" for name in sorted(LANGUAGES)]
    assert set(speech) <= set(mini.command_for("multilingual", "pretrain"))
    assert speech[0] in mini.command_for("monolingual-griko", "pretrain")
    assert not set(speech[1:]) & set(mini.command_for("monolingual-griko", "pretrain"))
    assert f"{mini.out}/monolingual-griko" in mini.command_for("monolingual-griko-2", "finetune")
    verbs = [command[0] for command in mini.commands()]
    assert {verb: verbs.count(verb) for verb in verbs} == {"pretrain": 4, "finetune": 18, "evaluate": 18}
    mini.script_says(corpora, mini.out)
    assert [command[0] for command in mini.commands()].count("evaluate") == 18  # what is done is not done again

    for transcripts in mini.out.glob("*.tsv"):
        transcripts.unlink()
    for name in ("multilingual", "monolingual-griko", "scratch-griko-1", "monolingual-griko-1", "multilingual-griko-1"):
        mini.really(name)
    table = cells(mini.python(ROOT / "recipes" / "table.py", mini.out, "scratch", "monolingual", "multilingual"))
    assert [row[:4] for row in table[:3]] == [
        ["griko", start, "1", "4"] for start in ("scratch", "monolingual", "multilingual")
    ]
    assert [row[1] for row in table[3:]] == [
        "monolingual - scratch", "multilingual - scratch", "multilingual - monolingual",
    ]  # fmt: skip


def test_speech_for_pretraining_has_no_dev_rows(recipe, corpora):
    mini = recipe("xlsr-mini")
    mini.python(ROOT / "recipes" / "xlsr-mini" / "prepare.py", corpora, mini.out)
    for name, language in LANGUAGES.items():
        rows = read_manifest(mini.out / "speech" / f"{name}.tsv")
        assert {(row.split, row.language) for row in rows} == {("train", language)}
        assert all(row.path.exists() for row in rows)
    assert {row.split for row in read_manifest(mini.out / "griko.tsv")} == {"train", "dev"}
    assert not (mini.out / "yoruba.tsv").exists()


def test_mboshi_with_few_and_with_many_labelled_minutes(recipe, corpora):
    rows = read_manifest(corpora / "mboshi" / "manifest.tsv")
    mboshi = recipe("mboshi")
    mboshi.script_says(corpora, mboshi.out)
    assert f"{mboshi.out}/data/mboshi-15.tsv" in mboshi.command_for("continued-15-2", "finetune")
    assert f"{mboshi.out}/data/mboshi.tsv" in mboshi.command_for("scratch-45-1", "finetune")
    assert f"{mboshi.out}/multilingual" in mboshi.command_for("multilingual-5-1", "finetune")
    assert len(read_manifest(mboshi.out / "data" / "mboshi.tsv")) == len(rows)
    for name in ("multilingual", "continued", "continued-5-1"):
        mboshi.really(name)
    assert (mboshi.out / "continued-5-1.tsv").read_text().count("\n") == 5


def test_the_smaller_part_of_mboshi_belongs_to_the_larger(recipe, corpora):
    path = corpora / "mboshi" / "manifest.tsv"
    (row, *_) = read_manifest(path)
    write_manifest(path, [
        replace(row, id=str(number), start=60.0 * number, duration=60.0, split="train" if number < 30 else "dev")
        for number in range(32)
    ])  # fmt: skip
    mboshi = recipe("mboshi")
    mboshi.python(ROOT / "recipes" / "mboshi" / "prepare.py", corpora, mboshi.out)
    five, fifteen, whole = (
        {row.id for row in read_manifest(mboshi.out / f"{name}.tsv")} for name in ("mboshi-5", "mboshi-15", "mboshi")
    )
    assert five < fifteen < whole
    assert (len(five), len(fifteen), len(whole)) == (5 + 2, 15 + 2, 32)


def test_the_table_is_that_of_the_transcripts(recipe, tmp_path):
    header = "id\treference\thypothesis\n"
    for seed, worse in [(1, "axxx"), (2, "abxx")]:
        (tmp_path / f"good-5-{seed}.tsv").write_text(header + "u\tabcd\tabcx\nv\tab\t\n")
        (tmp_path / f"bad-5-{seed}.tsv").write_text(header + f"u\tabcd\t{worse}\nv\tab\tab\n")
    (tmp_path / "good-5-1").mkdir()
    (tmp_path / "good-5-1" / "metrics.csv").write_text(
        "step,measure,value\n1,dev_cer,0.9\n2,dev_cer,0.7\n4,dev_cer,0.5\n"
    )
    table = cells(recipe("mboshi").python(ROOT / "recipes" / "table.py", tmp_path, "bad", "good"))
    assert [row[:4] + row[6:] for row in table[:4]] == [
        ["5", "bad", "1", "2", "0.000", ""],
        ["5", "bad", "2", "2", "0.000", ""],
        ["5", "good", "1", "2", "0.500", "0.700"],
        ["5", "good", "2", "2", "0.500", ""],
    ]
    assert [row[4] for row in table[:4]] == [  # of one of the two utterances alone, and of both
        "0.500 [0.000, 0.750]", "0.333 [0.000, 0.500]", "0.500 [0.250, 1.000]", "0.500 [0.250, 1.000]",
    ]  # fmt: skip
    assert [row[5].split()[0] for row in table[:4]] == ["0.500", "0.500", "1.000", "1.000"]
    (difference,) = table[4:]
    assert difference[:2] == ["5", "good - bad"]
    assert difference[2].split()[0] == "+0.083"  # a twelfth: 1 edit of 2 * 6
    assert difference[4] == "+0.000, +0.167"


@pytest.mark.parametrize("name", ["quechua", "griko", "yoruba"])
def test_a_language_from_scratch_and_pretrained_with_and_without_a_language_model(recipe, corpora, tmp_path, name):
    one = recipe(name)
    said = one.script_says(corpora, one.out, tmp_path)
    finetune = one.command_for(f"pretrained-{name}-2", "finetune")
    assert finetune[1] == str(tmp_path)
    assert [value for flag, value in pairwise(finetune) if flag == "--config"] == [
        str(ROOT / "recipes" / ".." / "configs" / "finetune-laptop.yaml"), str(ROOT / "recipes" / name / "finetune.yaml"),
    ]  # fmt: skip
    assert option(one.command_for(f"scratch-{name}-1", "finetune"), "--preset") == "tiny"
    evaluated = [command for command in one.commands() if command[0] == "evaluate"]
    assert [option(command, "--lm") is not None for command in evaluated].count(True) == len(evaluated) / 2 == 4
    assert {row[1] for row in cells(said)} >= {"scratch", "pretrained", "scratch.lm", "pretrained.lm"}
    one.script_says(corpora, one.out, tmp_path)
    assert [command[0] for command in one.commands()].count("evaluate") == 8  # what is done is not done again


def test_a_language_without_a_pretrained_model(recipe, corpora):
    griko = recipe("griko")
    griko.script_says(corpora, griko.out)
    assert {option(command, "--preset") for command in griko.commands() if command[0] == "finetune"} == {"tiny"}
    shutil.rmtree(griko.out / "scratch-griko-1")
    command = griko.command_for("scratch-griko-1", "finetune")
    assert main([*command, *TINY, *SMALL]) == 0


def test_languages_together_and_alone(recipe, corpora, tmp_path):
    rows = read_manifest(corpora / "yoruba" / "manifest.tsv")
    write_manifest(corpora / "yoruba" / "manifest.tsv", [replace(row, text=f"“{row.text.upper()}?!") for row in rows])
    joint = recipe("joint")
    said = joint.script_says(corpora, joint.out, tmp_path)
    assert "4 in dev" in said
    together = joint.command_for("joint-all-1", "finetune")
    assert together[1] == str(tmp_path)
    assert [value for value in together if value.endswith(".tsv")] == [
        f"{joint.out}/joint/{name}.tsv" for name in sorted(LANGUAGES)
    ]
    alone = joint.command_for("alone-griko-2", "finetune")
    assert [value for value in alone if value.endswith(".tsv")] == [f"{joint.out}/joint/griko.tsv"]
    assert [row[:3] for row in cells(said)[:4]] == [
        ["griko", start, seed] for start in ("alone", "joint") for seed in "12"
    ]
    plain = read_manifest(joint.out / "joint" / "yoruba.tsv")
    assert [row.text for row in plain] == [row.text for row in rows]
