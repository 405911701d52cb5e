"""The recipes that compare classifiers: keywords, emotion, tusom-topics."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from speechxl.cli import main
from speechxl.data.audio import read_audio
from speechxl.data.manifest import read_manifest, write_manifest
from tests.recipes.conftest import ROOT
from tests.verbs.spoken_tones import make_spoken_tones

QUICK = [
    "--systems.scratch.max_steps", "1", "--systems.scratch.device", "cpu", "--draws", "20",
    *(f"--systems.scratch.architecture.{name}={size}" for name, size in
      {"conv_channels": 16, "layers": 1, "width": 32, "ffn": 64, "heads": 2}.items()),
]  # fmt: skip


def corpus(folder, language, label, speakers=4, **changes):
    """Tones of one language in train and dev."""
    make_spoken_tones(folder, languages=("quy",), sizes={"train": 6, "dev": 3, "test": 3})
    path = folder / "manifest.tsv"
    rows = [
        replace(
            row, language=language, split="train" if row.split == "train" else "dev", label=label(number, row.label[-1]),
            speaker=f"{language}{number % speakers if row.split == 'train' else 'x' + str(number % 2)}",
            **{name: change(row) for name, change in changes.items()},
        )
        for number, row in enumerate(read_manifest(path))
    ]  # fmt: skip
    write_manifest(path, rows)
    return rows


def compared(recipe, script, *arguments):
    """Commands that a script gives, and what the first of each folder says once it is really run."""
    made = recipe(script)
    said = []
    made.script_says(*arguments)
    commands = [command for command in made.commands() if command[:2] == ["classify", "compare"]]
    assert commands
    for command in commands:
        assert main([*command, *QUICK]) == 0
        out = command[command.index("--out") + 1]
        with open(f"{out}/compare.json") as file:
            said.append(json.load(file))
    return made, commands, said


def test_every_system_has_the_models_that_were_named(recipe, tmp_path):
    for name, digits in (("bengali", "digit"), ("english-digits", "digit"), ("arabic", "digit")):
        corpus(tmp_path / "corpora" / name, name[:3], lambda number, value, kind=digits: f"{kind}:{value}")
    rows = read_manifest(tmp_path / "corpora" / "arabic" / "manifest.tsv")
    write_manifest(
        tmp_path / "corpora" / "arabic" / "manifest.tsv",
        [
            replace(row, label=row.label.replace("digit", "command") if number % 2 else row.label)
            for number, row in enumerate(rows)
        ],
    )
    keywords = recipe("keywords")
    keywords.script_says(tmp_path / "corpora", keywords.out, "M", "R", "P")
    (digits, commands) = [command for command in keywords.commands() if command[:2] == ["classify", "compare"]]
    names = [
        "mfcc", "scratch", "pretrained", "tuned", "reference", "recogniser", "reference_latin", "recogniser_latin", "phones",
    ]  # fmt: skip
    assert digits[digits.index("--only") + 1 :] == names
    options = dict(pairwise(digits))
    assert {flag: value for flag, value in options.items() if flag.startswith("--systems")} == {
        "--systems.pretrained.model": "M", "--systems.tuned.model": "R", "--systems.recogniser.transcriber.model": "R",
        "--systems.recogniser_latin.transcriber.model": "R", "--systems.phones.transcriber.model": "P",
    }  # fmt: skip
    assert [one for one in digits if one.endswith(".tsv")] == [
        f"{keywords.out}/data/{name}.tsv" for name in ("ben", "eng", "arb")
    ]
    assert [one for one in commands if one.endswith(".tsv")] == [f"{keywords.out}/data/commands.tsv"]
    assert main([*digits, "--dry_run"]) == 0


def test_keywords_from_recordings_to_the_page(recipe, tmp_path):
    for name, code in (("bengali", "ben"), ("english-digits", "eng"), ("arabic", "arb")):
        arabic = code == "arb"
        corpus(
            tmp_path / "corpora" / name, code,
            lambda number, value, own=arabic: f"{'command' if own and number % 2 else 'digit'}:{value}",
        )  # fmt: skip
    keywords, _, (digits, commands) = compared(recipe, "keywords", tmp_path / "corpora", tmp_path / "recipe" / "out")
    assert list(digits["systems"]) == ["mfcc", "scratch", "reference", "reference_latin"]
    assert digits["regimes"] == ["monolingual", "multilingual", "zero-shot"]
    assert list(commands["languages"]) == ["arb"]
    assert {one["system"] for one in digits["noise"]} == {"reference", "reference_latin"}
    tables = {path.stem: read_manifest(path) for path in (keywords.out / "data").glob("*.tsv")}
    assert tables.keys() == {"ben", "eng", "arb", "commands"}
    for name, rows in tables.items():
        assert {row.split for row in rows} == {"train", "dev", "test"}, name
        original = read_manifest(
            tmp_path / "corpora" / {"ben": "bengali", "eng": "english-digits"}.get(name, "arabic") / "manifest.tsv"
        )
        kind = "command" if name == "commands" else "digit"
        assert {row.path.resolve() for row in rows if row.split == "test"} == {
            row.path.resolve() for row in original if row.split == "dev" and row.label.startswith(kind)
        }


@pytest.mark.parametrize("speakers", [3, 20])
def test_whole_speakers_are_held_out_where_there_are_many(recipe, tmp_path, speakers):
    for name in ("bengali", "english-digits", "arabic"):
        corpus(tmp_path / "corpora" / name, name[:3], lambda number, value: f"digit:{value}", speakers)
    keywords = recipe("keywords")
    keywords.python(ROOT / "recipes" / "keywords" / "prepare.py", tmp_path / "corpora", keywords.out)
    rows = read_manifest(keywords.out / "ben.tsv")
    known = {split: {row.speaker for row in rows if row.split == split} for split in ("train", "dev", "test")}
    assert bool(known["train"] & known["dev"]) == (speakers == 3)
    assert not known["train"] & known["test"]


def test_emotions_have_the_same_names_in_all_languages(recipe, tmp_path):
    german = {"a": "anger", "b": "happiness", "c": "boredom"}
    turkish = {"a": "angry", "b": "happy", "c": "calm"}
    for name, code, values in (("polish", "pol", german), ("german", "deu", german), ("turkish", "tur", turkish)):
        corpus(
            tmp_path / "corpora" / name, code,
            lambda number, value, own=values: f"emotion:{'disgust' if number < 9 else own[value]}", 6,
        )  # fmt: skip
    emotion, commands, (each, across) = compared(recipe, "emotion", tmp_path / "corpora", tmp_path / "recipe" / "out")
    tables = {path.stem: read_manifest(path) for path in (emotion.out / "data").glob("*.tsv")}
    counts = {name: Counter(row.label for row in rows) for name, rows in tables.items()}
    assert set(counts["tur"]) == {"emotion:anger", "emotion:happiness", "emotion:calm"}  # disgust is too rare
    assert set(counts["deu"]) == {"emotion:anger", "emotion:happiness", "emotion:boredom"}
    assert (each["regimes"], each["folds"], each["group_by"]) == (["monolingual"], 4, "speaker")
    assert each["languages"]["tur"]["test"] == len(tables["tur"])
    assert across["languages"]["tur"]["classes"] == ["anger", "happiness"]
    assert across["regimes"] == ["monolingual", "multilingual", "zero-shot"]
    assert [command[-3:] for command in commands] == [["mfcc", "scratch", "reference"]] * 2


def test_topics_of_words_that_training_has_and_has_not(recipe, tmp_path):
    corpus(
        tmp_path / "corpora" / "tusom",
        "mis",
        lambda number, value: f"topic:{value}",
        text=lambda row: row.text.split()[0][:3],
    )
    path = tmp_path / "corpora" / "tusom" / "manifest.tsv"
    words = [f"{one}{other}" for one in "ptkmn" for other in "aiuo"]
    write_manifest(path, [
        replace(row, text=words[number % len(words)], speaker="mis01") for number, row in enumerate(read_manifest(path))
    ])  # fmt: skip
    topics, commands, (background, new, same) = compared(
        recipe, "tusom-topics", tmp_path / "corpora", tmp_path / "recipe" / "out"
    )
    assert commands[0][-2:] == ["--only", "mfcc"]
    assert background["languages"]["mis"]["test"] == new["languages"]["mis"]["test"] > 0
    for row, quiet in zip(read_manifest(path), read_manifest(topics.out / "background.tsv"), strict=True):
        sound, least = read_audio(row.path), read_audio(quiet.path, quiet.start, quiet.duration)
        assert len(least) == round(0.15 * 16_000)
        assert np.square(least).mean() <= min(np.square(sound[at : at + 2400]).mean() for at in (0, 1000)) + 1e-9
    assert (new["fold_by"], same["fold_by"]) == ("sentence", "utterance")
    assert [leak["kind"] for leak in new["shared"]] == ["speaker"]
    assert [leak["kind"] for leak in same["shared"]] == ["speaker", "sentence"]
    assert new["systems"]["reference"]["init_args"]["form"]["init_args"] == {"running": True}
