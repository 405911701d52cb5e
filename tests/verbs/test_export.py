import json
from pathlib import Path

import numpy as np
import pytest
import torch

from speechxl.decoding.recogniser import Recogniser
from speechxl.errors import InputError, RunFailed
from speechxl.models import onnx as writer
from speechxl.models.weights import load_ctc_model
from speechxl.verbs.export import export
from tests.conftest import tone

LENGTHS = (7_000, 30_001, 16_000)


@pytest.fixture
def session(exported):
    import onnxruntime

    return onnxruntime.InferenceSession(exported[0].document["out"], providers=["CPUExecutionProvider"])


def own_logits(folder, waveforms):
    network, vocabulary, _ = load_ctc_model(str(folder))
    return Recogniser(network, vocabulary, normalise=False).logits(waveforms)


def test_the_difference_is_measured_and_small(exported):
    document = exported[0].document
    assert 0 < document["max_error"] < 1e-4
    assert Path(document["out"]).stat().st_size == document["bytes"]
    assert document["opset"] >= 18
    assert "opset" in exported[0].text


def test_any_length_and_batch_gives_the_model_s_logits_and_padding_changes_nothing(exported, session):
    waveforms = [tone(length / 16_000, 300) for length in LENGTHS]
    expected = own_logits(exported[1], waveforms)
    padded = np.full((len(waveforms), 40_000), 7.0, np.float32)
    for row, waveform in zip(padded, waveforms, strict=True):
        row[: len(waveform)] = waveform
    for count in (1, 2, 3):
        feed = {"input_values": padded[:count], "lengths": np.array(LENGTHS[:count])}
        (logits,) = session.run(["logits"], feed)
        assert logits.shape[0] == count
        for found, own in zip(logits, expected, strict=False):
            torch.testing.assert_close(torch.from_numpy(found[: len(own)]), own, atol=1e-4, rtol=0)
    for waveform, own in zip(waveforms, expected, strict=True):
        feed = {"input_values": waveform[None], "lengths": np.array([len(waveform)])}
        torch.testing.assert_close(torch.from_numpy(session.run(None, feed)[0][0]), own, atol=1e-4, rtol=0)


def test_the_file_says_how_it_is_used(exported, session):
    said = session.get_modelmeta().custom_metadata_map
    _, vocabulary, card = load_ctc_model(str(exported[1]))
    assert tuple(json.loads(said["symbols"])) == vocabulary.symbols
    assert said["normalise"] == str(card.normalise).lower()
    assert {name: said[name] for name in ("blank", "delimiter", "units", "sampling_rate", "frame_seconds")} == {
        "blank": "0", "delimiter": "|", "units": "char", "sampling_rate": "16000", "frame_seconds": "0.02",
    }  # fmt: skip


def test_a_file_that_is_wrong_is_not_left_there(ctc_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "write_onnx", lambda path, *_, **__: path.write_text("x") and 20)
    monkeypatch.setattr(writer, "onnx_error", lambda *_: 0.02)
    with pytest.raises(RunFailed, match=r"a\.onnx: not written, its logits differ by 0\.02"):
        export("onnx", str(ctc_folder), tmp_path / "out" / "a.onnx")
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.setattr(writer, "onnx_error", lambda *_: float("nan"))
    with pytest.raises(RunFailed, match="differ by nan"):
        export("onnx", str(ctc_folder), tmp_path / "out" / "a.onnx")


def test_what_cannot_be_written_is_said_before_the_work(ctc_folder, tmp_path, monkeypatch):
    (tmp_path / "a.onnx").touch()
    with pytest.raises(InputError, match="stands there already"):
        export("onnx", str(ctc_folder), tmp_path / "a.onnx")
    with pytest.raises(InputError, match=r"write .*model\.onnx"):
        export("onnx", str(ctc_folder), tmp_path / "model")
    with pytest.raises(InputError, match="--opset 9: versions from 18 to"):
        export("onnx", str(ctc_folder), tmp_path / "b.onnx", opset=9)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"onnx, onnxscript, onnxruntime: pip install 'speechxl\[onnx\]'"):
        export("onnx", str(ctc_folder), tmp_path / "b.onnx")
