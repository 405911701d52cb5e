import builtins
import gc
import os
import pickle
import zipfile

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchaudio.models.wav2vec2 import wav2vec2_model
from torchaudio.models.wav2vec2.utils.import_fairseq import _convert_state_dict
from transformers import Wav2Vec2ForPreTraining

from speechxl.errors import InputError
from speechxl.models.fairseq import is_checkpoint, read_checkpoint
from speechxl.models.folders import Card, read_card
from speechxl.models.saving import save_model
from speechxl.models.vocabularies import read_vocabulary
from speechxl.models.weights import load_ctc_model, load_encoder_for_ctc, load_pretraining_model
from speechxl.text import Vocabulary
from tests import fairseq
from tests.conftest import NO_DROPOUT

FAMILIES = pytest.mark.parametrize("family", ["base", "large"])
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.pt"


def waveforms():
    return torch.randn(2, 8_000, generator=torch.Generator().manual_seed(3))


def torchaudio_model(family, parameters, symbols=None):
    """The same checkpoint by torchaudio's own map of names."""
    large = family == "large"
    model = wav2vec2_model(
        extractor_mode="layer_norm" if large else "group_norm",
        extractor_conv_layer_config=[(16, 10, 5)] + [(16, 3, 2)] * 4 + [(16, 2, 2)] * 2,
        extractor_conv_bias=large,
        encoder_embed_dim=fairseq.WIDTH,
        encoder_projection_dropout=0.0,
        encoder_pos_conv_kernel=fairseq.POSITIONS,
        encoder_pos_conv_groups=fairseq.GROUPS,
        encoder_num_layers=fairseq.LAYERS,
        encoder_num_heads=fairseq.HEADS,
        encoder_attention_dropout=0.0,
        encoder_ff_interm_features=fairseq.FFN,
        encoder_ff_interm_dropout=0.0,
        encoder_dropout=0.0,
        encoder_layer_norm_first=large,
        encoder_layer_drop=0.0,
        aux_num_out=symbols,
    )
    plain = {name.removeprefix("w2v_encoder."): tensor for name, tensor in parameters.items()}
    model.load_state_dict(_convert_state_dict(plain))
    return model.eval()


@FAMILIES
@FORMATS
@torch.no_grad()
def test_the_encoder_gives_what_torchaudio_gives_for_the_same_checkpoint(path, family, zipped):
    parameters = fairseq.tensors(family)
    fairseq.save(path, parameters, fairseq.settings(family), zipped=zipped)
    model, fresh = load_pretraining_model(str(path))
    assert not fresh
    theirs, _ = torchaudio_model(family, parameters)(waveforms())
    ours = model.eval().wav2vec2(waveforms()).features
    assert theirs.std() > 0.1
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


@FAMILIES
@torch.no_grad()
def test_the_quantizer_and_the_heads_are_those_of_the_checkpoint(path, family):
    parameters = fairseq.tensors(family)
    fairseq.save(path, parameters, fairseq.settings(family))
    model, _ = load_pretraining_model(str(path))
    encoded = model.eval().wav2vec2(waveforms())
    normed = encoded.normed_features.flatten(0, 1)
    logits = functional.linear(
        normed, parameters["quantizer.weight_proj.weight"], parameters["quantizer.weight_proj.bias"]
    )
    codes = logits.view(-1, 2, fairseq.CODES).argmax(-1) + torch.tensor([0, fairseq.CODES])
    vectors = parameters["quantizer.vars"][0][codes].flatten(1)  # fairseq's GumbelVectorQuantizer in evaluation
    assert len(codes.unique()) > 2
    expected = functional.linear(vectors, parameters["project_q.weight"], parameters["project_q.bias"])
    torch.testing.assert_close(model.project_q(model.quantizer(normed).vectors), expected)
    expected = functional.linear(encoded.features, parameters["final_proj.weight"], parameters["final_proj.bias"])
    torch.testing.assert_close(model.project_hid(encoded.features), expected)


@FAMILIES
@FORMATS
@pytest.mark.parametrize("form", ["dict", "args", "omegaconf"])
def test_settings_are_understood_in_every_form_that_fairseq_has_had(path, family, form, zipped):
    said = fairseq.settings(family, form)
    if form == "omegaconf":
        said = {"cfg": fairseq.omegaconf(said["cfg"])}
    fairseq.save(path, fairseq.tensors(family), said, zipped=zipped)
    checkpoint = read_checkpoint(str(path))
    assert checkpoint.normalise == (family == "large")
    expected = {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
        "conv_dim": (16,) * 7, "conv_kernel": (10, 3, 3, 3, 3, 2, 2), "conv_stride": (5, 2, 2, 2, 2, 2, 2),
        "conv_bias": family == "large", "feat_extract_norm": "layer" if family == "large" else "group",
        "do_stable_layer_norm": family == "large", "layerdrop": 0.05, "feat_proj_dropout": 0.1, "hidden_dropout": 0.0,
        "feat_quantizer_dropout": 0.1, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
        "codevector_dim": 12, "proj_codevector_dim": 12, "num_codevectors_per_group": 6, "num_codevector_groups": 2,
    }  # fmt: skip
    assert {name: checkpoint.config[name] for name in expected} == expected
    assert read_card(str(path)) == Card(
        normalise=family == "large", preset="xls-r-300m" if family == "large" else "w2v2-base"
    )


def test_what_the_settings_do_not_say_is_seen_from_the_weights(path):
    few = ("layer_norm_first", "encoder_attention_heads", "conv_feature_layers")
    model = {name: value for name, value in fairseq.model_settings("large").items() if name in few}
    fairseq.save(path, fairseq.tensors("large"), {"cfg": {"model": model, "task": {}}})
    config = read_checkpoint(str(path)).config
    fairseq.save(path, fairseq.tensors("large"), fairseq.settings("large"))
    full = read_checkpoint(str(path)).config
    differing = {name for name in full if config[name] != full[name]}
    assert differing == {
        "layerdrop", "hidden_dropout", "attention_dropout", "feat_proj_dropout", "feat_quantizer_dropout"
    }  # fmt: skip


def test_unknown_normalisation_is_that_of_the_family_and_said(path, caplog):
    said = fairseq.settings("large")
    del said["cfg"]["task"]["normalize"]
    fairseq.save(path, fairseq.tensors("large"), said)
    assert read_card(str(path)).normalise
    assert "does not say whether waveforms are normalised" in caplog.text


@FAMILIES
@torch.no_grad()
def test_transformers_reads_the_converted_model_and_gives_the_same_numbers(path, tmp_path, family):
    fairseq.save(path, fairseq.tensors(family), fairseq.settings(family))
    model, _ = load_pretraining_model(str(path))
    save_model(tmp_path / "folder", model.eval(), read_card(str(path)))
    peer, report = Wav2Vec2ForPreTraining.from_pretrained(tmp_path / "folder", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, peer.state_dict()[name]), name
    theirs = peer.eval()(waveforms())
    ours = model.wav2vec2(waveforms())
    torch.testing.assert_close(model.project_hid(ours.features), theirs.projected_states, atol=1e-5, rtol=0)
    vectors = model.quantizer(ours.normed_features.flatten(0, 1)).vectors
    torch.testing.assert_close(
        model.project_q(vectors), theirs.projected_quantized_states.flatten(0, 1), atol=1e-5, rtol=0
    )
    assert read_card(str(tmp_path / "folder")) == read_card(str(path))


def test_half_precision_becomes_float32(path):
    parameters = {name: tensor.half() for name, tensor in fairseq.tensors("large").items()}
    fairseq.save(path, parameters, fairseq.settings("large"))
    model, _ = load_pretraining_model(str(path))
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert torch.equal(model.wav2vec2.masked_spec_embed, parameters["mask_emb"].float())


@FORMATS
def test_neither_the_optimizer_nor_the_file_is_held_after_loading(path, zipped):
    optimizer = {"state": {0: {"exp_avg": torch.zeros(31_337)}}}
    fairseq.save(
        path, fairseq.tensors("large"), fairseq.settings("large"), zipped=zipped, last_optimizer_state=optimizer
    )
    del optimizer
    model, _ = load_pretraining_model(str(path))
    gc.collect()
    assert not any(type(item) is torch.Tensor and item.shape == (31_337,) for item in gc.get_objects())
    for name, parameter in model.named_parameters():
        assert parameter.untyped_storage().nbytes() == 4 * parameter.numel(), name  # a part of no larger memory


# What is not to be run.


class Call:
    """Asks whoever unpickles it to call something."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def payloads(mark):
    touch = f"open({str(mark)!r}, 'w').close()"
    return {
        "exec": Call(exec, touch),
        "eval": Call(eval, touch),
        "getattr chain": Call(Call(getattr, Call(getattr, builtins, "open"), "__call__"), str(mark), "w"),
        "import": Call(__import__, "this"),
        "torch.load": Call(torch.load, str(mark)),
        "pickle.loads": Call(pickle.loads, pickle.dumps(Call(exec, touch))),
        "open": Call(open, str(mark), "w"),
        "torch.save": Call(torch.save, 1, str(mark)),
    }


def places(evil):
    """Where a call can hide: in a part that nobody reads, among settings, in an object, as a key."""
    namespace = fairseq.settings("large", "args")["args"]
    namespace.notes = [evil]
    yield {"args": namespace}, {}
    yield fairseq.settings("large"), {"extra_state": {"train": evil}}
    said = fairseq.settings("large")
    said["cfg"]["common"] = fairseq.omegaconf({"hook": evil})
    yield said, {}
    yield fairseq.settings("large"), {"last_optimizer_state": {("key", evil): 1}}


@FORMATS
@pytest.mark.parametrize("kind", ["exec", "eval", "import", "torch.load", "pickle.loads", "open", "torch.save"])
def test_calls_in_a_checkpoint_have_no_effect(tmp_path, path, kind, zipped):
    mark = tmp_path / "mark"
    seen = 0
    for said, more in places(payloads(mark)[kind]):
        fairseq.save(path, fairseq.tensors("large"), said, zipped=zipped, **more)
        read_checkpoint(str(path))  # all the rest of the file is fine
        assert not mark.exists()
        seen += 1
    assert seen == 4


def test_the_payloads_do_harm_where_they_are_run(tmp_path):
    for kind in ("exec", "eval", "open", "torch.save", "pickle.loads"):
        mark = tmp_path / "mark"
        pickle.loads(pickle.dumps(payloads(mark)[kind]))
        assert mark.exists(), kind
        mark.unlink()


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_shell_command_is_refused_and_not_run(tmp_path, path, zipped, protocol):
    mark = tmp_path / "mark"
    document = {"args": None, "cfg": fairseq.settings("large")["cfg"], "model": fairseq.tensors("large")}
    document["extra_state"] = Call(os.system, f"touch {mark}")
    torch.save(document, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    with pytest.raises(InputError, match=r"asks to run \w+.system" if protocol == 2 else "cannot be read"):
        read_checkpoint(str(path))
    assert not mark.exists()


CHAIN = (
    b"\x80\x02}X\x05\x00\x00\x00modelcbuiltins\ngetattr\n(cbuiltins\n__import__\n(X\x02\x00\x00\x00ostRX\x06\x00\x00\x00systemtR"
    b'(X\x10\x00\x00\x00touch "$MARK_PT"tRs.'
)
"""``{"model": getattr(__import__("os"), "system")('touch "$MARK_PT"')}``, opcode by opcode."""


def test_a_chain_of_calls_written_by_hand_has_no_effect(tmp_path, path, monkeypatch):
    mark = tmp_path / "mark"
    monkeypatch.setenv("MARK_PT", str(mark))
    pickle.loads(CHAIN)
    assert mark.exists()
    mark.unlink()
    torch.save({"model": 1}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, CHAIN if name.endswith("data.pkl") else content)
    with pytest.raises(InputError, match="reduce for unrecognized function"):
        read_checkpoint(str(path))
    assert not mark.exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_torchscript_archive_is_not_run(path):
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), path)
    with pytest.raises(InputError, match="cannot be read as a checkpoint of fairseq"):
        read_checkpoint(str(path))


def test_the_text_of_the_convolutions_is_not_evaluated(tmp_path, path):
    mark = tmp_path / "mark"
    for text in (
        f"open({str(mark)!r}, 'w')",
        "[(16,10,5)] * 10**9",
        "[(16,10,5)] * 1000000000",
        "[(16,10)]",
        "[]",
        "(",
    ):
        fairseq.save(path, fairseq.tensors("base"), fairseq.settings("base", conv_feature_layers=text))
        with pytest.raises(InputError, match=r"conv_feature_layers is .*\(channels, kernel, stride\)"):
            read_checkpoint(str(path))
    assert not mark.exists()


# What cannot be used, and how that is said.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder_layers": 3}, "encoder_layers is 3 in its settings and 2 in its weights"),
        ({"encoder_embed_dim": 64}, "encoder_embed_dim is 64 in its settings and 32 in its weights"),
        ({"encoder_ffn_embed_dim": 64}, "encoder_ffn_embed_dim is 64 .* and 48"),
        ({"extractor_mode": "default"}, "extractor_mode is 'default' .* and 'layer_norm'"),
        ({"conv_bias": False}, "conv_bias is False .* and True"),
        ({"conv_pos": 128}, "conv_pos is 128 .* and 16"),
        ({"conv_pos_groups": 16}, "conv_pos_groups is 16 .* and 4"),
        ({"final_dim": 256}, "final_dim is 256 .* and 12"),
        ({"latent_vars": 320}, "latent_vars is 320 .* and 6"),
        ({"latent_dim": 24}, "latent_dim is 24 .* and 12"),
        ({"conv_feature_layers": "[(16,10,5)] + [(16,3,2)] * 6"}, r"conv_feature_layers is .*\(16, 2\)"),
        ({"conv_feature_layers": None}, "conv_feature_layers is None"),
        ({"encoder_attention_heads": 5}, "encoder_attention_heads is 5, which does not divide the width 32"),
        ({"encoder_attention_heads": 0}, "encoder_attention_heads is 0 .*at least 1"),
        ({"dropout": "much"}, "dropout is 'much' in its settings; a float"),
        ({"layer_norm_first": 3}, "layer_norm_first is 3 in its settings; a bool"),
        ({"quantize_input": True}, "trained with quantize_input True"),
        ({"quantize_targets": False}, "trained with quantize_targets False"),
        ({"target_glu": True}, "trained with target_glu True"),
        ({"quantizer_depth": 2}, "trained with quantizer_depth 2"),
        ({"pos_conv_depth": 5}, "trained with pos_conv_depth 5"),
        ({"layer_type": "conformer"}, "trained with layer_type 'conformer'"),
        ({"activation_fn": "tanh"}, "activation_fn is 'tanh'"),
        ({"_name": "hubert"}, "the model is 'hubert'"),
        ({"_name": "data2vec_audio"}, "the model is 'data2vec_audio'"),
    ],
)
def test_settings_that_contradict_the_weights_or_cannot_be_represented_are_named(path, changes, message):
    fairseq.save(path, fairseq.tensors("large"), fairseq.settings("large", **changes))
    with pytest.raises(InputError, match=rf"model\.pt: .*{message}"):
        read_checkpoint(str(path))


def test_a_zero_means_the_usual_size(path):
    """fairseq's default for both; the projection has then the encoder's width."""
    parameters = fairseq.tensors("large")
    parameters |= {
        "quantizer.vars": torch.randn(1, 12, 16), "project_q.weight": torch.randn(32, 32), "project_q.bias": torch.randn(32),
        "final_proj.weight": torch.randn(32, 32), "final_proj.bias": torch.randn(32),
    }  # fmt: skip
    fairseq.save(path, parameters, fairseq.settings("large", final_dim=0, latent_dim=0))
    config = read_checkpoint(str(path)).config
    assert config["proj_codevector_dim"] == config["codevector_dim"] == 32


def without(name):
    return {key: value for key, value in fairseq.tensors("large").items() if key != name}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (without("encoder.layer_norm.weight"), "no parameter encoder.layer_norm.weight"),
        (without("encoder.layers.1.fc2.bias"), "weights do not fit: wav2vec2.encoder.layers.1.feed_forward.output_dense.bias"),
        (without("post_extract_proj.weight"), "weights do not fit: wav2vec2.feature_projection.projection.weight missing"),
        (fairseq.tensors("large") | {"label_embs_concat": torch.zeros(2)}, "the parameter label_embs_concat does not belong"),
        (fairseq.tensors("large") | {"decoder.embed_tokens.weight": torch.zeros(2)}, "the parameter decoder.embed_tokens"),
        (fairseq.tensors("large") | {"quantizer.vars": torch.zeros(3)}, r"quantizer.vars has shape \(3,\); 3 dimensions"),
        (
            fairseq.tensors("large") | {"encoder.layers.0.fc2.weight": torch.zeros(32, 40)},
            "weights do not fit: wav2vec2.encoder.layers.0.feed_forward.output_dense.weight",
        ),
        (
            fairseq.fine_tuned("large") | {"w2v_encoder.w2v_model.encoder.layers.0.adapter_layer.W_a": torch.zeros(2)},
            "language adapters",
        ),
    ],
)  # fmt: skip
def test_missing_and_unknown_parameters_are_named(path, parameters, message):
    fairseq.save(path, parameters, fairseq.settings("large"))
    with pytest.raises(InputError, match=rf"model\.pt: .*{message}"):
        load_pretraining_model(str(path))


def test_a_parameter_that_the_configuration_has_no_place_for_is_named(path):
    extra = {
        "feature_extractor.conv_layers.3.2.weight": torch.ones(16)
    }  # group norm has a norm in the first layer only
    fairseq.save(path, fairseq.tensors("base") | extra, fairseq.settings("base"))
    with pytest.raises(InputError, match=r"weights do not fit: .*conv_layers.3.layer_norm.weight .*too many"):
        load_pretraining_model(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"pytorch-lightning_version": "2.6", "state_dict": {}},
            "is a checkpoint of Lightning; a checkpoint of fairseq",
        ),
        ({"a.weight": torch.zeros(2)}, r"holds weights only \(1 tensors\); a checkpoint of fairseq"),
        ({"model": {"x": 1}, "cfg": {}, "epoch": 3}, "holds 'model', 'cfg', 'epoch'; a checkpoint of fairseq"),
        ({"model": {"x": torch.zeros(1)}, "cfg": "yes"}, r"its settings \('cfg' or 'args'\) cannot be understood"),
        ([1, 2], "holds a list; a checkpoint of fairseq"),
        ({}, "holds nothing; a checkpoint of fairseq"),
    ],
)
@FORMATS
def test_files_of_another_kind_are_said_to_be_that(path, content, message, zipped):
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=rf"model\.pt: {message}"):
        load_pretraining_model(str(path))


@FORMATS
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9])
def test_a_truncated_file_is_said_to_be_damaged(path, zipped, share):
    fairseq.save(path, fairseq.tensors("large"), fairseq.settings("large"), zipped=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"model\.pt: cannot be read as a checkpoint of fairseq \(.+\)"):
        load_pretraining_model(str(path))


@pytest.mark.parametrize("content", [b"x" * 1000, b"PK\x03\x04" + b"x" * 1000, b"\x80\x02}q\x00."])
def test_anything_else_is_said_to_be_unreadable(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.pt: cannot be read as a checkpoint of fairseq"):
        read_card(str(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nope\.pt: there is no such file"):
        load_pretraining_model(str(tmp_path / "nope.pt"))


def test_folders_and_names_on_the_hub_are_not_taken_for_checkpoints(tmp_path):
    (tmp_path / "model.pt").mkdir()
    assert not is_checkpoint(str(tmp_path / "model.pt"))
    assert not is_checkpoint("facebook/wav2vec2-xls-r-300m")
    assert is_checkpoint("somewhere/xlsr_53_56k.pt")


# Fine-tuned models.


@FAMILIES
@pytest.mark.parametrize("form", ["dict", "args"])
@torch.no_grad()
def test_a_fine_tuned_model_gives_the_logits_that_torchaudio_gives(tmp_path, path, family, form):
    parameters = fairseq.fine_tuned(family)
    fairseq.save(path, parameters, fairseq.fine_tuned_settings(family, form), zipped=form == "dict")
    (tmp_path / "dict.ltr.txt").write_text(fairseq.DICTIONARY)
    model, vocabulary, card = load_ctc_model(str(path))
    theirs, _ = torchaudio_model(family, parameters, symbols=7)(waveforms())
    ours = model.eval().lm_head(model.wav2vec2(waveforms()).features)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    assert vocabulary == Vocabulary(("<s>", "<pad>", "</s>", "<unk>", "|", "a", "b"), blank=0, delimiter="|")
    assert card.normalise == (family == "large")


def test_the_symbols_are_taken_from_the_file_if_it_has_them(path):
    symbols = ["<s>", "<pad>", "</s>", "<unk>", "ŋ", "a", "b"]
    fairseq.save(
        path,
        fairseq.fine_tuned("large"),
        fairseq.fine_tuned_settings("large"),
        task_state={"target_dictionary": fairseq.Dictionary(symbols)},
    )
    assert read_vocabulary(str(path)) == Vocabulary(tuple(symbols), blank=0, delimiter=None)


def test_symbols_that_are_missing_or_of_another_model_are_an_error(tmp_path, path):
    fairseq.save(path, fairseq.fine_tuned("large"), fairseq.fine_tuned_settings("large"))
    with pytest.raises(InputError, match=r"fairseq keeps them in dict\.ltr\.txt\. Put that file beside"):
        load_ctc_model(str(path))
    (tmp_path / "dict.ltr.txt").write_text(fairseq.DICTIONARY + "c 3\n")
    with pytest.raises(InputError, match=r"CTC head has 7 symbols and its dictionary \(dict\.ltr\.txt\) 8"):
        load_ctc_model(str(path))


def test_a_pretrained_checkpoint_has_nothing_to_transcribe_with(path):
    fairseq.save(path, fairseq.tensors("large"), fairseq.settings("large"))
    with pytest.raises(InputError, match="Run speechxl finetune first"):
        load_ctc_model(str(path))


def test_normalisation_that_changed_in_fine_tuning_is_an_error(path):
    fairseq.save(path, fairseq.fine_tuned("large"), fairseq.fine_tuned_settings("large", normalize=False))
    with pytest.raises(InputError, match="normalize is true in some of its settings and false in others"):
        read_card(str(path))


def test_a_missing_quantizer_is_an_error_that_offers_a_new_one(path):
    fairseq.save(path, fairseq.fine_tuned("large"), fairseq.fine_tuned_settings("large"))
    with pytest.raises(InputError, match=r"no weights for .*quantizer.*--reinit_quantizer true"):
        load_pretraining_model(str(path))
    model, fresh = load_pretraining_model(str(path), reinit_quantizer=True)
    assert fresh
    assert model.quantizer.codevectors.shape == (1, 12, 6)
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_fine_tuning_starts_from_the_encoder_and_keeps_the_head_of_the_same_vocabulary(tmp_path, path):
    parameters = fairseq.fine_tuned("base")
    fairseq.save(path, parameters, fairseq.fine_tuned_settings("base"))
    (tmp_path / "dict.ltr.txt").write_text(fairseq.DICTIONARY)
    same = load_encoder_for_ctc(str(path), read_vocabulary(str(path)), NO_DROPOUT)
    assert torch.equal(same.lm_head.weight, parameters["w2v_encoder.proj.weight"])
    other = load_encoder_for_ctc(str(path), Vocabulary(("<pad>", "|", "x")), NO_DROPOUT)
    assert other.lm_head.out_features == other.config.vocab_size == 3
    embedding = parameters["w2v_encoder.w2v_model.mask_emb"]
    assert torch.equal(other.wav2vec2.masked_spec_embed, embedding)
