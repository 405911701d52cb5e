import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from speechxl.config import Adapter
from speechxl.errors import InputError
from speechxl.models.adapters import fingerprint
from speechxl.models.folders import Card
from speechxl.models.making import new_pretraining_model
from speechxl.models.saving import save_model
from speechxl.models.weights import load_ctc_model, load_encoder_for_ctc, load_pretraining_model
from speechxl.text import Vocabulary
from speechxl.verbs.adapter import add
from tests import fairseq
from tests.conftest import NO_DROPOUT, small_preset
from tests.models.test_weights import run_without_speechxl

WAVEFORM = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
SETTINGS = {
    "lora": Adapter("lora", rank=4, scale=6, targets=("q_proj", "v_proj", "output_dense")),
    "mms": Adapter("mms", dim=8, name="swh"),
}


def logits(network):
    with torch.no_grad():
        return network.eval().lm_head(network.wav2vec2(WAVEFORM).features)


def adapted(kind, base, vocabulary):
    """A model with added weights that look trained, and its card."""
    settings = SETTINGS[kind]
    network = load_encoder_for_ctc(str(base), vocabulary, NO_DROPOUT, settings.dim if kind == "mms" else None)
    added = add(network, str(base), settings)
    torch.manual_seed(1)
    for parameter in network.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    return network, Card(normalise=True, preset="tiny", vocabulary=vocabulary.hash, adapter=added)


@pytest.fixture(params=["lora", "mms"])
def kind(request):
    return request.param


@pytest.fixture
def base(tmp_path):
    """Norm first, as XLS-R is; MMS's adapters need it."""
    torch.manual_seed(0)
    save_model(tmp_path / "base", new_pretraining_model(small_preset()), Card(normalise=True, preset="tiny"))
    return tmp_path / "base"


@pytest.fixture
def folder(tmp_path, kind, base, vocabulary):
    network, card = adapted(kind, base, vocabulary)
    save_model(tmp_path / "added", network, card, vocabulary)
    torch.save(logits(network), tmp_path / "logits.pt")
    return tmp_path / "added"


def test_lora_changes_nothing_until_it_is_trained(base, vocabulary):
    network = load_encoder_for_ctc(str(base), vocabulary, NO_DROPOUT)
    before = logits(network)
    add(network, str(base), SETTINGS["lora"])
    assert torch.equal(logits(network), before)


def test_all_but_the_added_weights_and_the_output_layer_is_frozen(kind, base, vocabulary):
    network, _ = adapted(kind, base, vocabulary)
    part = {"lora": "lora_", "mms": "adapter_layer."}[kind]
    for name, parameter in network.named_parameters():
        assert parameter.requires_grad == (part in name or name.startswith("lm_head.")), name
    assert len({name for name, p in network.named_parameters() if p.requires_grad and "layers.1." in name}) >= 2


def test_a_folder_of_added_weights_is_small_and_gives_what_was_trained(tmp_path, kind, folder, vocabulary):
    own = {"lora": {"adapter_model.safetensors", "adapter_config.json"}, "mms": {"adapter.swh.safetensors"}}[kind]
    rest = {"config.json", "preprocessor_config.json", "vocab.json", "tokenizer_config.json", "speechxl.json"}
    assert {path.name for path in folder.iterdir()} == own | rest
    network, found, card = load_ctc_model(str(folder))
    assert found == vocabulary
    assert card.adapter.kind == kind
    torch.testing.assert_close(logits(network), torch.load(tmp_path / "logits.pt"), atol=1e-5, rtol=0)
    assert not [name for name, _ in network.named_parameters() if "lora" in name]


@pytest.mark.parametrize("kind", ["lora"])
def test_peft_alone_gives_the_same_logits(tmp_path, folder):
    torch.save(WAVEFORM, tmp_path / "x.pt")
    run_without_speechxl(
        tmp_path,
        "import sys, torch; from peft import PeftModel; from transformers import Wav2Vec2ForCTC\n"
        "base = Wav2Vec2ForCTC.from_pretrained('base', vocab_size=len(__import__('json').load(open('added/vocab.json'))))\n"
        "model = PeftModel.from_pretrained(base, 'added').eval()\n"
        "difference = model(torch.load('x.pt')).logits - torch.load('logits.pt')\n"
        "assert difference.abs().max() <= 1e-5, difference.abs().max()\n",
    )


@pytest.mark.parametrize("kind", ["mms"])
def test_transformers_alone_gives_the_same_logits(tmp_path, folder):
    torch.save(WAVEFORM, tmp_path / "x.pt")
    shutil.copytree(tmp_path / "base", tmp_path / "copied")
    shutil.copy(folder / "adapter.swh.safetensors", tmp_path / "copied")
    run_without_speechxl(
        tmp_path,
        "import sys, torch; from transformers import Wav2Vec2ForCTC\n"
        "def check(model):\n"
        "    difference = model.eval()(torch.load('x.pt')).logits - torch.load('logits.pt')\n"
        "    assert difference.abs().max() <= 1e-5, difference.abs().max()\n"
        "model = Wav2Vec2ForCTC.from_pretrained('base', adapter_attn_dim=8)\n"
        "model.config._name_or_path = 'added'\n"
        "model.load_adapter('swh')\n"
        "check(model)\n"
        "check(Wav2Vec2ForCTC.from_pretrained('copied', adapter_attn_dim=8, target_lang='swh'))\n",
    )


def test_a_base_is_found_where_it_was_beside_the_folder_and_where_the_note_says(tmp_path, folder):
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.move(folder, tmp_path / "elsewhere" / "added")
    load_ctc_model(str(moved))
    shutil.move(tmp_path / "base", tmp_path / "elsewhere" / "base")
    load_ctc_model(str(moved))
    shutil.move(tmp_path / "elsewhere" / "base", tmp_path / "other")
    with pytest.raises(InputError, match=rf'not at {tmp_path / "base"} any more.* into "base" in .*speechxl.json'):
        load_ctc_model(str(moved))
    note = json.loads((moved / "speechxl.json").read_text())
    for place in (str(tmp_path / "other"), "../../other"):
        note["adapter"]["base"] = place
        (moved / "speechxl.json").write_text(json.dumps(note))
        load_ctc_model(str(moved))


def test_another_base_is_refused(tmp_path, folder, base):
    torch.manual_seed(7)
    save_model(base, new_pretraining_model(small_preset()), Card(normalise=True, preset="tiny"))
    with pytest.raises(InputError, match=r"were trained with another model than .*base"):
        load_ctc_model(str(folder))


def test_a_file_that_does_not_fit_is_named(folder, kind):
    path = folder / {"lora": "adapter_model.safetensors", "mms": "adapter.swh.safetensors"}[kind]
    state = load_file(path)
    save_file({name: value for name, value in state.items() if "layers.1." not in name} | {"x": torch.ones(1)}, path)
    with pytest.raises(InputError, match=rf"{path.name}: does not fit the model"):
        load_ctc_model(str(folder))
    path.write_bytes(b"x" * 100)
    with pytest.raises(InputError, match=rf"{path.name}: the weights cannot be read"):
        load_ctc_model(str(folder))
    path.unlink()
    with pytest.raises(InputError, match=rf"no {path.name} there"):
        load_ctc_model(str(folder))


def test_fine_tuning_goes_on_with_what_was_added(tmp_path, folder, vocabulary):
    network = load_encoder_for_ctc(str(folder), vocabulary, NO_DROPOUT)
    torch.testing.assert_close(logits(network), torch.load(tmp_path / "logits.pt"), atol=1e-5, rtol=0)
    assert all(parameter.requires_grad for parameter in network.parameters())
    other = load_encoder_for_ctc(str(folder), Vocabulary((*vocabulary.symbols, "q")), NO_DROPOUT)
    assert fingerprint(other) == fingerprint(network)
    assert other.lm_head.out_features == len(vocabulary) + 1
    with pytest.raises(InputError, match=r"holds added weights only, for recognition; name .*base"):
        load_pretraining_model(str(folder))


def test_a_checkpoint_of_fairseq_can_be_the_base(tmp_path, kind, vocabulary):
    path = fairseq.save(tmp_path / "xlsr.pt", fairseq.tensors("large"), fairseq.settings("large"))
    network, card = adapted(kind, path, vocabulary)
    save_model(tmp_path / "added", network, card, vocabulary)
    torch.testing.assert_close(
        logits(load_ctc_model(str(tmp_path / "added"))[0]), logits(network), atol=1e-4, rtol=1e-4
    )


def test_a_start_with_adapters_of_another_language_is_not_kept(tmp_path, vocabulary):
    multilingual(tmp_path / "mms")
    networks = [load_encoder_for_ctc(str(tmp_path / "mms"), vocabulary, NO_DROPOUT, dim) for dim in (4, 8)]
    before = networks[0].wav2vec2.encoder.layers[0].adapter_layer.linear_1.weight.clone()
    for network in networks:
        add(network, str(tmp_path / "mms"), Adapter("mms", name="swh"))
    layer = networks[0].wav2vec2.encoder.layers[0].adapter_layer
    assert not torch.equal(layer.linear_1.weight, before)
    assert layer.linear_1.weight.std() < 0.05
    assert networks[1].wav2vec2.encoder.layers[0].adapter_layer.linear_1.out_features == 8


def test_what_cannot_be_added_is_explained(tmp_path, base, vocabulary, monkeypatch):
    network = load_encoder_for_ctc(str(base), vocabulary, NO_DROPOUT)
    with pytest.raises(InputError, match=r"there is no query; there are .*k_proj.*q_proj"):
        add(network, str(base), Adapter("lora", targets=("query",)))
    monkeypatch.setattr("speechxl.models.adapters.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'speechxl\[lora\]'"):
        add(network, str(base), Adapter("lora"))
    save_model(tmp_path / "post", new_pretraining_model(small_preset("w2v2-base")), Card(normalise=False))
    network = load_encoder_for_ctc(str(tmp_path / "post"), vocabulary, NO_DROPOUT, 4)
    with pytest.raises(InputError, match=r"do_stable_layer_norm.*--adapter.kind lora"):
        add(network, str(tmp_path / "post"), Adapter("mms"))


def multilingual(folder):
    """The layout of facebook/mms-1b-all: one adapter, head and vocabulary for each language."""
    config = Wav2Vec2Config(
        conv_dim=(16,) * 7, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=5,
        pad_token_id=0, do_stable_layer_norm=True, feat_extract_norm="layer", adapter_attn_dim=4,
    )  # fmt: skip
    languages = {"eng": "abc", "swh": "abcd", "uzb-script_cyrillic": "аб"}
    vocabularies = {name: {"<pad>": 0, "|": 1} for name in languages}
    torch.manual_seed(0)
    model = Wav2Vec2ForCTC(config).eval()
    model.save_pretrained(folder)
    for language, letters in languages.items():
        vocabularies[language] |= {letter: number for number, letter in enumerate(letters, 2)}
        model.lm_head = torch.nn.Linear(32, len(vocabularies[language]))
        for parameter in model._get_adapters().values():
            torch.nn.init.normal_(parameter, std=0.3)
        save_file(model._get_adapters(), folder / f"adapter.{language}.safetensors")
    (folder / "vocab.json").write_text(json.dumps(vocabularies))
    return folder


def test_a_language_of_a_multilingual_model_is_chosen_as_transformers_does(tmp_path):
    folder = multilingual(tmp_path / "mms")
    for language, symbols in (("swh", "abcd"), ("uzb-script_cyrillic", "аб")):
        network, vocabulary, _ = load_ctc_model(str(folder), language)
        assert vocabulary.symbols == ("<pad>", "|", *symbols)
        peer = Wav2Vec2ForCTC.from_pretrained(folder, target_lang=language, ignore_mismatched_sizes=True).eval()
        torch.testing.assert_close(logits(network), peer(WAVEFORM).logits, atol=1e-5, rtol=0)


def test_a_language_that_a_multilingual_model_lacks_lists_those_that_it_has(tmp_path, ctc_folder):
    folder = multilingual(tmp_path / "mms")
    with pytest.raises(InputError, match=r"each of 3 languages; choose one with --model_language: eng, swh, uzb-"):
        load_ctc_model(str(folder))
    with pytest.raises(InputError, match=r"none for 'uzb'; .*--model_language: uzb-script_cyrillic, eng, swh\."):
        load_ctc_model(str(folder), "uzb")
    (folder / "adapter.swh.safetensors").unlink()
    with pytest.raises(InputError, match=r"no adapter\.swh\.safetensors there"):
        load_ctc_model(str(folder), "swh")
    shutil.copy(folder / "adapter.uzb-script_cyrillic.safetensors", folder / "adapter.eng.safetensors")
    with pytest.raises(InputError, match="another size than the 5 symbols"):
        load_ctc_model(str(folder), "eng")
    with pytest.raises(InputError, match="leave --model_language out"):
        load_ctc_model(str(ctc_folder), "swh")


def test_fine_tuning_starts_from_a_language_of_a_multilingual_model(tmp_path, vocabulary):
    folder = str(multilingual(tmp_path / "mms"))
    for language in ("swh", "eng"):
        file = load_file(tmp_path / "mms" / f"adapter.{language}.safetensors")
        own = load_ctc_model(folder, language)[1]
        same, other = (load_encoder_for_ctc(folder, each, NO_DROPOUT, language=language) for each in (own, vocabulary))
        for name, value in file.items():
            if name.startswith("lm_head."):
                assert torch.equal(same.state_dict()[name], value)
            else:
                assert torch.equal(other.state_dict()[name], value)
                assert torch.equal(same.state_dict()[name], value)
        assert other.lm_head.out_features == other.config.vocab_size == len(vocabulary)
    with pytest.raises(InputError, match="none for 'mdw'"):
        load_encoder_for_ctc(folder, vocabulary, NO_DROPOUT, language="mdw")


def test_an_adapter_is_trained_on_from_that_of_another_language(tmp_path, vocabulary):
    folder = str(multilingual(tmp_path / "mms"))
    network = load_encoder_for_ctc(folder, vocabulary, NO_DROPOUT, 4, "swh")
    add(network, folder, Adapter("mms", name="quy"), begin=False)
    weights = load_file(tmp_path / "mms" / "adapter.swh.safetensors")
    name = "wav2vec2.encoder.layers.0.adapter_layer.linear_1.weight"
    parameters = dict(network.named_parameters())
    assert torch.equal(parameters[name], weights[name])
    assert {n for n, p in parameters.items() if p.requires_grad} == {
        n for n in parameters if "adapter_layer" in n or n.startswith("lm_head.")
    }
    with pytest.raises(InputError, match=r"adapter\.swh\.safetensors: does not fit the model"):
        load_encoder_for_ctc(folder, vocabulary, NO_DROPOUT, 8, "swh")
