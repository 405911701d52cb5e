import json

import numpy as np
import pytest
import torch

from speechxl.errors import InputError
from speechxl.models.folders import Card
from speechxl.models.making import new_ctc_model
from speechxl.models.saving import save_model
from speechxl.models.vocabularies import read_vocabularies, read_vocabulary
from speechxl.models.weights import load_ctc_model, load_encoder_for_ctc, load_pretraining_model
from speechxl.text import Vocabularies, Vocabulary
from tests.conftest import NO_DROPOUT, small_preset
from tests.models.test_weights import run_without_speechxl


def several(units="char"):
    """Vocabularies that share symbols, one of them of several characters."""
    texts = {"quy": ["ba do"], "swh": ["bo lo ki"]} if units == "char" else {"quy": ["tʃ a o"], "swh": ["n tʃ a o"]}
    return Vocabularies.from_texts(texts, units)


def save_several(folder, units="char"):
    vocabularies = several(units)
    torch.manual_seed(0)
    model = new_ctc_model(small_preset(), vocabularies)
    torch.nn.init.normal_(model.lm_head.weight, std=0.5)
    save_model(folder, model, Card(normalise=True, preset="tiny", vocabulary=vocabularies.hash), vocabularies)
    return folder


@pytest.mark.parametrize("units", ["char", "phoneme"])
def test_separate_vocabularies_are_read_as_they_were_written(tmp_path, units):
    folder = str(save_several(tmp_path / "m", units))
    model, vocabularies, card = load_ctc_model(folder)
    assert vocabularies == read_vocabularies(folder) == several(units)
    assert model.config.vocab_size == model.lm_head.out_features == len(vocabularies)
    assert card.vocabulary == vocabularies.hash
    assert read_vocabulary(folder, "swh") == vocabularies.of("swh")


def test_one_of_separate_vocabularies_is_kept_with_its_outputs_alone(tmp_path):
    folder = str(save_several(tmp_path / "m"))
    whole, vocabularies, _ = load_ctc_model(folder)
    model, vocabulary, _ = load_ctc_model(folder, "swh")
    assert vocabulary == vocabularies.of("swh")
    assert model.config.vocab_size == len(vocabulary)
    features = torch.randn(3, 32)
    torch.testing.assert_close(model.lm_head(features), whole.lm_head(features)[:, list(vocabularies.outputs("swh"))])


def test_a_language_without_a_separate_vocabulary_lists_those_that_have_one(tmp_path):
    folder = str(save_several(tmp_path / "m"))
    for ask in (load_ctc_model, read_vocabulary):
        with pytest.raises(InputError, match=r"none for 'mdw'; choose one with --model_language: quy, swh\."):
            ask(folder, "mdw")
    with pytest.raises(InputError, match=r"each of 2 languages; choose one with --model_language: quy, swh\."):
        read_vocabulary(folder)


def test_transformers_alone_decodes_separate_vocabularies(tmp_path):
    for units in ("char", "phoneme"):
        save_several(tmp_path / units, units)
        model, vocabularies, _ = load_ctc_model(str(tmp_path / units))
        waveform = torch.randn(1, 16_000)
        logits = model.eval().lm_head(model.wav2vec2(waveform).features).detach()
        outputs = {language: list(vocabularies.outputs(language)) for language in ("quy", "swh")}
        texts = {language: vocabularies.of(language).decode([2, 3, 1, 2]) for language in outputs}
        document = {"outputs": outputs, "texts": texts}
        (tmp_path / f"{units}.json").write_text(json.dumps(document))
        np.savez(tmp_path / f"{units}.npz", waveform=waveform, logits=logits)
    run_without_speechxl(
        tmp_path,
        "import json, sys, torch, numpy as np; from transformers import Wav2Vec2ForCTC, Wav2Vec2CTCTokenizer, Wav2Vec2Processor\n"
        "def check(tokenizer, outputs, text, units):\n"
        "    assert list(tokenizer.encoder.values()) == outputs, tokenizer.encoder\n"
        "    ids = [outputs[number] for number in (2, 2, 0, 3, 1, 2)]\n"
        "    found = tokenizer.decode(ids, spaces_between_special_tokens=units == 'phoneme')\n"
        "    assert found == text, (found, text)\n"
        "for units in ('char', 'phoneme'):\n"
        "    y, x = json.load(open(f'{units}.json')), np.load(f'{units}.npz')\n"
        "    model = Wav2Vec2ForCTC.from_pretrained(units).eval()\n"
        "    logits = model(torch.tensor(x['waveform'])).logits.detach().numpy()\n"
        "    assert np.abs(logits - x['logits']).max() <= 1e-4\n"
        "    for language in ('quy', 'swh'):\n"
        "        tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(units, target_lang=language)\n"
        "        check(tokenizer, y['outputs'][language], y['texts'][language], units)\n"
        "    processor = Wav2Vec2Processor.from_pretrained(units)\n"
        "    for language in ('quy', 'swh', 'quy'):\n"
        "        processor.tokenizer.set_target_lang(language)\n"
        "        check(processor.tokenizer, y['outputs'][language], y['texts'][language], units)\n",
    )


def test_separate_vocabularies_that_were_changed_are_noticed(tmp_path):
    folder = save_several(tmp_path / "m")
    symbols = json.loads((folder / "vocab.json").read_text())
    swapped = {**symbols, "swh": {**symbols["swh"], "b": symbols["swh"]["i"], "i": symbols["swh"]["b"]}}
    (folder / "vocab.json").write_text(json.dumps(swapped))
    with pytest.raises(InputError, match=r"vocab.json was changed since training"):
        load_ctc_model(str(folder))
    (folder / "vocab.json").write_text(json.dumps(dict(reversed(symbols.items()))))
    with pytest.raises(InputError, match="not those of the blank, 0, and then of one language after the other"):
        load_ctc_model(str(folder))


def test_fine_tuning_goes_on_from_separate_vocabularies(tmp_path):
    folder = str(save_several(tmp_path / "m"))
    before, vocabularies, _ = load_ctc_model(folder)
    same = load_encoder_for_ctc(folder, several(), NO_DROPOUT)
    assert torch.equal(same.lm_head.weight, before.lm_head.weight)
    one = load_encoder_for_ctc(folder, vocabularies.of("swh"), NO_DROPOUT, language="swh")
    assert torch.equal(one.lm_head.weight, before.lm_head.weight[list(vocabularies.outputs("swh"))])
    for vocabulary, language in ((vocabularies.of("quy"), None), (Vocabulary(("<pad>", "|", "q")), "swh")):
        other = load_encoder_for_ctc(folder, vocabulary, NO_DROPOUT, language=language)
        assert other.lm_head.out_features == other.config.vocab_size == len(vocabulary)
        name = "encoder.layers.0.attention.q_proj.weight"
        assert torch.equal(other.wav2vec2.state_dict()[name], before.wav2vec2.state_dict()[name])
    with pytest.raises(InputError, match="none for 'mdw'"):
        load_encoder_for_ctc(folder, several(), NO_DROPOUT, language="mdw")
    assert load_pretraining_model(folder, reinit_quantizer=True)[1]
