import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    HubertConfig,
    HubertForCTC,
    HubertForSequenceClassification,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertConfig,
    Wav2Vec2BertForSequenceClassification,
    Wav2Vec2BertModel,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForSequenceClassification,
    WavLMConfig,
    WavLMForSequenceClassification,
    WavLMModel,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForAudioClassification,
    WhisperForConditionalGeneration,
)

from speechxl.config import Dropout, Head
from speechxl.data.audio import standardise
from speechxl.errors import InputError
from speechxl.models.adapters import add_lora
from speechxl.models.classifiers import (
    classifier_from,
    is_tuned,
    load_classifier,
    new_classifier,
    save_classifier,
)
from speechxl.models.folders import Card
from speechxl.models.saving import save_model
from tests.conftest import small_preset

DIGITS = {"digit": ["0", "1", "2"]}
BOTH = DIGITS | {"command": ["go", "stop"]}
SIZE = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
RELATIVES = ("hubert-group", "hubert-layer", "hubert-batch", "wavlm-group", "wavlm-layer")
LENGTHS = torch.tensor([12_000, 4_000, 7_777])


@pytest.fixture(params=["w2v2-base", "tiny"], ids=["group", "layer"])
def base(request):
    return request.param


@pytest.fixture(params=["mean", "attention", "statistics"])
def pooling(request):
    return request.param


@pytest.fixture(params=["weighted", "last"])
def layers(request):
    return request.param


def make(base="tiny", classes=DIGITS, **head):
    torch.manual_seed(0)
    model = new_classifier(small_preset(base), classes, Head(projection=24, **head))
    return rough(model)


def rough(model):
    """Weights so large that whatever is wrong shows in the scores, in evaluation mode."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and "embed" not in name:
                torch.nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
        if model.layer_weights is not None:
            torch.nn.init.normal_(model.network.layer_weights)
    return model.eval()


def waveforms(lengths=LENGTHS):
    waveform = torch.randn(len(lengths), int(lengths.max()), generator=torch.Generator().manual_seed(3))
    for row, length in zip(waveform, lengths, strict=True):
        row[length:] = 0
    return waveform


def encoder_folder(kind, folder):
    """An encoder of `transformers` with random weights, as the hub has it."""
    torch.manual_seed(0)
    if kind == "whisper":
        config = WhisperConfig(
            d_model=32, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=64, decoder_layers=1,
            decoder_attention_heads=2, decoder_ffn_dim=64, vocab_size=50, pad_token_id=1, bos_token_id=1, eos_token_id=1,
            decoder_start_token_id=1,
        )  # fmt: skip
        model, frontend = WhisperForConditionalGeneration(config), WhisperFeatureExtractor()
    elif kind in RELATIVES:
        base, norm = kind.split("-")
        conv = {
            "conv_dim": (16,) * 7,
            "feat_extract_norm": norm,
            "do_stable_layer_norm": norm == "layer",
            "vocab_size": 9,
        }
        if norm == "batch":
            conv |= {"feat_extract_norm": "group", "conv_pos_batch_norm": True}
        sizes = {"hidden_size": 32, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4, **SIZE, **conv}
        model = HubertForCTC(HubertConfig(**sizes)) if base == "hubert" else WavLMModel(WavLMConfig(**sizes))
        if norm == "batch":
            torch.nn.init.normal_(model.hubert.encoder.pos_conv_embed.batch_norm.bias)
        frontend = Wav2Vec2FeatureExtractor(do_normalize=norm == "layer", return_attention_mask=True)
    else:
        model, frontend = Wav2Vec2BertModel(Wav2Vec2BertConfig(hidden_size=32, **SIZE)), SeamlessM4TFeatureExtractor()
    model.save_pretrained(folder)
    frontend.save_pretrained(folder)
    return str(folder)


@pytest.fixture(params=["wav2vec2-bert", "whisper", *RELATIVES])
def other(request, tmp_path):
    return encoder_folder(request.param, tmp_path / request.param)


def save(folder, model, classes=DIGITS, *, normalise=True):
    save_classifier(folder, model, Card(normalise=normalise, preset="tiny"), classes, page="# A classifier\n")
    return str(folder)


@torch.no_grad()
def test_scores_equal_those_of_transformers(base, layers, tmp_path):
    model = make(base, layers=layers)
    peer = Wav2Vec2ForSequenceClassification.from_pretrained(save(tmp_path / "m", model)).eval()
    assert peer.config.id2label == {0: "0", 1: "1", 2: "2"}
    same = torch.randn(2, 8_000)
    torch.testing.assert_close(model(same, torch.tensor([8_000, 8_000]))[0], peer(same).logits, atol=1e-5, rtol=1e-5)
    if base == "tiny":  # transformers' group norm sees padding
        mask = (torch.arange(12_000) < LENGTHS[:, None]).long()
        theirs = peer(waveforms(), attention_mask=mask).logits
        torch.testing.assert_close(model(waveforms(), LENGTHS)[0], theirs, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_of_several_kinds_transformers_gives_the_first(tmp_path):
    model = make(classes=BOTH)
    peer = Wav2Vec2ForSequenceClassification.from_pretrained(save(tmp_path / "m", model, BOTH)).eval()
    same = torch.randn(1, 8_000)
    first, second = model(same, torch.tensor([8_000]))
    torch.testing.assert_close(first, peer(same).logits, atol=1e-5, rtol=1e-5)
    assert second.shape == (1, 2)


@torch.no_grad()
def test_padding_and_the_batch_change_no_score(base, pooling, layers):
    model = make(base, BOTH, pooling=pooling, layers=layers)
    waveform = waveforms()
    together = model(waveform, LENGTHS)
    wider = model(torch.nn.functional.pad(waveform, (0, 9_000)), LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = model(waveform[row : row + 1, :length], LENGTHS[row : row + 1], padded=False)
        for kind in range(2):
            torch.testing.assert_close(together[kind][row], alone[kind][0], atol=1e-5, rtol=0)
            torch.testing.assert_close(wider[kind][row], alone[kind][0], atol=1e-5, rtol=0)
    assert (together[0][0] - together[0][1]).abs().max() > 0.01  # the utterances differ


@torch.no_grad()
def test_padding_changes_no_score_of_other_encoders(other, pooling):
    torch.manual_seed(0)
    model = rough(classifier_from(other, BOTH, Head(pooling=pooling, projection=24), Dropout()))
    waveform = waveforms()
    together = model(waveform, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = model(waveform[row : row + 1, :length], LENGTHS[row : row + 1])
        for kind in range(2):
            torch.testing.assert_close(together[kind][row], alone[kind][0], atol=1e-5, rtol=0)
    assert (together[0][0] - together[0][1]).abs().max() > 0.01


@torch.no_grad()
def test_scores_of_w2v_bert_equal_those_of_transformers(tmp_path):
    source = encoder_folder("wav2vec2-bert", tmp_path / "source")
    model = rough(classifier_from(source, DIGITS, Head(projection=24), Dropout()))
    folder = save(tmp_path / "m", model, normalise=False)
    peer = Wav2Vec2BertForSequenceClassification.from_pretrained(folder).eval()
    frontend = SeamlessM4TFeatureExtractor.from_pretrained(folder)
    rows = [row[:length].numpy() for row, length in zip(waveforms(), LENGTHS, strict=True)]
    inputs = frontend(rows, sampling_rate=16_000, return_tensors="pt")
    torch.testing.assert_close(model(waveforms(), LENGTHS)[0], peer(**inputs).logits, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("kind", RELATIVES)
def test_scores_of_hubert_and_wavlm_equal_those_of_transformers(kind, layers, tmp_path):
    source = encoder_folder(kind, tmp_path / "source")
    model = rough(classifier_from(source, DIGITS, Head(projection=24, layers=layers), Dropout()))
    assert model.lossless
    folder = save(tmp_path / "m", model, normalise=False)
    peer_class = HubertForSequenceClassification if kind.startswith("hubert") else WavLMForSequenceClassification
    peer, report = peer_class.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    for row, length in zip(waveforms(), LENGTHS.tolist(), strict=True):
        own = model(row[None, :length], torch.tensor([length]))[0]
        torch.testing.assert_close(own, peer.eval()(row[None, :length]).logits, atol=1e-5, rtol=1e-5)
    if kind.endswith("layer"):  # others of transformers see padding
        mask = (torch.arange(12_000) < LENGTHS[:, None]).long()
        theirs = peer(waveforms(), attention_mask=mask).logits
        torch.testing.assert_close(model(waveforms(), LENGTHS)[0], theirs, atol=1e-5, rtol=1e-5)
    again, _, card = load_classifier(folder)
    assert not card.normalise
    torch.testing.assert_close(again.eval()(waveforms(), LENGTHS), model(waveforms(), LENGTHS))


@pytest.mark.parametrize("kind", RELATIVES)
def test_hubert_and_wavlm_learn_with_and_without_their_extractor(kind, tmp_path):
    from speechxl.models.classifiers import card_of

    source = encoder_folder(kind, tmp_path / "source")
    assert is_tuned(source) == kind.startswith("hubert")  # which is a recogniser here
    assert card_of(source).normalise == kind.endswith("layer")
    model = classifier_from(source, DIGITS, Head(projection=24), Dropout(0.0, 0.0, 0.0, 0.0, 0.0)).train()
    first = model.backbone.module.feature_extractor.conv_layers[0].conv.weight
    layer = next(model.backbone.layers[0].parameters())
    for learns in (True, False):
        model.backbone.module.feature_extractor.requires_grad_(learns)
        model.zero_grad()
        model(waveforms(), LENGTHS)[0].square().sum().backward()
        assert (first.grad is not None) == learns
        assert layer.grad is not None
    model.zero_grad()
    model(waveforms(), LENGTHS, frozen=True)[0].square().sum().backward()
    assert layer.grad is None
    assert model.network.projector.weight.grad is not None


@torch.no_grad()
def test_whisper_counts_its_own_frames_only(tmp_path):
    source = encoder_folder("whisper", tmp_path / "source")
    model = classifier_from(source, DIGITS, Head(projection=24, layers="last"), Dropout()).eval()
    whisper = WhisperForConditionalGeneration.from_pretrained(source).eval()
    torch.nn.init.normal_(model.network.projector.weight)
    lengths = torch.tensor([8_000])
    waveform = waveforms(lengths)
    mels = WhisperFeatureExtractor()(waveform[0].numpy(), sampling_rate=16_000, return_tensors="pt").input_features
    states = whisper.model.encoder(mels).last_hidden_state[0]
    assert len(states) == 1500
    own = model.network.projector(states[:25]).mean(0)  # half a second
    torch.testing.assert_close(model(waveform, lengths)[0][0], model.heads[0](own), atol=1e-5, rtol=1e-5)
    assert not model.lossless
    folder = save(tmp_path / "m", model, normalise=False)
    assert not any(name.startswith("classifier") for name in load_file(tmp_path / "m" / "model.safetensors"))
    again = load_classifier(folder)[0].eval()
    torch.testing.assert_close(again(waveform, lengths)[0], model(waveform, lengths)[0])
    peer = WhisperForAudioClassification.from_pretrained(folder)  # warns that its classifier is new
    assert (peer.classifier.weight != model.heads[0].weight).any()


@torch.no_grad()
def test_a_folder_gives_the_same_classifier(base, pooling, layers, tmp_path):
    model = make(base, BOTH, pooling=pooling, layers=layers)
    again, classes, card = load_classifier(save(tmp_path / "m", model, BOTH))
    assert classes == BOTH
    assert card.normalise
    assert again.lossless == (pooling == "mean")
    for one, other in zip(model(waveforms(), LENGTHS), again.eval()(waveforms(), LENGTHS), strict=True):
        torch.testing.assert_close(one, other)
    names = load_file(tmp_path / "m" / "model.safetensors").keys()
    assert ("classifier.weight" in names) == (pooling == "mean")


@torch.no_grad()
def test_scores_are_divided_for_a_while(pooling):
    model = make(classes=BOTH, pooling=pooling)
    before, weights = model(waveforms(), LENGTHS), {name: own.clone() for name, own in model.state_dict().items()}
    with model.divided([2.0, 0.5]):
        first, second = model(waveforms(), LENGTHS)
    torch.testing.assert_close(first, before[0] / 2)
    torch.testing.assert_close(second, before[1] / 0.5)
    assert all(torch.equal(own, weights[name]) for name, own in model.state_dict().items())


def test_weights_of_layers_sum_to_one_and_learn():
    model = make()
    weights = model.layer_weights
    assert weights.shape == (3,)
    assert weights.sum().item() == pytest.approx(1)
    assert make(layers="last").layer_weights is None
    model(waveforms(), LENGTHS)[0].square().sum().backward()
    assert (model.network.layer_weights.grad.abs() > 0).all()


def test_a_frozen_encoder_gets_no_gradient_and_all_above_it_does(base, pooling):
    model = make(base, BOTH, pooling=pooling)
    sum(scores.square().sum() for scores in model(waveforms(), LENGTHS, frozen=True)).backward()
    gradients = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert gradients == {name for name, _ in model.named_parameters() if not name.startswith("network.wav2vec2.")}
    weights = model.network.layer_weights.grad.clone()
    model.zero_grad()
    sum(scores.square().sum() for scores in model(waveforms(), LENGTHS)).backward()
    torch.testing.assert_close(weights, model.network.layer_weights.grad)
    assert model.network.wav2vec2.feature_extractor.conv_layers[0].conv.weight.grad is not None


@torch.no_grad()
def test_encoders_of_recognisers_and_pretrained_models_are_taken_over(ctc_folder, pretrained_folder, ctc_model):
    model = classifier_from(str(ctc_folder), DIGITS, Head(), Dropout()).eval()
    for (name, value), other in zip(
        model.network.wav2vec2.state_dict().items(), ctc_model.wav2vec2.state_dict().values(), strict=True
    ):
        assert torch.equal(value, other), name
    assert is_tuned(str(ctc_folder))
    assert not is_tuned(str(pretrained_folder))
    classifier_from(str(pretrained_folder), DIGITS, Head(), Dropout())


def test_all_layers_count_alike_at_first(ctc_folder, other, tmp_path):
    for source in (str(ctc_folder), other, save(tmp_path / "last", make(layers="last"))):
        model = classifier_from(source, DIGITS, Head(projection=24), Dropout())
        torch.testing.assert_close(model.layer_weights, torch.full((3,), 1 / 3))
    torch.testing.assert_close(new_classifier(small_preset(), DIGITS, Head()).layer_weights, torch.full((3,), 1 / 3))


@torch.no_grad()
def test_a_recogniser_of_added_weights_is_a_start(ctc_folder, tmp_path, ctc_model, vocabulary):
    pytest.importorskip("peft")
    from speechxl.models.adapters import Added, fingerprint

    add_lora(ctc_model, rank=2, scale=4, targets=["q_proj"])
    for layer in ctc_model.wav2vec2.encoder.layers:
        torch.nn.init.normal_(layer.attention.q_proj.lora_B["default"].weight, std=20)
    plain = classifier_from(str(ctc_folder), DIGITS, Head(), Dropout()).network
    added = Added("lora", str(ctc_folder), fingerprint(plain))
    save_model(
        tmp_path / "lora", ctc_model, Card(normalise=True, adapter=added, vocabulary=vocabulary.hash), vocabulary
    )
    model = classifier_from(str(tmp_path / "lora"), DIGITS, Head(projection=24), Dropout())
    own = ctc_model.eval().wav2vec2(waveforms(), LENGTHS).features
    torch.testing.assert_close(model.eval().network.wav2vec2(waveforms(), LENGTHS).features, own, atol=1e-4, rtol=1e-4)
    assert (own - plain.eval().wav2vec2(waveforms(), LENGTHS).features).abs().max() > 1e-2
    assert model.network.classifier.weight.shape == (3, 24)


@torch.no_grad()
def test_lora_is_merged_when_a_classifier_is_saved(tmp_path):
    pytest.importorskip("peft")
    model = make()
    add_lora(
        model.network, rank=2, scale=4, targets=["q_proj"], layers=model.backbone.layers,
        heads=("projector.", "classifier.", "layer_weights"),
    )  # fmt: skip
    before = model(waveforms(), LENGTHS)[0]
    for layer in model.backbone.layers:
        torch.nn.init.normal_(layer.attention.q_proj.lora_B["default"].weight)
    after = model.eval()(waveforms(), LENGTHS)[0]
    again = load_classifier(save(tmp_path / "m", model))[0].eval()
    torch.testing.assert_close(again(waveforms(), LENGTHS)[0], after, atol=1e-5, rtol=1e-5)
    assert (before - after).abs().max() > 1e-2


@torch.no_grad()
def test_training_goes_on_with_the_classifier_of_the_same_labels(tmp_path, pooling, caplog):
    model = make(classes=BOTH, pooling=pooling)
    folder = save(tmp_path / "m", model, BOTH)
    same = classifier_from(folder, BOTH, Head(pooling=pooling, projection=24), Dropout()).eval()
    torch.testing.assert_close(same(waveforms(), LENGTHS), model(waveforms(), LENGTHS))
    caplog.set_level("INFO")
    others = {"digit": ["0", "1", "3"], "command": ["go", "stop"]}
    changed = classifier_from(folder, others, Head(pooling=pooling, projection=24), Dropout())
    assert "the output layers are new, for labels: 3 of the kind digit, 2 of the kind command" in caplog.text
    assert (changed.heads[0].weight != model.heads[0].weight).any()
    fewer = classifier_from(folder, {"digit": ["0", "1"]}, Head(pooling=pooling, projection=24), Dropout())
    assert fewer(waveforms(), LENGTHS)[0].shape == (3, 2)


@torch.no_grad()
def test_a_model_for_classification_of_the_hub_is_read(tmp_path):
    model = make(classes={"label": ["swh", "quy"]})
    folder = tmp_path / "m"
    save(folder, model, {"label": ["swh", "quy"]})
    for name in ("labels.json", "speechxl.json"):
        (folder / name).unlink()
    again, classes, card = load_classifier(str(folder))
    assert classes == {"label": ["swh", "quy"]}
    assert card.normalise
    torch.testing.assert_close(again.eval()(waveforms(), LENGTHS), model(waveforms(), LENGTHS))


def test_a_recogniser_is_no_classifier(ctc_folder):
    with pytest.raises(InputError, match=r"ctc: this is no classifier; run speechxl classify train"):
        load_classifier(str(ctc_folder))


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert-layer", "wavlm-group", "wav2vec2-bert", "whisper"])
def test_an_encoder_of_another_sampling_rate_is_refused(kind, tmp_path, pretrained_folder):
    folder = str(pretrained_folder) if kind == "wav2vec2" else encoder_folder(kind, tmp_path / "m")
    path = tmp_path / ("pretrained" if kind == "wav2vec2" else "m") / "preprocessor_config.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"sampling_rate": 8000}))
    (path.parent / "speechxl.json").unlink(missing_ok=True)
    with pytest.raises(InputError, match="the model expects 8000 Hz; only 16000 Hz is supported"):
        classifier_from(folder, DIGITS, Head(), Dropout())


def test_files_of_different_models_are_told_apart(tmp_path):
    model = make(classes=BOTH, pooling="attention")
    folder = save(tmp_path / "m", model, BOTH)
    path = tmp_path / "m" / "heads.safetensors"
    state = load_file(path)
    save_file({name: value for name, value in state.items() if "score" not in name}, path)
    with pytest.raises(
        InputError, match=r"heads.safetensors: does not fit labels.json and the pooling in speechxl.json"
    ):
        load_classifier(folder)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"heads.safetensors: the weights cannot be read"):
        load_classifier(folder)
    weights = load_file(tmp_path / "m" / "model.safetensors")
    save_file({n: v for n, v in weights.items() if n != "projector.bias"}, tmp_path / "m" / "model.safetensors")
    with pytest.raises(InputError, match=r"no weights for projector.bias, which a classifier needs"):
        load_classifier(folder)


def test_another_kind_of_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(
        InputError, match="'bert'; a wav2vec2 or hubert or wavlm or wav2vec2-bert or whisper model is needed"
    ):
        classifier_from(str(tmp_path), DIGITS, Head(), Dropout())


@torch.no_grad()
def test_the_pipeline_of_transformers_reads_a_folder(tmp_path):
    from transformers import pipeline

    model = make()
    samples = np.random.default_rng(0).normal(size=8_000).astype(np.float32)
    found = pipeline("audio-classification", model=save(tmp_path / "m", model))(
        {"raw": samples, "sampling_rate": 16_000}
    )
    own = model(torch.from_numpy(standardise(samples))[None], torch.tensor([8_000]))[0][0].softmax(-1)
    assert {row["label"]: row["score"] for row in found} == pytest.approx(
        dict(zip("012", own.tolist(), strict=True)), abs=1e-5
    )
