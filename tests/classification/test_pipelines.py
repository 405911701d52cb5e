"""Recognisers of `transformers` as transcribers."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoProcessor, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

from speechxl.classification import pipelines
from speechxl.classification.pipelines import Pipeline
from speechxl.data.audio import read_utterance
from speechxl.data.manifest import read_manifest
from speechxl.errors import InputError
from speechxl.shapes import Utterance


@pytest.fixture
def rows(corpus):
    return read_manifest(corpus / "manifest.tsv")[:3]


def test_a_ctc_model_says_what_the_own_recogniser_says(ctc_folder, rows):
    import speechxl.verbs.python as python

    model = python.load(ctc_folder, device="cpu", precision="32")
    own = [model.transcribe(row.path).text for row in rows]
    found = Pipeline(str(ctc_folder), device="cpu")(rows)
    assert [text.split() for text in found] == [text.split() for text in own]
    assert any(own)


def test_transcripts_are_kept_by_model_and_recording(ctc_folder, rows, tmp_path, monkeypatch):
    chosen = Pipeline(str(ctc_folder), cache=tmp_path / "cache", device="cpu")
    first = chosen(rows)
    monkeypatch.setattr(pipelines, "_loaded", lambda *_: pytest.fail("it was asked again"))
    assert chosen(rows[::-1]) == first[::-1]
    with pytest.raises(BaseException, match="asked again"):
        Pipeline(str(ctc_folder), cache=tmp_path / "cache", chunk_seconds=5, device="cpu")(rows)


def test_a_recording_that_cannot_be_used_is_empty_and_said(ctc_folder, rows, tmp_path, caplog):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"none")
    found = Pipeline(str(ctc_folder), device="cpu")([Utterance(broken, "broken"), rows[0]])
    assert found[0] == ""
    assert found[1] == Pipeline(str(ctc_folder), device="cpu")(rows[:1])[0]
    assert "broken.wav" in caplog.text


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    """Whisper with two layers and a vocabulary of bytes."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import WhisperTokenizer

    folder = tmp_path_factory.mktemp("whisper")
    vocabulary = {letter: number for number, letter in enumerate(sorted(ByteLevel.alphabet()))}
    special = [
        "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|sw|>", "<|transcribe|>", "<|translate|>", "<|notimestamps|>",
        "<|0.00|>",
    ]  # fmt: skip
    numbers = {name: len(vocabulary) + place for place, name in enumerate(special)}
    tokenizer = WhisperTokenizer(
        vocab=vocabulary | numbers, merges=[], unk_token=special[0], bos_token=special[0], eos_token=special[0],
        pad_token=special[0],
    )  # fmt: skip
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    end = numbers["<|endoftext|>"]
    config = WhisperConfig(
        vocab_size=len(vocabulary) + len(special), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, init_std=0.7, max_target_positions=32,
        pad_token_id=end, bos_token_id=end, eos_token_id=end, decoder_start_token_id=numbers["<|startoftranscript|>"],
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config)
    settings = model.generation_config
    settings.lang_to_id = {"<|en|>": numbers["<|en|>"], "<|sw|>": numbers["<|sw|>"]}
    settings.task_to_id = {"transcribe": numbers["<|transcribe|>"], "translate": numbers["<|translate|>"]}
    settings.no_timestamps_token_id = numbers["<|notimestamps|>"]
    settings.is_multilingual = True
    settings.max_length, settings.max_initial_timestamp_index = 20, 1
    settings.begin_suppress_tokens, settings._from_model_config = [end], False
    model.save_pretrained(folder)
    return folder


def test_whisper_is_told_the_language_and_the_task(whisper, rows):
    row = next(row for row in rows if row.language == "swh")
    settings = {"num_beams": 1, "max_new_tokens": 12}
    found = Pipeline(str(whisper), generate=settings, device="cpu")([row])
    model = WhisperForConditionalGeneration.from_pretrained(whisper).eval()
    processor = AutoProcessor.from_pretrained(whisper)
    features = processor(read_utterance(row), sampling_rate=16_000, return_tensors="pt").input_features

    def said(language):
        with torch.inference_mode():
            ids = model.generate(features, language=language, task="transcribe", **settings)
        return processor.batch_decode(ids, skip_special_tokens=True)[0]

    assert found == [said("sw")]
    assert found != [said("en")]


def test_languages_are_named_as_each_model_knows_them():
    def options(kind, seconds=3.0, language="swh", type="seq2seq", **generation):
        made = SimpleNamespace(config=SimpleNamespace(model_type=kind), generation_config=SimpleNamespace(**generation))
        return Pipeline("m", generate={"num_beams": 2})._options(
            SimpleNamespace(type=type, model=made), language, seconds
        )

    known = {"lang_to_id": {"<|sw|>": 1, "<|haw|>": 2}}
    assert options("whisper", **known) == {
        "return_timestamps": False, "generate_kwargs": {"task": "transcribe", "language": "sw", "num_beams": 2},
    }  # fmt: skip
    assert options("whisper", seconds=40.0, **known)["return_timestamps"] is True
    assert options("whisper", language="haw", **known)["generate_kwargs"]["language"] == "haw"
    assert "language" not in options("whisper", language="mdw", **known)["generate_kwargs"]
    assert "language" not in options("whisper", language="", **known)["generate_kwargs"]
    assert options("whisper")["generate_kwargs"] == {"num_beams": 2}
    seamless = {"text_decoder_lang_to_code_id": {"swh": 1}}
    assert options("seamless_m4t_v2", **seamless) == {"generate_kwargs": {"tgt_lang": "swh", "num_beams": 2}}
    assert options("seamless_m4t", language="mdw", **seamless) == {"generate_kwargs": {"num_beams": 2}}
    assert options("wav2vec2", type="ctc") == {}


def test_a_folder_without_a_model_is_named(tmp_path, rows):
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(InputError, match="transformers cannot load it from there"):
        Pipeline(str(tmp_path), device="cpu")(rows)
    with pytest.raises(InputError, match="nowhere/to/find: transformers cannot load it"):
        Pipeline(str(Path(tmp_path) / "nowhere/to/find"))(rows)
