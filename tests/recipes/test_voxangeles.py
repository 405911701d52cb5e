"""The recipe voxangeles on a corpus of the same layout."""

import json
import shutil

import pytest

from speechxl.cli import main
from speechxl.data.manifest import read_manifest
from tests.recipes.conftest import SMALL, TINY


@pytest.fixture
def corpora(corpus, tmp_path):
    """Words with known phones, each as long as the others, and one with a phone that is in no other."""
    folder = tmp_path / "corpora" / "voxangeles"
    folder.mkdir(parents=True)
    texts = ["b a", "b o", "d a", "d o", "l a", "l o", "b a l", "d o l", "l a d", "b o d", "b o", "l a", "b ɬ", "d o"]
    rows, segments = ["path\tduration_s\tlanguage\tsplit\ttext"], ["path\tstart_s\tend_s\tphone"]
    for number in range(70):
        row = read_manifest(corpus / "manifest.tsv")[number % 14]
        shutil.copy(row.path, folder / f"{number}.wav")
        text, split = texts[number % 14], "dev" if number % 14 >= 10 else "train"
        rows.append(f"{number}.wav\t{row.seconds}\t{'abc'[number % 3]}\t{split}\t{text}")
        length = row.seconds / len(text.split())
        segments += [
            f"{number}.wav\t{place * length}\t{(place + 1) * length}\t{phone}"
            for place, phone in enumerate(text.split())
        ]
    (folder / "manifest.tsv").write_text("\n".join(rows))
    (folder / "alignment.tsv").write_text("\n".join(segments))
    return folder.parent


def test_held_out_words_and_languages_are_aligned(recipe, corpora, capsys):
    vox = recipe("voxangeles")
    said = vox.script_says(corpora, vox.out)
    assert said.count("with equal lengths:") == 2
    equal = [line.split() for line in said.splitlines() if line.startswith("inner")]
    assert [abs(float(cells[3])) < 0.1 for cells in equal] == [True, True]  # the phones are of equal length
    verbs = [command[0] for command in vox.commands()]
    assert verbs == ["finetune", "evaluate", "align", "evaluate", "align"]
    finetune, *_, aligning = vox.commands()
    shutil.rmtree(vox.out / "model")
    assert main([*finetune, *TINY, *SMALL]) == 0
    capsys.readouterr()
    shutil.rmtree(vox.out / "languages")
    assert main([*aligning, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["boundaries"]["utterances"] == len(document["results"]) > 0
    assert document["boundaries"]["inner"]["boundaries"] > 0
    assert (vox.out / "languages" / "alignment.tsv").exists()


def test_a_word_of_a_language_is_in_one_split_and_unheard_phones_are_in_none_that_is_reported(recipe, corpora):
    vox = recipe("voxangeles")
    vox.python(vox.script.parent / "prepare.py", corpora, vox.out)
    rows = read_manifest(vox.out / "voxangeles.tsv")
    splits = {}
    for row in rows:
        assert row.path.exists()
        assert (
            splits.setdefault((row.language, row.phonemes, row.split in ("languages", "unheard")), row.split)
            == row.split
        )
    heard = {phone for row in rows if row.split == "train" for phone in row.phonemes.split()}
    assert "ɬ" not in heard
    for row in rows:
        if row.split in ("words", "languages"):
            assert heard >= set(row.phonemes.split())
    assert {row.split for row in rows} >= {"train", "dev", "words", "languages", "unheard"}
