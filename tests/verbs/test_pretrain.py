import json
from functools import partial

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch._dynamo.utils import counters
from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining

from speechxl.config import Contrast, Data, Watch
from speechxl.errors import InputError
from speechxl.models.compiling import compiled_layers
from speechxl.models.weights import load_pretraining_model, read_card
from speechxl.tasks import training
from speechxl.verbs.adapt import adapt
from speechxl.verbs.pretrain import pretrain
from tests.conftest import NO_DROPOUT, SMALL

QUICK = {
    "max_steps": 2,
    "batch_seconds": 3.0,
    "device": "cpu",
    "watch": Watch(log_every=1),
    "data": Data(min_seconds=0.1),
}


def test_a_pretrained_folder_tells_how_languages_use_the_codes(corpus, tmp_path):
    outcome = pretrain(train=[corpus], out=tmp_path / "m", preset="tiny", architecture=SMALL, **QUICK)
    usage = json.loads((tmp_path / "m" / "codebook.json").read_text())
    assert usage["languages"].keys() == {"quy", "swh"}
    for language in usage["languages"].values():
        for shares, used, perplexity in zip(language["shares"], language["used"], language["perplexity"], strict=True):
            assert sum(shares) == pytest.approx(1, abs=1e-3)
            assert 1 <= perplexity <= used <= usage["codes"]
    assert outcome.document["hours"] > 0
    assert read_card(str(tmp_path / "m")).languages == ["quy", "swh"]


@pytest.mark.parametrize("preset", ["tiny", "w2v2-base", "xls-r-300m"])
def test_every_family_can_be_pretrained_and_loaded_by_transformers(corpus, tmp_path, preset):
    pretrain(train=[corpus], out=tmp_path / "m", preset=preset, architecture=SMALL, **QUICK)
    _, report = Wav2Vec2ForPreTraining.from_pretrained(tmp_path / "m", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    settings = yaml.safe_load((tmp_path / "m" / "config.yaml").read_text())
    assert settings["contrast"]["feature_penalty"] == (10.0 if preset == "w2v2-base" else 0.0)
    assert settings["contrast"]["gumbel_floor"] == (0.5 if preset == "w2v2-base" else 0.1)


def test_bfloat16_trains_float32_weights(corpus, tmp_path):
    pretrain(train=[corpus], out=tmp_path / "m", preset="tiny", architecture=SMALL, precision="bf16", **QUICK)
    model, _ = load_pretraining_model(str(tmp_path / "m"))
    assert all(parameter.dtype == torch.float32 and parameter.isfinite().all() for parameter in model.parameters())


def test_continued_pretraining_starts_from_the_weights_at_the_floor_of_the_temperature(
    corpus, tmp_path, pretrained_folder
):
    adapt(str(pretrained_folder), train=[corpus], out=tmp_path / "m", **QUICK)
    settings = yaml.safe_load((tmp_path / "m" / "config.yaml").read_text())
    assert settings["contrast"]["gumbel_start"] == settings["contrast"]["gumbel_floor"]
    assert settings["optim"]["lr"] == pytest.approx(4e-4)
    before, after = (load_pretraining_model(str(folder))[0] for folder in (pretrained_folder, tmp_path / "m"))
    for (name, old), new in zip(before.state_dict().items(), after.state_dict().values(), strict=True):
        assert (old - new).abs().max() < 0.01, name
    assert any(not torch.equal(old, new) for old, new in zip(before.parameters(), after.parameters(), strict=True))
    adapt(str(pretrained_folder), train=[corpus], out=tmp_path / "hot", contrast=Contrast(gumbel_start=1.5), **QUICK)
    assert yaml.safe_load((tmp_path / "hot" / "config.yaml").read_text())["contrast"]["gumbel_start"] == 1.5


def test_a_folder_written_by_transformers_alone_can_be_continued(corpus, tmp_path):
    config = Wav2Vec2Config(
        conv_dim=(16,) * 7, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, codevector_dim=16,
        proj_codevector_dim=16, num_codevectors_per_group=8, feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True,
    )  # fmt: skip
    Wav2Vec2ForPreTraining(config).save_pretrained(tmp_path / "hub")
    adapt(str(tmp_path / "hub"), train=[corpus], out=tmp_path / "m", **QUICK)
    assert read_card(str(tmp_path / "m")).preset == "xls-r-300m"
    assert read_card(str(tmp_path / "m")).normalise


def test_a_fine_tuned_folder_is_refused(corpus, tmp_path, ctc_folder):
    with pytest.raises(InputError, match="--reinit_quantizer true"):
        adapt(str(ctc_folder), train=[corpus], out=tmp_path / "m", **QUICK)
    adapt(str(ctc_folder), train=[corpus], out=tmp_path / "m", reinit_quantizer=True, **QUICK)


def test_short_utterances_are_left_out_and_none_left_is_an_error(corpus, tmp_path, caplog):
    common = QUICK | {"train": [corpus], "preset": "tiny", "architecture": SMALL}
    pretrain(out=tmp_path / "m", **common | {"data": Data(min_seconds=0.7)})
    assert "utterances left out: shorter than 0.7 s" in caplog.text
    with pytest.raises(InputError, match="No training utterance is left"):
        pretrain(out=tmp_path / "n", **common | {"data": Data(min_seconds=60.0)})


def test_compiled_layers_train_the_same_model_under_the_same_names(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "compiled_layers", partial(compiled_layers, backend="aot_eager"))
    torch._dynamo.reset()
    counters.clear()
    common = QUICK | {"train": [corpus], "preset": "tiny", "architecture": SMALL, "dropout": NO_DROPOUT}
    weights = []
    for compile in (False, True):
        pretrain(out=tmp_path / str(compile), compile=compile, **common)
        weights.append(load_file(tmp_path / str(compile) / "model.safetensors"))
        assert (counters["stats"]["unique_graphs"] > 0) is compile
    for (name, plain), (other, compiled) in zip(*(one.items() for one in weights), strict=True):
        assert name == other
        torch.testing.assert_close(compiled, plain, atol=1e-4, rtol=1e-3)


def test_without_a_compiler_nothing_is_begun(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match=r"--compile: found no C\+\+ compiler \(no-such-compiler\)"):
        pretrain(train=[corpus], out=tmp_path / "m", preset="tiny", architecture=SMALL, compile=True, **QUICK)
    assert not (tmp_path / "m").exists()
