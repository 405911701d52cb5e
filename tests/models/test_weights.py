import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Model,
    Wav2Vec2Processor,
)

from speechxl.config import Dropout
from speechxl.errors import InputError
from speechxl.models.folders import Card, read_card
from speechxl.models.making import new_pretraining_model
from speechxl.models.saving import save_model
from speechxl.models.weights import load_ctc_model, load_encoder_for_ctc, load_pretraining_model
from speechxl.text import Vocabulary
from tests.conftest import NO_DROPOUT, small_preset


@pytest.mark.parametrize("preset", ["w2v2-base", "xls-r-300m"])
def test_transformers_alone_loads_a_pretrained_folder_and_gives_the_same_features(tmp_path, preset):
    torch.manual_seed(0)
    model = new_pretraining_model(small_preset(preset)).eval()
    save_model(tmp_path / "m", model, Card(normalise=True))
    waveform = torch.randn(1, 16_000)
    features = model.wav2vec2(waveform).features
    projected = model.project_hid(features)
    np.savez(tmp_path / "x.npz", waveform=waveform, projected=projected.detach())
    run_without_speechxl(
        tmp_path,
        "import sys, torch, numpy as np; from transformers import Wav2Vec2ForPreTraining\n"
        "m, report = Wav2Vec2ForPreTraining.from_pretrained('m', output_loading_info=True); x = np.load('x.npz')\n"
        "assert not report['missing_keys'] and not report['unexpected_keys'], report\n"
        "y = m.eval()(torch.tensor(x['waveform'])).projected_states.detach()\n"
        "assert np.abs(y.numpy() - x['projected']).max() <= 1e-5, np.abs(y.numpy() - x['projected']).max()\n",
    )


def test_transformers_alone_loads_a_ctc_folder_and_gives_the_same_logits_and_text(tmp_path, ctc_folder):
    model, vocabulary, _ = load_ctc_model(str(ctc_folder))
    waveform = torch.randn(1, 16_000)
    logits = model.eval().lm_head(model.wav2vec2(waveform).features).detach()
    np.savez(tmp_path / "x.npz", waveform=waveform, logits=logits, text=vocabulary.decode([3, 4, 2, 5]))
    run_without_speechxl(
        tmp_path,
        "import sys, torch, numpy as np; from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor\n"
        "m = Wav2Vec2ForCTC.from_pretrained('ctc').eval(); x = np.load('x.npz')\n"
        "y = m(torch.tensor(x['waveform'])).logits.detach().numpy()\n"
        "assert np.abs(y - x['logits']).max() <= 1e-5, np.abs(y - x['logits']).max()\n"
        "p = Wav2Vec2Processor.from_pretrained('ctc')\n"
        "assert p.decode([3, 3, 0, 4, 2, 5]) == x['text'], p.decode([3, 3, 0, 4, 2, 5])\n"
        "assert p.feature_extractor.do_normalize and p.feature_extractor.sampling_rate == 16000\n",
    )


def run_without_speechxl(folder, code):
    code += "assert 'speechxl' not in sys.modules"
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.fixture
def foreign(tmp_path):
    """A CTC folder as transformers writes it: blank last, base family, capital letters."""
    folder = tmp_path / "foreign"
    symbols = {"|": 0, "A": 1, "B": 2, "[UNK]": 3, "[PAD]": 4}
    config = Wav2Vec2Config(
        conv_dim=(16,) * 7,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        vocab_size=5,
        pad_token_id=4,
    )
    torch.manual_seed(0)
    Wav2Vec2ForCTC(config).save_pretrained(folder)
    (tmp_path / "vocab.json").write_text(json.dumps(symbols))
    tokenizer = Wav2Vec2CTCTokenizer(
        tmp_path / "vocab.json", pad_token="[PAD]", unk_token="[UNK]", bos_token=None, eos_token=None
    )
    Wav2Vec2Processor(Wav2Vec2FeatureExtractor(do_normalize=False), tokenizer).save_pretrained(folder)
    return folder


def test_a_folder_written_by_transformers_alone_is_loaded_with_its_blank_and_normalisation(foreign):
    model, vocabulary, card = load_ctc_model(str(foreign))
    assert vocabulary == Vocabulary(("|", "A", "B", "[UNK]", "[PAD]"), blank=4)
    assert not card.normalise
    peer = Wav2Vec2ForCTC.from_pretrained(foreign).eval()
    waveform = torch.randn(2, 16_000)
    ours = model.eval().lm_head(model.wav2vec2(waveform).features)
    torch.testing.assert_close(ours, peer(waveform).logits, atol=1e-5, rtol=0)


def test_fine_tuning_starts_from_such_a_folder_with_a_new_head(foreign):
    model = load_encoder_for_ctc(str(foreign), Vocabulary(("<pad>", "|", "a", "b", "c", "d")), Dropout(layer=0.1))
    assert model.lm_head.out_features == model.config.vocab_size == 6
    assert model.config.layerdrop == 0.1
    peer = Wav2Vec2ForCTC.from_pretrained(foreign)
    for name, parameter in model.wav2vec2.named_parameters():
        torch.testing.assert_close(parameter, dict(peer.wav2vec2.named_parameters())[name])


def test_the_head_is_kept_for_exactly_the_same_vocabulary_and_redrawn_for_another_of_the_same_size(
    ctc_folder, vocabulary, caplog
):
    caplog.set_level("INFO", "speechxl")
    before, _, _ = load_ctc_model(str(ctc_folder))
    same = load_encoder_for_ctc(str(ctc_folder), vocabulary, NO_DROPOUT)
    assert torch.equal(same.lm_head.weight, before.lm_head.weight)
    assert "output layer" not in caplog.text
    other = load_encoder_for_ctc(str(ctc_folder), Vocabulary((*vocabulary.symbols[:-1], "q")), NO_DROPOUT)
    assert not torch.equal(other.lm_head.weight, before.lm_head.weight)
    assert f"the output layer is new, for {len(vocabulary)} symbols" in caplog.text


def test_a_pretrained_model_is_loaded_with_its_quantizer(pretrained_folder, pretraining_model):
    loaded, fresh = load_pretraining_model(str(pretrained_folder))
    assert not fresh
    for (name, ours), (other, theirs) in zip(
        loaded.state_dict().items(), pretraining_model.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(ours, theirs)


def test_a_missing_quantizer_is_an_error_that_offers_a_new_one(ctc_folder):
    with pytest.raises(InputError, match=r"no weights for .*quantizer.*--reinit_quantizer true"):
        load_pretraining_model(str(ctc_folder))
    model, fresh = load_pretraining_model(str(ctc_folder), reinit_quantizer=True)
    assert fresh
    assert model.quantizer.codevectors.isfinite().all()


def test_a_bare_encoder_of_transformers_can_be_the_start(tmp_path):
    config = Wav2Vec2Config(
        conv_dim=(16,) * 7, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    Wav2Vec2Model(config).save_pretrained(tmp_path / "bare")
    vocabulary = Vocabulary(("<pad>", "|", "a"))
    assert load_encoder_for_ctc(str(tmp_path / "bare"), vocabulary, NO_DROPOUT).config.vocab_size == 3
    assert not read_card(str(tmp_path / "bare")).normalise


def test_pickled_weights_run_no_code(foreign):
    class Evil:
        def __reduce__(self):
            return exec, ("open('pwned', 'w')",)

    (foreign / "model.safetensors").unlink()
    (foreign / "pytorch_model.bin").write_bytes(pickle.dumps({"lm_head.weight": Evil()}))
    with pytest.raises(InputError, match="a pickle that holds more than tensors"):
        load_ctc_model(str(foreign))
    assert not (foreign / "pwned").exists()


def change(folder, name, **fields):
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: change(f, "config.json", model_type="bert"), "model_type 'bert'; a wav2vec2 model is needed"),
        (lambda f: change(f, "config.json", hidden_size=48), "config.json and weights do not fit: .*of another shape"),
        (lambda f: change(f, "config.json", num_hidden_layers=3), "config.json and weights do not fit: .*layers.2"),
        (lambda f: change(f, "vocab.json", q=8), "vocab.json has 9 symbols and the checkpoint's CTC head 8"),
        (lambda f: change(f, "vocab.json", a=7), "numbers in vocab.json are not 0 to 7"),
        (lambda f: (f / "vocab.json").unlink(), "no vocab.json; this is not a fine-tuned CTC model"),
        (lambda f: (f / "vocab.json").write_text("{"), "vocab.json: is not JSON"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x" * 100), "the weights cannot be read"),
        (lambda f: (f / "model.safetensors").unlink(), "the weights cannot be read"),
        (lambda f: (f / "config.json").unlink(), "no config.json there"),
    ],
)
def test_what_is_wrong_with_a_model_folder_is_said(ctc_folder, spoil, message):
    spoil(ctc_folder)
    with pytest.raises(InputError, match=message):
        load_ctc_model(str(ctc_folder))


def test_a_changed_vocabulary_of_the_same_size_is_noticed(ctc_folder):
    symbols = json.loads((ctc_folder / "vocab.json").read_text())
    symbols["a"], symbols["b"] = symbols["b"], symbols["a"]
    (ctc_folder / "vocab.json").write_text(json.dumps(symbols))
    with pytest.raises(InputError, match=r"vocab.json was changed since training"):
        load_ctc_model(str(ctc_folder))


def test_a_pretrained_folder_has_nothing_to_transcribe_with(pretrained_folder):
    with pytest.raises(InputError, match="Run speechxl finetune first"):
        load_ctc_model(str(pretrained_folder))


def test_a_model_of_another_kind_and_a_missing_folder_are_named(tmp_path):
    config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=10)
    BertModel(config).save_pretrained(tmp_path / "bert")
    with pytest.raises(InputError, match="model_type 'bert'"):
        load_pretraining_model(str(tmp_path / "bert"))
    with pytest.raises(InputError, match="there is no such model folder"):
        load_pretraining_model(str(tmp_path / "nope"))


def test_another_sampling_rate_is_refused(foreign):
    change(foreign, "processor_config.json", feature_extractor={"sampling_rate": 8000, "do_normalize": True})
    with pytest.raises(InputError, match="expects 8000 Hz"):
        load_ctc_model(str(foreign))
