"""The recipes espeak-zero-shot and whistle, the zero-shot part of voxangeles, and the table of phone errors."""

import importlib.util

import pytest

from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.shapes import Utterance
from tests.recipes.conftest import ROOT, option

WAYS = ("raw", "exact", "nearest", "tr2tgt", "pinned", "assign", "soft")


def table_rows(table):
    """Rows of Markdown tables."""
    lines = (line for line in table.splitlines() if line.startswith("|") and "---" not in line)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def script(name, monkeypatch, **changed):
    """A script of the recipes as a module, with some of its constants changed."""
    path = ROOT / "recipes" / name
    spec = importlib.util.spec_from_file_location("script_of_a_recipe", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for constant, value in changed.items():
        assert hasattr(module, constant)
        monkeypatch.setattr(module, constant, value)
    return module


def made(folder, monkeypatch, capsys, names=4):
    prepare = script(
        "espeak-zero-shot/prepare.py", monkeypatch, TRAIN={"swh": "sw"}, UNSEEN={"kat": "ka"}, DEV=2, TEST=3
    )
    prepare.main(folder, names, 1)
    assert "train     4 names" in capsys.readouterr().out
    return prepare, read_manifest(folder / "manifest.tsv")


def test_names_are_in_one_split_and_tests_have_their_own_voices(tmp_path, monkeypatch, capsys):
    prepare, rows = made(tmp_path, monkeypatch, capsys)
    assert [row.split for row in rows] == ["train"] * 4 + ["dev"] * 2 + ["seen"] * 3 + ["unseen"] * 3
    assert {row.language for row in rows if row.split == "unseen"} == {"kat"}
    assert len({(row.language, row.text) for row in rows}) == len(rows)
    voices = {
        test: {row.speaker.rpartition("-")[2] for row in rows if (row.split in ("seen", "unseen")) == test}
        for test in (True, False)
    }
    assert voices[True] <= set(prepare.OTHERS)
    assert not voices[True] & voices[False]
    assert all(row.phonemes and row.path.exists() for row in rows)
    prepare.main(tmp_path, 100, 2)
    assert read_manifest(tmp_path / "manifest.tsv") == rows  # what is there is not made again


def test_the_languages_of_the_first_experiment():

    text = (ROOT / "recipes" / "espeak-zero-shot" / "prepare.py").read_text()
    for code in ("deu", "spa", "ita", "tur", "pol", "rus", "hin", "fin", "kat"):
        assert f'"{code}":' in text


@pytest.fixture
def zero_shot(recipe, tmp_path, corpus):
    """The recipe with its speech in place, so that none is made."""
    found = recipe("espeak-zero-shot")
    rows = read_manifest(corpus / "manifest.tsv")
    splits = ("train", "dev", "seen", "unseen")
    write_manifest(found.out / "data" / "manifest.tsv", [
        Utterance(row.path, row.id, duration=row.duration, language="swh", split=splits[number % 4], phonemes="d a")
        for number, row in enumerate(rows)
    ])  # fmt: skip
    return found


def test_every_way_to_decode_is_measured(zero_shot, tmp_path):
    zero_shot.environment["SEEDS"] = "2"
    said = zero_shot.script_says(zero_shot.out, tmp_path)
    commands = zero_shot.commands()
    assert [command[0] for command in commands].count("finetune") == 3
    assert zero_shot.command_for("pretrained-2", "finetune")[1] == str(tmp_path)
    assert option(zero_shot.command_for("scratch-2", "finetune"), "--preset") == "tiny"
    assert option(zero_shot.command_for("heads-2", "finetune"), "--attributes") == "true"
    for split in ("seen", "unseen"):
        heads = [
            c for c in commands if c[:2] == ["evaluate", f"{zero_shot.out}/heads-2"] and option(c, "--split") == split
        ]
        assert {option(command, "--phones.strategy") for command in heads} == {None, "compose", "blend", *WAYS[1:]}
        own = [
            c for c in commands if c[:2] == ["evaluate", f"{zero_shot.out}/scratch-2"] and option(c, "--split") == split
        ]
        assert [option(command, "--phones.strategy") for command in own] == [None, *WAYS[1:]]
        assert [option(command, "--inventory") for command in own] == [None] + ["oracle"] * 6
    ways = [*WAYS[:-1], "compose", "blend", "soft"]
    assert [cells for cells in table_rows(said) if cells[:2] == ["split", "start"]] == [
        ["split", "start", "seed", *ways], ["split", "start", *ways], ["split", "start", *ways[:-1]],
        *[["split", "start", *WAYS]] * 2,
    ]  # fmt: skip
    assert [cells[:3] for cells in table_rows(said)[1:7]] == [
        [split, start, "2"] for split in ("seen", "unseen") for start in ("scratch", "pretrained", "heads")
    ]
    zero_shot.script_says(zero_shot.out, tmp_path)
    assert [command[0] for command in zero_shot.commands()].count("evaluate") == 2 * (7 + 7 + 9)  # not done again


def test_the_table_is_the_mean_over_languages(recipe, tmp_path):
    rows = [
        Utterance(tmp_path / f"{id}.wav", f"{id}.wav", language=id[0] * 3, split="unseen") for id in ("a1", "a2", "b1")
    ]
    write_manifest(tmp_path / "manifest.tsv", rows)
    header = "id\treference\thypothesis\n"
    for seed, last in (("1", "p a"), ("2", "b a")):  # ``aaa`` 2 of 8 wrong, ``bbb`` none, and 1 of 2
        (tmp_path / f"one.raw-unseen-{seed}.tsv").write_text(
            f"{header}a1.wav\tp a t a\tp a t i\na2.wav\tp a t a\tp a t\nb1.wav\tp a\t{last}\n"
        )
        (tmp_path / f"one.soft-unseen-{seed}.tsv").write_text(
            f"{header}a1.wav\tp a t a\tp a t a\na2.wav\tp a t a\tp a t a\nb1.wav\tp a\tp a\n"
        )
    said = recipe("voxangeles").python(
        ROOT / "recipes" / "phone_table.py", tmp_path, tmp_path / "manifest.tsv", "unseen", "one"
    )
    first, second, pfer, difference = (cells for cells in table_rows(said) if cells[0] == "unseen")
    assert (first[:3], second[:3]) == (["unseen", "one", "1"], ["unseen", "one", "2"])
    assert [first[3].split()[0], second[3].split()[0]] == ["0.125", "0.375"]
    assert first[4] == second[4] == "0.000 [0.000, 0.000]"
    assert 0 < float(pfer[2].split()[0]) < 0.25  # a and i, p and b differ in some features only
    assert difference[:2] == ["unseen", "one"]
    assert difference[2].split()[0] == "-0.250"


def test_transcripts_of_other_utterances_are_no_part_of_a_table(recipe, tmp_path):
    write_manifest(tmp_path / "manifest.tsv", [Utterance(tmp_path / "a.wav", "a.wav", language="aaa", split="unseen")])
    (tmp_path / "one.raw-unseen-1.tsv").write_text("id\treference\thypothesis\nb.wav\tp a\tp a\n")
    table = script("phone_table.py", pytest.MonkeyPatch())
    with pytest.raises(SystemExit, match=r"one\.raw-unseen-1\.tsv: holds other utterances"):
        table.main(tmp_path, tmp_path / "manifest.tsv", ["unseen"], ["one"])
    with pytest.raises(SystemExit, match=r"no START\.WAY-SPLIT-SEED\.tsv with a start among two"):
        table.main(tmp_path, tmp_path / "manifest.tsv", ["unseen"], ["two"])


@pytest.fixture
def corpora(corpus, tmp_path):
    """Words of VoxAngeles in two languages, of which one is for dev only, and of East Tusom."""
    rows = read_manifest(corpus / "manifest.tsv")
    for name, language, splits in (("voxangeles", "abc", "train"), ("tusom", "mis", "train dev")):
        parts = splits.split()
        write_manifest(tmp_path / "corpora" / name / "manifest.tsv", [
            Utterance(
                row.path, f"{number}.wav", duration=row.duration, language=language, split=parts[number % len(parts)],
                text="b a d o" if name == "voxangeles" else "kõɬit͡s",
            )
            for number, row in enumerate(rows)
        ])  # fmt: skip
    vox = tmp_path / "corpora" / "voxangeles" / "manifest.tsv"
    own = read_manifest(vox)
    write_manifest(
        vox,
        [
            *own[4:],
            *(
                Utterance(x.path, f"x{x.id}", duration=x.duration, language="ell", split="dev", text="d a")
                for x in own[:4]
            ),
        ],
    )
    return tmp_path / "corpora"


def test_words_of_languages_without_training_speech(recipe, corpora):
    vox = recipe("voxangeles")
    said = vox.python(vox.script.parent / "unseen.py", corpora, vox.out)
    assert "unseen   4 words" in said
    rows = read_manifest(vox.out / "unseen.tsv")
    assert {(row.split, row.language, row.phonemes) for row in rows} == {
        ("unseen", "ell", "d a"), ("tusom", "mis", "k õ ɬ i t͡s"),
    }  # fmt: skip
    assert all(row.path.exists() for row in rows)


def test_languages_that_are_tested_on_are_not_spoken(corpora, recipe, tmp_path, monkeypatch, capsys):
    vox = recipe("voxangeles")
    vox.python(vox.script.parent / "prepare.py", corpora, vox.out)
    spoken = script(
        "voxangeles/spoken.py", monkeypatch, named_languages=lambda: {"ell": "el", "swh": "sw"}, DEV_VARIANTS=("m2",)
    )
    spoken.main(vox.out / "voxangeles.tsv", tmp_path / "spoken", 3, 1)
    assert "3 names" in capsys.readouterr().out
    rows = read_manifest(tmp_path / "spoken" / "manifest.tsv")
    assert [(row.language, row.split) for row in rows] == [("swh", "train")] * 3


def test_voxangeles_with_and_without_spoken_names(recipe, corpora, tmp_path):
    vox = recipe("voxangeles")
    vox.script = vox.script.with_name("zero-shot.sh")
    write_manifest(vox.out / "spoken" / "manifest.tsv", read_manifest(corpora / "tusom" / "manifest.tsv"))
    vox.environment["SEEDS"] = "1"
    said = vox.script_says(corpora, vox.out)
    vox.script_says(corpora, vox.out, tmp_path, "spoken-pretrained-2")
    commands = vox.commands()
    assert [command[0] for command in commands].count("finetune") == 3
    assert vox.command_for("spoken-pretrained-2", "finetune")[1] == str(tmp_path)
    manifests = [str(vox.out / "data" / "voxangeles.tsv"), str(vox.out / "spoken" / "manifest.tsv")]
    for name, settings, own in (
        ("spoken-pretrained-2", "finetune-zero-shot.yaml", manifests), ("alone-scratch-1", "finetune.yaml", manifests[:1]),
    ):  # fmt: skip
        finetune = vox.command_for(name, "finetune")
        assert [word for word in finetune if word.endswith(".tsv")] == own
        assert option(finetune, "--config") == str(vox.script.parent / settings)
    phoible = [c for c in commands if option(c, "--inventory") == "phoible:union"]
    assert len(phoible) == 3 * 6
    assert {option(command, "--split") for command in phoible} == {"unseen"}
    assert all("ell" in command and "bwr" not in command for command in phoible)
    assert [cells[:3] for cells in table_rows(said)[1:7]] == [
        [split, start, "1"] for split in ("unseen", "tusom", "phoible") for start in ("alone-scratch", "spoken-scratch")
    ]
    vox.script_says(corpora, vox.out, tmp_path, "spoken-pretrained-2")
    assert [command[0] for command in vox.commands()].count("evaluate") == 3 * 3 * 7  # not done again


@pytest.fixture
def whistle(recipe, corpus, tmp_path):
    """The recipe with its spoken names in place, so that none are made, and corpora of three languages."""
    found = recipe("whistle")
    rows = read_manifest(corpus / "manifest.tsv")
    for name, language in (("swahili", "swh"), ("griko", "ell"), ("quechua", "quy"), ("mboshi", "mdw")):
        write_manifest(tmp_path / "corpora" / name / "manifest.tsv", [
            Utterance(row.path, row.id, duration=row.duration, language=language, split=row.split, text="Maji, moto!")
            for row in rows
        ])  # fmt: skip
    write_manifest(found.out / "spoken" / "manifest.tsv", [
        Utterance(row.path, row.id, duration=row.duration, language="tur", split="train", text="su", phonemes="s u")
        for row in rows
    ])  # fmt: skip
    return found


def test_phones_before_letters(whistle, tmp_path):
    whistle.environment["SEEDS"] = "2"
    said = whistle.script_says(tmp_path / "corpora", whistle.out, tmp_path)
    (read,) = (whistle.out / "read").glob("*/manifest.tsv")
    rows = read_manifest(read)
    assert {(row.text, row.phonemes) for row in rows} == {("maji moto", "m a ɟ i m o t o")}
    for run, units in (("characters", "char"), ("phonemes", "phoneme")):
        finetune = whistle.command_for(run, "finetune")
        assert finetune[1] == str(tmp_path)
        assert option(finetune, "--units") == units
        assert [word for word in finetune if word.endswith(".tsv")] == [
            str(read), str(whistle.out / "spoken" / "manifest.tsv"),
        ]  # fmt: skip
    assert whistle.command_for("phonemes-quechua-2", "finetune")[1] == str(whistle.out / "phonemes")
    assert whistle.command_for("pretrained-mboshi-2", "finetune")[1] == str(tmp_path)
    assert option(whistle.command_for("characters-griko-2", "finetune"), "--units") is None
    assert "| griko | phonemes - characters |" in said
    whistle.script_says(tmp_path / "corpora", whistle.out, tmp_path)
    assert [command[0] for command in whistle.commands()].count("evaluate") == 9  # not done again


def test_names_in_other_alphabets_and_of_tested_languages_are_not_spoken(monkeypatch, tmp_path, capsys):
    prepare = script(
        "whistle/prepare.py", monkeypatch, named_languages=lambda: {"que": "qu", "rus": "ru", "swh": "sw", "vie": "vi"}
    )
    assert [prepare.is_latin(locale) for locale in ("ru", "sw", "vi", "hi")] == [False, True, True, False]
    prepare.main(tmp_path, 2, 1)
    assert "4 names" in capsys.readouterr().out
    rows = read_manifest(tmp_path / "manifest.tsv")
    assert [row.language for row in rows] == ["swh", "swh", "vie", "vie"]
    assert all(row.text == row.text.lower() and row.phonemes for row in rows)
