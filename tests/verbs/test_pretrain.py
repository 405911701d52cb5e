import json
from dataclasses import replace
from functools import partial

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch._dynamo.utils import counters
from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining

from speechxl.config import Contrast, Data, Probe, Sampling, Watch
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError
from speechxl.models.compiling import compiled_layers
from speechxl.models.folders import Card, read_card
from speechxl.models.saving import save_model
from speechxl.models.weights import load_pretraining_model
from speechxl.tasks import training
from speechxl.tasks.pretraining import Pretraining
from speechxl.verbs import probing
from speechxl.verbs.adapt import adapt
from speechxl.verbs.pretrain import pretrain
from tests import fairseq
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


def test_the_settings_of_continued_pretraining_repeat_it(corpus, tmp_path, pretrained_folder):
    from speechxl.cli import main

    adapt(str(pretrained_folder), train=[corpus], out=tmp_path / "m", **QUICK)
    assert main(["adapt", "--config", str(tmp_path / "m" / "config.yaml"), "--out", str(tmp_path / "again")]) == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("m", "again")]
    assert weights[0] == weights[1]


def test_a_folder_written_by_transformers_alone_can_be_continued(corpus, tmp_path):
    config = Wav2Vec2Config(
        conv_dim=(16,) * 7, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, codevector_dim=16,
        proj_codevector_dim=16, num_codevectors_per_group=8, feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True,
    )  # fmt: skip
    Wav2Vec2ForPreTraining(config).save_pretrained(tmp_path / "hub")
    adapt(str(tmp_path / "hub"), train=[corpus], out=tmp_path / "m", **QUICK)
    assert read_card(str(tmp_path / "m")).preset == "xls-r-300m"
    assert read_card(str(tmp_path / "m")).normalise


@pytest.mark.parametrize("form", ["dict", "args"])
def test_a_checkpoint_file_of_fairseq_can_be_continued(corpus, tmp_path, form):
    said = fairseq.settings("base", form)
    source = fairseq.save(tmp_path / "base.pt", fairseq.tensors("base"), said, zipped=form == "dict")
    adapt(source, train=[corpus], out=tmp_path / "m", **QUICK)
    assert read_card(str(tmp_path / "m")).preset == "w2v2-base"
    assert not read_card(str(tmp_path / "m")).normalise
    settings = yaml.safe_load((tmp_path / "m" / "config.yaml").read_text())
    assert settings["contrast"]["feature_penalty"] == 10.0
    assert settings["contrast"]["gumbel_start"] == settings["contrast"]["gumbel_floor"] == 0.5
    before, after = (load_pretraining_model(folder)[0] for folder in (source, str(tmp_path / "m")))
    for (name, old), new in zip(before.state_dict().items(), after.state_dict().values(), strict=True):
        assert (old - new).abs().max() < 0.01, name
    assert any(not torch.equal(old, new) for old, new in zip(before.parameters(), after.parameters(), strict=True))


def test_a_checkpoint_file_that_was_fine_tuned_needs_a_new_quantizer(corpus, tmp_path):
    source = fairseq.save(tmp_path / "ft.pt", fairseq.fine_tuned("large"), fairseq.fine_tuned_settings("large"))
    with pytest.raises(InputError, match="--reinit_quantizer true"):
        adapt(source, train=[corpus], out=tmp_path / "m", **QUICK)
    adapt(source, train=[corpus], out=tmp_path / "m", reinit_quantizer=True, **QUICK)
    settings = yaml.safe_load((tmp_path / "m" / "config.yaml").read_text())
    assert settings["contrast"]["gumbel_start"] == 2.0


def test_what_is_taken_from_a_checkpoint_is_said(corpus, tmp_path, pretraining_model, caplog):
    caplog.set_level("INFO")
    save_model(tmp_path / "odd", pretraining_model, Card(normalise=False, preset="tiny"))
    adapt(str(tmp_path / "odd"), train=[corpus], out=tmp_path / "m", **QUICK)
    assert (
        "2 layers of 32, layer norm in the extractor, pre-norm, waveforms as they are, its own 2 x 64 codes"
        in caplog.text
    )
    assert "Gumbel temperature from 0.1 to 0.1" in caplog.text
    assert "is do_normalize in its preprocessor_config.json right?" in caplog.text


def test_a_fine_tuned_folder_is_refused(corpus, tmp_path, ctc_folder):
    with pytest.raises(InputError, match="--reinit_quantizer true"):
        adapt(str(ctc_folder), train=[corpus], out=tmp_path / "m", **QUICK)
    adapt(str(ctc_folder), train=[corpus], out=tmp_path / "m", reinit_quantizer=True, **QUICK)
    assert read_card(str(tmp_path / "m")).vocabulary is None


def test_short_utterances_are_left_out_and_none_left_is_an_error(corpus, tmp_path, caplog):
    common = QUICK | {"train": [corpus], "preset": "tiny", "architecture": SMALL}
    pretrain(out=tmp_path / "m", **common | {"data": Data(min_seconds=0.7)})
    assert "utterances left out: shorter than 0.7 s" in caplog.text
    with pytest.raises(InputError, match="No training utterance is left"):
        pretrain(out=tmp_path / "n", **common | {"data": Data(min_seconds=60.0)})


def test_a_probe_is_logged_and_changes_nothing_else(corpus, tmp_path):
    common = QUICK | {"train": [corpus], "preset": "tiny", "architecture": SMALL}
    with pytest.raises(InputError, match=r"--probe.every 1: 4 dev rows have text or phonemes, at least 6 are needed"):
        pretrain(out=tmp_path / "few", **common, probe=Probe(every=1))
    rows = read_manifest(corpus / "manifest.tsv")
    write_manifest(corpus / "labelled.tsv", [replace(row, split="dev") for row in rows])
    dev = [corpus / "labelled.tsv"]
    common["train"] = [corpus / "half.tsv"]
    write_manifest(corpus / "half.tsv", rows[:6])
    pretrain(out=tmp_path / "m", dev=dev, **common, probe=Probe(every=2, layer=1))
    pretrain(out=tmp_path / "n", dev=dev, **common)
    with pytest.raises(InputError, match=r"--probe.layer must be one of the model's 2 layers, got 3"):
        pretrain(out=tmp_path / "o", dev=dev, **common, probe=Probe(every=2, layer=3))
    logged = [line.split(",")[:2] for line in (tmp_path / "m" / "metrics.csv").read_text().splitlines()]
    for measure in ("probe_loss", "probe_error"):
        assert [step for step, name in logged if name == measure] == ["0", "2"]
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == (tmp_path / "n" / "model.safetensors").read_bytes()


def test_a_probe_takes_rows_of_any_language_with_the_targets_that_most_have(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("speechxl.verbs.recordings._DEV_SECONDS", 1)  # the loss is watched on one dev row
    rows = read_manifest(corpus / "manifest.tsv")
    dev = [replace(row, split="dev", language="quy", text="", phonemes="a b") for row in rows[7:]]
    dev[-1] = replace(dev[-1], language="yor")
    dev[1] = replace(dev[1], text="a b", phonemes="")
    train = [replace(row, language="swh") for row in rows[:6]]
    write_manifest(corpus / "manifest.tsv", [*train, *dev])
    chosen = []
    make = probing.LinearProbe.__init__

    def seen(self, train, test, vocabulary, **options):
        chosen.extend([*train.utterances, *test.utterances])
        make(self, train, test, vocabulary, **options)

    monkeypatch.setattr(probing.LinearProbe, "__init__", seen)
    pretrain(
        train=[corpus], out=tmp_path / "m", preset="tiny", architecture=SMALL, **QUICK, probe=Probe(every=2, layer=1)
    )
    assert {row.id for row in chosen} == {row.id for row in dev if row.phonemes}
    assert read_card(str(tmp_path / "m")).languages == ["swh"]


def test_the_log_holds_what_tells_a_healthy_run(corpus, tmp_path):
    pretrain(train=[corpus], out=tmp_path / "m", preset="tiny", architecture=SMALL, **QUICK)
    logged = {line.split(",")[1] for line in (tmp_path / "m" / "metrics.csv").read_text().splitlines()[1:]}
    assert logged >= {
        "loss", "contrastive", "accuracy", "masked", "gumbel_temperature", "gradient_norm", "tied_distractors",
        "code_perplexity_1", "code_perplexity_2", "data_wait", "audio_seconds_per_second", "skipped_steps", "lr",
    }  # fmt: skip
    rows = [line.split(",") for line in (tmp_path / "m" / "languages.csv").read_text().splitlines()]
    assert rows[0] == ["step", "language", "measure", "value"]
    assert {row[1] for row in rows[1:]} == {"quy", "swh"}
    assert {row[2] for row in rows[1:]} >= {
        "loss", "accuracy", "hours", "epochs", "perplexity_1", "used_2", "dev_loss", "dev_accuracy",
    }  # fmt: skip


def test_languages_are_balanced_by_hours(corpus, tmp_path, caplog):
    caplog.set_level("INFO")
    rows = read_manifest(corpus / "manifest.tsv")
    write_manifest(corpus / "uneven.tsv", [row for row in rows if row.language == "swh" or row.id == "u00.wav"])
    common = QUICK | {"train": [corpus / "uneven.tsv"], "preset": "tiny", "architecture": SMALL, "max_steps": 40}
    outcome = pretrain(out=tmp_path / "m", **common, sampling=Sampling(alpha=0.0, warn_epochs=5))
    assert outcome.document["languages"]["quy"]["share"] == 0.5
    heard = {}
    for line in (tmp_path / "m" / "languages.csv").read_text().splitlines()[1:]:
        step, language, measure, value = line.split(",")
        if measure == "hours" and step == "40":
            heard[language] = float(value)
    assert heard["quy"] == pytest.approx(heard["swh"], rel=0.1)
    assert "heard more than 5 times: quy" in caplog.text
    assert "language      hours  of all   heard  epochs" in caplog.text


def test_batches_can_be_cropped_to_the_shortest(corpus, tmp_path, monkeypatch):
    seen = []
    note = Pretraining.note
    monkeypatch.setattr(Pretraining, "note", lambda self, batch, loss: (seen.append(batch), note(self, batch, loss))[1])
    pretrain(
        train=[corpus], out=tmp_path / "m", preset="tiny", architecture=SMALL, **QUICK,
        sampling=Sampling(crop_to_shortest=True),
    )  # fmt: skip
    assert any(len(batch.lengths) > 1 for batch in seen)
    assert all((batch.lengths == batch.waveform.shape[1]).all() and not batch.padded for batch in seen)


def test_earlier_languages_are_replayed_and_the_extractor_can_be_frozen(corpus, tmp_path, pretrained_folder):
    rows = [row for row in read_manifest(corpus / "manifest.tsv") if row.split == "train"]
    for language in ("quy", "swh"):
        write_manifest(corpus / f"{language}.tsv", [row for row in rows if row.language == language])
    both = {"train": [corpus / "quy.tsv"], "replay": [corpus / "swh.tsv"]}
    outcome = adapt(
        str(pretrained_folder), out=tmp_path / "m", **both, replay_share=0.25, freeze_extractor=True, **QUICK
    )
    assert outcome.document["languages"]["swh"]["share"] == 0.25
    assert outcome.document["languages"]["quy"]["share"] == 0.75
    before, after = (load_pretraining_model(str(folder))[0] for folder in (pretrained_folder, tmp_path / "m"))
    for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True):
        frozen = name.startswith("wav2vec2.feature_extractor")
        assert torch.equal(old, new) == frozen or not old.requires_grad, name
    with pytest.raises(InputError, match=r"--freeze_extractor: the run in .* began with True"):
        adapt(str(pretrained_folder), out=tmp_path / "m", **both, replay_share=0.25, **QUICK, resume=True)
    with pytest.raises(InputError, match=r"--replay .*quy.tsv: nothing is left, all of it is heard or watched already"):
        adapt(
            str(pretrained_folder), train=[corpus / "quy.tsv"], replay=[corpus / "quy.tsv"], out=tmp_path / "n", **QUICK
        )


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
