import json

import huggingface_hub.constants
import pytest

from speechxl.cli import main
from speechxl.errors import InputError
from speechxl.verbs.fetch import fetch
from speechxl.verbs.fetching import HubFile, choose
from tests.verbs.hub import serve

NAME = "people/model"


@pytest.fixture
def hub(ctc_folder, monkeypatch, tmp_path):
    (ctc_folder / "optimizer.pt").write_bytes(bytes(100))
    (ctc_folder / "pytorch_model.bin").write_bytes(bytes(100))
    server = serve(NAME, ctc_folder)
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    monkeypatch.setattr(
        huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    yield server
    server.shutdown()


def test_what_is_fetched_transcribes_without_network(hub, corpus, tmp_path, capsys):
    assert main(["fetch", NAME, str(tmp_path / "copy"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    names = {file["name"] for file in document["files"]}
    assert names >= {"config.json", "model.safetensors", "vocab.json", "preprocessor_config.json", "speechxl.json"}
    assert not names & {"optimizer.pt", "pytorch_model.bin"}
    assert {path.name for path in (tmp_path / "copy").iterdir()} == names
    hub.shutdown()
    assert main(["transcribe", str(tmp_path / "copy"), str(corpus / "u00.wav"), "--device", "cpu"]) == 0


def test_a_dry_run_lists_files_and_writes_nothing(hub, tmp_path, capsys):
    assert main(["fetch", NAME, str(tmp_path / "copy"), "--dry_run"]) == 0
    out = capsys.readouterr().out
    assert "model.safetensors" in out
    assert "would be there" in out
    assert not (tmp_path / "copy").exists()


def test_a_model_that_the_hub_lacks_is_said(hub, tmp_path):
    with pytest.raises(InputError, match="people/other: the hub gave no such model"):
        fetch("people/other", tmp_path / "copy")


def test_a_hub_that_cannot_be_reached_is_not_one_that_lacks_the_model(hub, tmp_path):
    hub.shutdown()
    hub.server_close()
    with pytest.raises(InputError, match="people/model: the hub cannot be reached"):
        fetch(NAME, tmp_path / "copy")
    with pytest.raises(InputError, match="a/b/c: the hub gave no such model"):
        fetch("a/b/c", tmp_path / "copy")


def test_offline_nothing_is_fetched_and_the_message_says_why(hub, tmp_path, capsys):
    assert main(["fetch", NAME, str(tmp_path / "copy"), "--offline"]) == 2
    assert "--offline or HF_HUB_OFFLINE forbids it" in capsys.readouterr().err
    assert hub.asked == []


def test_offline_a_missing_model_is_an_error_with_the_way_to_copy_it(hub, corpus, capsys):
    assert main(["transcribe", NAME, str(corpus / "u00.wav"), "--offline"]) == 2
    said = capsys.readouterr().err
    assert "the hub is not asked, as --offline or HF_HUB_OFFLINE says" in said
    assert f"speechxl fetch {NAME} FOLDER" in said
    assert "config.json, model.safetensors (or pytorch_model.bin), preprocessor_config.json, and vocab.json" in said
    assert hub.asked == []


FILES = [HubFile(name, 1) for name in (
    "config.json", "README.md", "model.safetensors", "pytorch_model.bin", "flax_model.msgpack", "onnx/model.onnx",
    "adapter.quy.bin", "adapter.quy.safetensors", "adapter.swh.bin", "1_Pooling/config.json", "runs/x.json",
)]  # fmt: skip


@pytest.mark.parametrize(
    ("languages", "adapters"), [([], {"adapter.quy.safetensors", "adapter.swh.bin"}), (["swh"], {"adapter.swh.bin"})]
)
def test_weights_are_chosen_once_and_adapters_by_language(languages, adapters):
    found = {file.name for file in choose("m", FILES, languages)}
    assert found == {"config.json", "README.md", "model.safetensors", "1_Pooling/config.json", *adapters}


def test_pickled_weights_are_taken_where_there_are_no_others():
    files = [file for file in FILES if file.name != "model.safetensors"]
    assert "pytorch_model.bin" in {file.name for file in choose("m", files, [])}


@pytest.mark.parametrize(
    ("files", "languages", "message"),
    [
        (FILES, ["kin"], "m: there is no adapter of kin; there is quy, swh"),
        (FILES[:2], [], "no weights that transformers reads"),
    ],
)
def test_what_cannot_be_chosen_is_explained(files, languages, message):
    with pytest.raises(InputError, match=message):
        choose("m", files, languages)
