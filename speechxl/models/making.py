"""Models with random weights, and this package's encoder in the place of that of `transformers`."""

from typing import Any

from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2ForPreTraining

from speechxl.config import Dropout, Preset
from speechxl.models.dropout import Dropout as DropoutModule
from speechxl.models.encoder import Encoder
from speechxl.models.quantizer import GumbelQuantizer
from speechxl.text import Vocabularies, Vocabulary


def new_pretraining_model(preset: Preset) -> Wav2Vec2ForPreTraining:
    """A model with random weights (initialised as `transformers` does, which follows fairseq)."""
    return with_encoder(Wav2Vec2ForPreTraining(configuration(preset)))


def new_ctc_model(preset: Preset, vocabulary: Vocabulary | Vocabularies) -> Wav2Vec2ForCTC:
    """A CTC model with random weights."""
    return with_encoder(Wav2Vec2ForCTC(_with_vocabulary(configuration(preset), vocabulary)))


def configuration(preset: Preset) -> Wav2Vec2Config:
    """A preset in the words of `transformers`."""
    dropout: dict[str, Any] = {**dropout_fields(preset.dropout)}
    return Wav2Vec2Config(
        hidden_size=preset.width,
        num_hidden_layers=preset.layers,
        num_attention_heads=preset.heads,
        intermediate_size=preset.ffn,
        conv_dim=(preset.conv_channels,) * 7,
        feat_extract_norm=preset.extractor_norm,
        conv_bias=preset.conv_bias,
        do_stable_layer_norm=preset.norm_first,
        proj_codevector_dim=preset.final_dim,
        codevector_dim=preset.final_dim,
        num_codevectors_per_group=preset.codes,
        feat_quantizer_dropout=preset.feature_dropout,
        final_dropout=0.0,
        ctc_loss_reduction="mean",
        ctc_zero_infinity=True,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
        **dropout,
    )


def dropout_fields(dropout: Dropout) -> dict[str, float | None]:
    """Names of `transformers`' configuration."""
    return {
        "hidden_dropout": dropout.hidden,
        "attention_dropout": dropout.attention,
        "activation_dropout": dropout.activation,
        "feat_proj_dropout": dropout.projection,
        "layerdrop": dropout.layer,
    }


def given_dropout(dropout: Dropout) -> dict[str, float]:
    """What of it is not None, by the names of `transformers`' configuration."""
    return {name: value for name, value in dropout_fields(dropout).items() if value is not None}


def _with_vocabulary(config: Wav2Vec2Config, vocabulary: Vocabulary | Vocabularies) -> Wav2Vec2Config:
    config.vocab_size, config.pad_token_id = len(vocabulary), vocabulary.blank
    return config


def with_encoder(model: Any) -> Any:
    """Puts this package's encoder and quantizer in the place of those of `transformers`, with their parameters."""
    config = model.config
    model.wav2vec2 = Encoder(model.wav2vec2)
    if isinstance(model, Wav2Vec2ForPreTraining):
        quantizer = model.quantizer
        own = GumbelQuantizer(quantizer.codevectors, quantizer.weight_proj, config.num_codevector_groups)
        model.add_module("quantizer", own)
        model.add_module("dropout_features", DropoutModule(config.feat_quantizer_dropout))
    return model
