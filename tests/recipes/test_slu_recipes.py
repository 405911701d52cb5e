"""Recipes for corpora that users have, on fixtures of their layouts: minds14, speechtaxi, fleurs-slu, voxlingua107."""

import csv
import importlib.util
import json
import zipfile
from collections import Counter

import pyarrow
import pytest
import soundfile
from datasets import Audio, ClassLabel, Features, List, Value
from pyarrow import parquet

from speechxl.cli import main
from speechxl.data.manifest import read_manifest
from speechxl.errors import InputError
from tests.conftest import tone
from tests.recipes.conftest import ROOT
from tests.verbs.spoken_tones import FILLERS, WORDS

TEXT = {language: {**words} for language, words in WORDS.items()}


def sound(folder, hertz, seed, rate=16_000, seconds=0.3):
    """A recording as Parquet tables hold it."""
    path = folder / "made.wav"
    soundfile.write(path, tone(seconds, hertz, seed), rate)
    return {"bytes": path.read_bytes(), "path": f"{seed}.wav"}


def write(path, features, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=Features(features).arrow_schema), path)


def compared(made, command, *only):
    """The document of a comparison that the script asked for, really run."""
    assert main([*command, "--draws", "20", "--only", *only]) == 0
    out = command[command.index("--out") + 1]
    with open(f"{out}/compare.json") as file:
        return json.load(file)


def command_of(made):
    (command,) = [one for one in made.commands() if one[:2] == ["classify", "compare"]]
    assert main([*command, "--dry_run"]) == 0
    return command


def scores(document, regime="monolingual"):
    return {
        row["system"]: row["macro_f1"]
        for row in document["results"]
        if row["regime"] == regime and row["test"] is None and row["shots"] is None
    }


def refused(name, *arguments):
    """What prepare.py says as it stops."""
    spec = importlib.util.spec_from_file_location("prepare", ROOT / "recipes" / name / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises((InputError, SystemExit)) as stopped:
        module.main(*arguments)
    return str(stopped.value)


INTENTS = ["abroad", "address", "app_error"]


@pytest.fixture
def minds14(tmp_path):
    """Three intents, each with a pitch and a word; every third transcript of the first is English."""
    features = {
        "path": Value("string"), "audio": Audio(sampling_rate=8_000), "transcription": Value("string"),
        "english_transcription": Value("string"), "intent_class": ClassLabel(names=INTENTS), "lang_id": Value("int64"),
    }  # fmt: skip
    for locale, words in (("fr-FR", TEXT["quy"]), ("en-GB", TEXT["swh"])):
        rows = []
        for number in range(42):
            place = number % 3
            text = f"{words['abc'[place]]} {FILLERS[number // 3 % 8]} x{number // 6}"
            english = text if locale == "en-GB" or number < 2 else "something else"
            audio = sound(tmp_path, 250 + 450 * place, number, 8_000)
            rows.append(
                {
                    "audio": audio,
                    "transcription": text,
                    "english_transcription": english,
                    "intent_class": place,
                    "lang_id": 0,
                }
            )
        write(tmp_path / "minds14" / locale / "train-00000-of-00001.parquet", features, rows)
    return tmp_path / "minds14"


def test_minds14_is_divided_by_sentence_and_compared(recipe, minds14):
    made = recipe("minds14")
    said = made.script_says(minds14, made.out, "M", "R")
    assert "fr-FR.tsv" in said
    assert "3 intents, 2 left out" in said
    tables = {path.stem: read_manifest(path) for path in (made.out / "data").glob("*.tsv")}
    assert {name: len(rows) for name, rows in tables.items()} == {"fr-FR": 40, "en-GB": 42}
    assert {row.language for row in tables["fr-FR"]} == {"fra"}
    for rows in tables.values():
        assert {row.label for row in rows} == {f"intent:{intent}" for intent in INTENTS}
        counts = Counter((row.label, row.split) for row in rows)
        assert all(3 <= counts[f"intent:{intent}", "test"] <= 6 for intent in INTENTS)
        assert all(counts[f"intent:{intent}", "dev"] >= 1 for intent in INTENTS)
        assert all(len({row.split for row in rows if row.text == own.text}) == 1 for own in rows)
        assert soundfile.info(rows[0].path).samplerate == 8_000
    command = command_of(made)
    names = ["mfcc", "pretrained", "tuned", "reference", "recogniser", "reference_latin", "recogniser_latin"]
    assert command[command.index("--only") + 1 :] == names
    found = scores(compared(made, command[: command.index("--only")], "mfcc"))
    assert found["mfcc"] > 0.9
    assert "no tables of xx-XX; there are en-GB, fr-FR" in refused("minds14", minds14, made.out, ["xx-XX"])


TAXI = ["Recommendation", "Faith", "Violence"]
COLUMNS = ["verse_ref", "text_en", "language", "transcription", "transcription_romanized", "label", "split", "audio"]


@pytest.fixture
def speechtaxi(tmp_path):
    """Packed as it is published: the same verses in two languages."""
    work = tmp_path / "work"
    lines = []
    for language, words in (("fra", TEXT["quy"]), ("tw-asante", TEXT["swh"])):
        (work / "data" / language).mkdir(parents=True)
        for number in range(36):
            place = number % 3
            name = f"{language}/verse_{number}.wav"
            soundfile.write(work / "data" / name, tone(0.3, 250 + 450 * place, number), 16_000)
            text = f"{words['abc'[place]]} {FILLERS[number // 3 % 8]} v{number}"
            split = ("train", "train", "train", "validation", "test", "test")[number // 3 % 6]
            lines.append([f"MRK_{number}", "Verse", language, text.upper(), text, TAXI[place], split, name])
    folder = tmp_path / "SpeechTaxi"
    folder.mkdir()
    with (work / "all.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *lines])
    with zipfile.ZipFile(folder / "tables.zip", "w") as archive:
        archive.write(work / "all.csv", "tables/all.csv")
    with zipfile.ZipFile(folder / "data.zip", "w") as archive:
        for path in sorted((work / "data").rglob("*.wav")):
            archive.write(path, path.relative_to(work / "data"))
    return folder


def test_speechtaxi_is_unpacked_and_compared_across_languages(recipe, speechtaxi):
    made = recipe("speechtaxi")
    said = made.script_says(speechtaxi, made.out)
    assert "fra.tsv: 18 train, 6 dev, 12 test, 3 topics, 0 without text" in said
    rows = read_manifest(made.out / "data" / "tw-asante.tsv")
    assert {row.language for row in rows} == {"twi"}
    assert (rows[0].extra["group"], rows[0].extra["romanized"]) == ("MRK_0", rows[0].text.lower())
    assert {row.label for row in rows} == {f"topic:{label.lower()}" for label in TAXI}
    command = command_of(made)
    assert command[command.index("--only") + 1 :] == ["mfcc", "reference", "reference_latin"]
    document = compared(
        made,
        command[: command.index("--only")],
        "mfcc",
        "reference_latin",
        "reference",
        "--regimes",
        "monolingual",
        "zero-shot",
    )
    assert document["regimes"] == ["monolingual", "zero-shot"]
    assert scores(document)["reference_latin"] > 0.9
    assert scores(document, "zero-shot")["reference"] < 0.7 < scores(document, "zero-shot")["mfcc"]


def test_tables_of_speechtaxi_that_are_not_as_they_should_be(speechtaxi, tmp_path):
    made = tmp_path / "out"
    for change, message in (
        ({"label": "3"}, "the label '3' of MRK_0 is none of Recommendation, Faith"),
        ({"audio": "no.mp3"}, "the recording no.mp3 of MRK_0 is not below"),
        ({"audio": ""}, "no recording of MRK_0; one of the columns audio, audio_path"),
        ({"split": ""}, "whether its rows are train, dev or test stands neither in a column split nor in its name"),
    ):
        folder = speechtaxi / "tables"
        folder.mkdir(exist_ok=True)
        with zipfile.ZipFile(speechtaxi / "tables.zip") as archive:
            header, *lines = csv.reader(archive.read("tables/all.csv").decode().splitlines())
        row = dict(zip(header, lines[0], strict=True)) | change
        with (folder / "all.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, row.values()])
        assert message in refused("speechtaxi", speechtaxi, made, [])
    (folder / "all.csv").write_text("verse_ref,label\n")
    assert "lacks the columns text_en, language" in refused("speechtaxi", speechtaxi, made, [])
    assert "neither data.zip nor a folder data" in refused("speechtaxi", tmp_path / "none", made, [])


CATEGORIES = ["science/technology", "travel", "sports"]


def spoken(folder, place, words, number, count=2, poor=lambda said: said[5:]):
    """A sentence of FLEURS with recordings and transcripts: those of Whisper are poor, those of Seamless good."""
    said = f"{words['abc'[place]]} {FILLERS[number % 8]} s{number}"
    return {
        "sentence": said, "id": 500 + number, "index_id": number, "transcription": said,
        "filename": [f"{number}{'ab'[one]}.wav" for one in range(count)], "speaker_id": [1] * count,
        "whisper_asr": ["" if one else poor(said) for one in range(count)],
        "seamlessm4t_asr": [said.title() for one in range(count)],
        "audio": [sound(folder, 250 + 450 * place, number) for one in range(count)],
    }  # fmt: skip


SENTENCE = {
    "sentence": Value("string"), "id": Value("int64"), "transcription": Value("string"), "filename": List(Value("string")),
    "speaker_id": List(Value("int64")), "whisper_asr": List(Value("string")), "seamlessm4t_asr": List(Value("string")),
    "audio": List(Audio(sampling_rate=16_000)),
}  # fmt: skip


def test_topics_of_fleurs_take_the_better_transcripts(recipe, tmp_path):
    features = SENTENCE | {"index_id": Value("int64"), "category": ClassLabel(names=CATEGORIES)}
    for code, words in (("quy_Latn", TEXT["quy"]), ("zho_Hans", TEXT["swh"])):
        for split, numbers in (("train", range(12)), ("validation", range(12, 18)), ("test", range(18, 24))):
            rows = [spoken(tmp_path, n % 3, words, n) | {"category": n % 3} for n in numbers]
            write(tmp_path / "sib" / "data" / code / f"{split}-00000-of-00001.parquet", features, rows)
    made = recipe("fleurs-slu")
    said = made.script_says(tmp_path / "sib", made.out, "M")
    assert "quy_Latn.tsv: 24 train, 6 dev, 6 test, 3 topics" in said
    rows = read_manifest(made.out / "data" / "zho_Hans.tsv")
    assert {row.language for row in rows} == {"cmn"}
    assert {row.extra["group"] for row in rows if row.split == "test"} == {str(n) for n in range(18, 24)}
    assert (rows[0].label, rows[0].extra["seamless"], rows[1].extra["whisper"]) == (
        "topic:science/technology", rows[0].text.title(), "",
    )  # fmt: skip
    command = command_of(made)
    names = ["mfcc", "pretrained", "reference", "whisper", "seamless", "best", "reference_latin", "best_latin"]
    assert command[command.index("--only") + 1 :] == names
    document = compared(
        made, command[: command.index("--only")], "reference", "whisper", "best", "--regimes", "monolingual"
    )
    found = scores(document)
    assert found["best"] == found["reference"] > found["whisper"]
    rates = {one["system"]: one["rate"] for one in document["transcripts"]}
    assert rates["best"] == 0 < rates["whisper"]
    again = compared(
        made, ["classify", "compare", f"{made.out}/compare/config.yaml", "--out", f"{made.out}/again"], "best"
    )
    assert scores(again)["best"] == found["best"]


def test_questions_about_passages_of_fleurs_are_answered(recipe, tmp_path):
    animals = ["llama", "condor", "puma", "viscacha", "otter", "heron"]
    features = {
        "link": Value("string"), "question_number": Value("int64"), "flores_passage": Value("string"),
        "question": Value("string"), "correct_answer_num": Value("string"), "dialect": Value("string"),
        **{f"mc_answer{n}": Value("string") for n in range(1, 5)},
        "sentence_data": List(SENTENCE | {"sentence_idx": Value("int64")}),
    }  # fmt: skip
    rows = []
    for number, animal in enumerate(animals):
        words = dict(zip("abc", [f"they saw a {animal}", "it was late", "nothing"], strict=True))
        sentences = [
            spoken(tmp_path, place, words, 3 * number + place, 2 - place, lambda said: said[:8]) for place in range(2)
        ]
        answers = [*animals[number + 1 :], *animals[:number]][:3]
        answers.insert(number % 4, animal)
        rows.append(
            {
                "link": f"page{number // 2}", "question_number": 1, "question": "What did they see?", "dialect": "eng_Latn",
                "flores_passage": f"They saw a {animal}. It was late.", "correct_answer_num": str(number % 4 + 1),
                **{f"mc_answer{n}": answer for n, answer in enumerate(answers, 1)},
                "sentence_data": [sentences[1] | {"sentence_idx": 1}, sentences[0] | {"sentence_idx": 0}],
            }
        )  # fmt: skip
    write(tmp_path / "belebele" / "data" / "eng_Latn" / "test-00000-of-00001.parquet", features, rows)
    made = recipe("fleurs-slu")
    folder = ROOT / "recipes" / "fleurs-slu"
    said = made.python(folder / "prepare.py", "listening", tmp_path / "belebele", made.out)
    assert "6 questions, 12 recordings" in said
    first = json.loads((made.out / "eng_Latn.jsonl").read_text().splitlines()[0])
    assert first["recordings"] == ["eng_Latn/test/0a", "eng_Latn/test/1a"]  # in the order of the sentences
    table = made.python(folder / "listen.py", made.out, made.out)
    document = json.loads((made.out / "listening.json").read_text())
    right = {row["text"]: row["accuracy"] for row in document["results"]}
    assert right["reference"] == right["seamless"] == 1.0 > right["whisper"] >= 0
    assert document["transcripts"]["seamless"] == 0 < document["transcripts"]["whisper"]
    assert {(test["text"], test["difference"]) for test in document["tests"]} == {
        ("whisper", 1 - right["whisper"]), ("seamless", 0.0),
    }  # fmt: skip
    assert "| window | reference | eng | 6 | 1.000 [1.000, 1.000] |" in table
    assert "By chance 0.250." in table


def test_languages_of_videos(recipe, tmp_path):
    corpus = tmp_path / "vox"
    for place, code in enumerate(("iw", "et", "haw")):
        for number in range(24):
            path = corpus / code / f"video{number // 2}__U__S{number % 2}---0001.000-0002.000.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, tone(0.5, 250 + 450 * place, number), 16_000)
        for number in range(4 if code != "haw" else 0):
            path = corpus / "dev" / code / f"video{11 + number}__U__S9---0001.000-0002.000.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, tone(0.5, 250 + 450 * place, 90 + number), 16_000)
    made = recipe("voxlingua107")
    said = made.script_says(corpus, made.out, "M", "P")
    assert "test: 8 segments, 0.00 h, 2 languages" in said
    rows = read_manifest(made.out / "data" / "lid.tsv")
    assert {row.language for row in rows} == {"heb", "ekk", "haw"}
    videos = {split: {row.extra["group"] for row in rows if row.split == split} for split in ("train", "dev", "test")}
    assert "et/video11" in videos["test"]
    assert not videos["train"] & videos["test"]
    assert not videos["train"] & videos["dev"]
    assert not videos["dev"] & videos["test"]
    assert len(videos["dev"]) == 3
    train, judge, command = made.commands()
    assert train[:5] == ["classify", "train", "M", "--task", "lid"]
    assert judge[:3] == ["classify", "evaluate", f"{made.out}/model"]
    small = [f"--architecture.{name}={size}" for name, size in
             {"conv_channels": 16, "layers": 1, "width": 32, "ffn": 64, "heads": 2}.items()]  # fmt: skip
    (made.out / "model" / "model.safetensors").unlink()
    quick = ["--preset", "tiny", "--max_steps", "2", "--batch_seconds", "4", "--device", "cpu", *small]
    assert main(["classify", "train", *train[3:], *quick]) == 0
    assert main([*judge, "--device", "cpu"]) == 0
    assert (made.out / "test.tsv").read_text().count("\n") == 9
    assert command[command.index("--only") + 1 :] == ["mfcc", "pretrained", "phones"]
    document = compared(made, command[: command.index("--only")], "mfcc")
    assert document["kind"] == "language"
    assert scores(document)["mfcc"] > 0.9
    less = made.python(
        ROOT / "recipes" / "voxlingua107" / "prepare.py",
        corpus,
        made.out / "less",
        "--hours",
        "0.001",
        "--languages",
        "et",
        "iw",
    )
    assert "train: 8 segments" in less  # of 3.6 s in each language, whole videos
