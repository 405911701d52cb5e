import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from speechxl import load
from speechxl.data.audio import AudioError
from speechxl.errors import InputError, NothingMatched
from speechxl.verbs.transcribe import transcribe


@pytest.fixture
def model(ctc_folder):
    return load(ctc_folder, precision="32")


def test_a_file_gives_what_transcribe_gives(model, ctc_folder, corpus):
    path = str(corpus / "u00.wav")
    (expected,) = transcribe(str(ctc_folder), [path], precision="32").document["results"]
    result = model.transcribe(path)
    assert result.document == expected
    assert (result.text, result.duration, result.language) == (expected["text"], expected["duration"], None)
    assert result.phones == []
    assert [vars(word) for word in result.words] == [
        {"text": word["word"], "start": word["start"], "end": word["end"], "score": word["score"]}
        for word in expected["words"]
    ]
    assert len(result.words) > 0
    assert model.languages == []


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_16"])
def test_samples_give_what_their_file_gives(model, tmp_path, rate, subtype):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (rate, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype)
    read, _ = soundfile.read(tmp_path / "a.wav", dtype="int16" if subtype == "PCM_16" else "float32")
    of_file = model.transcribe(tmp_path / "a.wav")
    of_array = model.transcribe(read, sampling_rate=rate)
    assert of_array.document == of_file.document | {"audio": "array"}
    mono = model.transcribe(read.astype(np.float64).mean(1) / (2**15 if subtype == "PCM_16" else 1), rate)
    assert mono.text == of_file.text


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(16_000), None, "does not say its rate"),
        (np.zeros((2, 16_000)), 16_000, r"shape \(2, 16000\) has more channels than samples; transpose"),
        (np.zeros((2, 3, 4)), 16_000, r"shape \(2, 3, 4\)"),
        (np.zeros(0), 16_000, "has no audio"),
        (np.zeros(10), 0, "with 0 samples per second"),
        (np.array([0.0, np.nan]), 2, "0.500 s is not a finite number"),
        (np.array(["a"]), 16_000, "type <U1 is no audio"),
    ],
)
def test_arrays_that_are_no_audio_are_explained(model, samples, rate, message):
    with pytest.raises(InputError, match=message):
        model.transcribe(samples, rate)


def test_many_files_come_in_order_and_a_bad_one_does_not_end_the_others(model, corpus):
    (corpus / "bad.wav").write_text("no audio")
    names = [corpus / name for name in ("u03.wav", "bad.wav", "u01.wav", "u02.wav")]
    results = list(model.transcribe_all(names))
    assert [result.audio for result in results] == [str(name) for name in names]
    assert [bool(result.failure) for result in results] == [False, True, False, False]
    for result, name in zip(results, names, strict=True):
        if not result.failure:
            assert result.text == model.transcribe(name).text
    for ask in (lambda result: result.text, lambda result: result.words, lambda result: result.save("a.txt")):
        with pytest.raises(AudioError, match=r"bad\.wav: not audio"):
            ask(results[1])
    with pytest.raises(AudioError, match=r"bad\.wav: not audio"):
        model.transcribe(names[1])


def test_folders_patterns_and_manifests_are_read(model, corpus):
    assert len(list(model.transcribe_all(corpus))) == 14
    assert len(list(model.transcribe_all([corpus / "u0?.wav"]))) == 10
    results = list(model.transcribe_all(corpus / "manifest.tsv", split="dev"))
    assert {result.language for result in results} == {"quy", "swh"}
    with pytest.raises(NothingMatched, match="no file matches"):
        list(model.transcribe_all(str(corpus / "*.mp3")))


def test_results_are_saved_by_suffix(model, corpus, tmp_path):
    result = model.transcribe(corpus / "u00.wav")
    result.save(tmp_path / "a.b.txt")
    result.save(str(tmp_path / "inner" / "a.json"))
    assert (tmp_path / "a.b.txt").read_text() == result.text + "\n"
    assert json.loads((tmp_path / "inner" / "a.json").read_text()) == result.document
    result.save(tmp_path / "a.b.txt")
    for name in ("a.TextGrid", "a.eaf", "a.srt"):
        result.save(tmp_path / name)
        assert result.words[0].text in (tmp_path / name).read_text()
    samples, rate = soundfile.read(corpus / "u00.wav")
    with pytest.raises(InputError, match="name their recording, and samples have none"):
        model.transcribe(samples, rate).save(tmp_path / "b.eaf")
    for name in ("a.doc", "a", "a.jsonl"):
        with pytest.raises(InputError, match=r"no format has this suffix; choose among \.txt, \.json"):
            result.save(tmp_path / name)


def test_a_language_model_is_used(ctc_folder, corpus, tmp_path):
    pytest.importorskip("flashlight")
    (tmp_path / "words.txt").write_text("ba\nlo\n")
    result = load(ctc_folder, lexicon=tmp_path / "words.txt", precision="32").transcribe(corpus / "u00.wav")
    assert set(result.text.split()) <= {"ba", "lo"}


def test_a_folder_that_is_no_model_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: there is no such model folder"):
        load(tmp_path / "nowhere")


def test_importing_the_package_does_without_torch():
    code = "import sys, speechxl; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    import speechxl

    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = speechxl.lod
