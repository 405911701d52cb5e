"""Phones of languages that a model has not heard, through `transcribe`: own models, and published ones."""

import json
import shutil
from functools import cache

import numpy as np
import pytest
import torch
from praatio import textgrid
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2PhonemeCTCTokenizer,
)

from speechxl.cli import main
from speechxl.config import Phones, Search
from speechxl.data.audio import read_audio
from speechxl.data.espeak import tokens
from speechxl.data.inventories import words
from speechxl.errors import InputError
from speechxl.phonology.distance import new_metric
from speechxl.phonology.inventory import Inventory
from speechxl.phonology.mapping import new_map
from speechxl.phonology.phoible import open_phoible
from speechxl.text import Vocabularies, Vocabulary, normalise
from speechxl.verbs.map import map as map_phones
from speechxl.verbs.transcribe import transcribe
from tests.conftest import save_phones, speak_up
from tests.phonology.conftest import SEGMENTS, write_release
from tests.verbs.test_transcribe import contents, names_in

ALL_OF_QUY = {"p", "b", "a", "i", "m", "ai"}


@pytest.fixture(autouse=True)
def release(tmp_path, monkeypatch):
    """PHOIBLE, a small one, is there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SPEECHXL_PHOIBLE", str(write_release(tmp_path / "release")))
    open_phoible.cache_clear()
    yield
    open_phoible.cache_clear()


@pytest.fixture
def phones(tmp_path):
    return save_phones(tmp_path / "phones", Vocabulary.from_texts(["p pʰ a i mb ã"], "phoneme"))


@pytest.fixture
def separate(tmp_path):
    return save_phones(
        tmp_path / "separate", Vocabularies.from_texts({"swh": ["p a i"], "quy": ["b m pʰ ã"]}, "phoneme")
    )


@cache
def espeak_symbols():
    """What the training texts of the published models held: espeak-ng's phones of many languages, and what it leaks into them."""
    leaks = ["s.", "ts.", "ts.h", "??", "t[", "d[", "i.5", "iɛ5", "onɡ5", "th", "kh", "ph"]
    found = {
        token.strip("ˈˌ")
        for voice in ("cmn", "de", "en-us", "es", "fr", "hi", "it", "pl", "ru", "sv", "ta", "tr", "vi")
        for text in words(voice)[::25]
        for word in tokens(text, voice)
        for token in word
        if not token.startswith("(")
    }
    return ["<pad>", "<s>", "</s>", "<unk>", *sorted(found - {""} - set(leaks)), *leaks]


@pytest.fixture
def published(tmp_path):
    """A folder as that of facebook/wav2vec2-xlsr-53-espeak-cv-ft, with a small encoder and random weights."""
    folder = tmp_path / "published"
    symbols = espeak_symbols()
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        vocab_size=len(symbols), pad_token_id=0, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, conv_dim=[16] * 7, feat_extract_norm="layer", conv_bias=True, do_stable_layer_norm=True,
        num_conv_pos_embedding_groups=16,
    )  # fmt: skip
    model = Wav2Vec2ForCTC(config).eval()
    speak_up(model, lambda waveform: model.wav2vec2(waveform).last_hidden_state)
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({symbol: number for number, symbol in enumerate(symbols)}))
    settings = {
        "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "do_lower_case": False,
        "word_delimiter_token": None, "phone_delimiter_token": " ", "do_phonemize": True, "phonemizer_lang": "en-us",
        "phonemizer_backend": "espeak", "tokenizer_class": "Wav2Vec2PhonemeCTCTokenizer",
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return str(folder)


def logits_of(folder, path):
    """By transformers alone."""
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    inputs = extractor(read_audio(path), sampling_rate=16_000, return_tensors="pt")
    with torch.inference_mode():
        return Wav2Vec2ForCTC.from_pretrained(folder).eval()(inputs.input_values).logits[0]


def texts(outcome):
    return [result["text"] for result in outcome.document["results"]]


def test_the_phones_of_a_language_are_recognised(phones, recording):
    outcome = transcribe(phones, [recording], language="quy", precision="32")
    (result,) = outcome.document["results"]
    assert len(result["phones"]) > 3
    assert {phone["phone"] for phone in result["phones"]} <= ALL_OF_QUY
    assert result["text"] == " ".join(phone["phone"] for phone in result["phones"])
    assert result["language"] == "quy"
    assert outcome.document["maps"][0]["inventory"]["ids"] == [1, 2]
    (plain,) = transcribe(phones, [recording], precision="32").document["results"]
    assert plain["language"] is None
    assert plain["text"] != result["text"]
    one = transcribe(phones, [recording], inventory="phoible:1", precision="32")
    assert set(texts(one)[0].split()) <= {"p", "b", "a", "i"}
    assert one.document["results"][0]["language"] is None
    largest = Phones(source="largest", marginal=False, split_diphthongs=True)
    few = transcribe(phones, [recording], language="Ayacucho Quechua", phones=largest)
    assert few.document["maps"][0]["inventory"]["phones"] == ["a", "i", "p"]


def test_a_language_is_no_file_of_its_name(phones, recording, tmp_path, monkeypatch):
    (tmp_path / "work" / "quy").mkdir(parents=True)
    (tmp_path / "work" / "quy" / "manifest.tsv").write_text("path\tphonemes\na.wav\tm\n")
    monkeypatch.chdir(tmp_path / "work")
    for document in (
        transcribe(phones, [recording], language="quy").document["maps"][0],
        map_phones(phones, language="quy"),
    ):
        found = document if isinstance(document, dict) else document.document
        assert found["inventory"]["source"] == "phoible:union"
    assert transcribe(phones, [recording], inventory="quy").document["maps"][0]["inventory"]["size"] == 1


def test_a_published_model_gives_what_transformers_gives(published, recording):
    path = recording
    logits = logits_of(published, path)
    tokenizer = Wav2Vec2PhonemeCTCTokenizer.from_pretrained(published, do_phonemize=False)
    (own,) = texts(transcribe(published, [path], precision="32"))
    assert own == normalise(tokenizer.decode(logits.argmax(-1), skip_special_tokens=True))
    assert len(own.split()) > 5


@pytest.mark.parametrize("strategy", ["soft", "tr2tgt", "exact"])
def test_a_published_model_recognises_an_inventory(published, recording, tmp_path, strategy):
    path = recording
    (tmp_path / "own.txt").write_text("p\nb\nʈʂʰ\nʔ\nt̪\ntʃ\nŋ\na\ne\nɨ\noŋ\nɓ\n", encoding="utf-8")
    phones = Phones(strategy=strategy, distance="panphon")
    outcome = transcribe(published, [path], inventory=str(tmp_path / "own.txt"), phones=phones, precision="32")
    statuses = {row["target"]: row["status"] for row in outcome.document["maps"][0]["targets"]}
    assert statuses["ʈ͡ʂʰ"] == "respelled"  # from ts.h
    assert {statuses["t̪"], statuses["ʔ"], statuses["oŋ"]} <= {"exact", "respelled"}
    assert statuses["ɓ"] == ("unreachable" if strategy == "exact" else "near")
    vocabulary = Vocabulary(tuple(espeak_symbols()), 0, None)
    inventory = Inventory(outcome.document["maps"][0]["inventory"]["phones"])
    mapping = new_map(vocabulary, inventory, new_metric("panphon"), phones_settings(phones))
    best = mapping.apply(logits_of(published, path).double().log_softmax(-1).numpy()).argmax(-1)
    assert texts(outcome) == [mapping.vocabulary.decode(best[np.diff(best, prepend=-1) != 0].tolist())]
    assert len(texts(outcome)[0].split()) > 3


def phones_settings(phones):
    from speechxl.phonology.mapping import Settings

    return Settings(strategy=phones.strategy, max_distance=phones.max_distance)


def test_a_published_model_recognises_a_language_and_a_voice(published, recording):
    segments = set(SEGMENTS)
    (text,) = texts(transcribe(published, [recording], language="arb", phones=Phones(distance="panphon")))
    assert set(text.split()) <= segments
    assert text
    outcome = transcribe(published, [recording], inventory="espeak:sw", phones=Phones(distance="panphon"))
    assert outcome.document["maps"][0]["inventory"]["source"] == "espeak:sw"
    assert {"ɟ", "ð"} <= set(outcome.document["maps"][0]["inventory"]["phones"])


def test_all_rows_are_in_the_language_that_is_given_or_each_in_its_own(phones, recording, corpus):
    manifest = str(corpus / "manifest.tsv")
    one = transcribe(phones, [manifest], language="arb", precision="32").document
    assert {result["language"] for result in one["results"]} == {"quy", "swh"}  # what the rows say
    assert {phone for result in one["results"] for phone in result["text"].split()} <= {"b", "m", "mb", "i", "ã"}
    with pytest.raises(InputError, match=r"manifest.tsv:3: PHOIBLE .* has no inventory of 'swh'"):
        transcribe(phones, [manifest], inventory="phoible:union")
    text = (corpus / "manifest.tsv").read_text().replace("\tswh\t", "\tarb\t")
    (corpus / "manifest.tsv").write_text(text)
    document = transcribe(phones, [manifest], inventory="phoible:largest", precision="32").document
    assert [(each["language"], each["inventory"]["ids"]) for each in document["maps"]] == [("arb", [3]), ("quy", [1])]
    for result in document["results"]:
        own = {"b", "m", "mb", "i", "ã"} if result["language"] == "arb" else {"p", "b", "a", "i"}
        assert set(result["text"].split()) <= own
    with pytest.raises(InputError, match=r"u00.wav: has no language, so that phoible:union says nothing"):
        transcribe(phones, [recording], inventory="phoible:union")


def test_separate_vocabularies_are_mapped_each(separate, recording, corpus, tmp_path):
    (tmp_path / "own.txt").write_text("p\nb\na\nai\n", encoding="utf-8")
    document = transcribe(
        separate, [str(corpus / "manifest.tsv")], inventory=str(tmp_path / "own.txt"), precision="32"
    ).document
    statuses = {each["language"]: [row["status"] for row in each["targets"]] for each in document["maps"]}
    assert statuses["swh"].count("exact") == 2  # a, p
    assert statuses["quy"].count("exact") == 1  # b
    for result in document["results"]:
        assert set(result["text"].split()) <= {"p", "b", "a", "ai"}
        path = str(corpus / result["audio"].rpartition("/")[2])
        alone = transcribe(
            separate, [path], model_language=result["language"], inventory=str(tmp_path / "own.txt"), precision="32"
        )
        assert texts(alone) == [result["text"]]
    with pytest.raises(InputError, match=r"u00.wav: the model has a vocabulary for each of swh, quy"):
        transcribe(separate, [recording], language="quy")


def test_reports_stand_beside_the_transcripts(phones, separate, corpus, tmp_path):
    out = tmp_path / "out"
    document = transcribe(phones, [str(corpus / "u0[01].wav")], language="quy", out=out).document
    assert names_in(out) == {"transcribe.json", "phones.json", "u00.txt", "u01.txt"}
    assert json.loads((out / "phones.json").read_text()) == document["maps"][0]
    mapped = map_phones(phones, language="quy").document
    assert {key: mapped[key] for key in document["maps"][0] if key != "language"} == {
        key: value for key, value in document["maps"][0].items() if key != "language"
    }
    transcribe(separate, [str(corpus / "manifest.tsv")], language="quy", out=tmp_path / "each")
    reports = {name for name in names_in(tmp_path / "each") if name.startswith("phones")}
    assert reports == {"phones-quy.json", "phones-swh.json"}
    assert json.loads((tmp_path / "each" / "phones-swh.json").read_text())["language"] == "swh"


def test_another_inventory_is_not_mixed_in(phones, corpus, tmp_path):
    out, names = tmp_path / "out", [str(corpus / "u0[01].wav")]
    (tmp_path / "own.txt").write_text("p\na\n")
    settings = {"out": out, "format": "txt,jsonl", "precision": "32"}
    transcribe(phones, names, language="quy", **settings)
    before = contents(out)
    assert transcribe(phones, names, language="aaaa1234", **settings).document["skipped"] == 2
    assert contents(out) == before
    for other in (
        {},
        {"language": "arb"},
        {"inventory": str(tmp_path / "own.txt")},
        {"language": "quy", "phones": Phones(tau=0.1)},
        {"language": "quy", "phones": Phones(distance="panphon")},
        {"language": "quy", "alternatives": 2},
        {"language": "quy", "attributes": True},
    ):
        with pytest.raises(InputError, match=r"made with .*quy Ayacucho Quechua \(phoible:union\), soft.*, not with "):
            transcribe(phones, names, **other, **settings)
    assert contents(out) == before
    copied = tmp_path / "elsewhere"
    copied.mkdir()
    shutil.copy(tmp_path / "own.txt", copied / "own.txt")
    transcribe(phones, names, inventory=str(tmp_path / "own.txt"), overwrite=True, **settings)
    assert "phones.json" in names_in(out)
    assert transcribe(phones, names, inventory=str(copied / "own.txt"), **settings).document["skipped"] == 2
    (copied / "own.txt").write_text("p\na\ni\n")
    with pytest.raises(InputError, match=r"own.txt, soft, phoible:fitted, \w+\), not with .*own.txt, soft"):
        transcribe(phones, names, inventory=str(copied / "own.txt"), **settings)
    transcribe(phones, names, overwrite=True, **settings)
    assert "phones.json" not in names_in(out)


def test_new_languages_of_rows_are_gone_on_with(phones, corpus, tmp_path):
    manifest = corpus / "manifest.tsv"
    manifest.write_text(manifest.read_text().replace("\tswh\t", "\tarb\t"))
    lines = manifest.read_text().splitlines()
    (corpus / "first.tsv").write_text("\n".join(lines[:2]) + "\n")
    settings = {"inventory": "phoible:union", "out": tmp_path / "out"}
    transcribe(phones, [str(corpus / "first.tsv")], **settings)
    assert "phones-arb.json" not in names_in(tmp_path / "out")
    assert transcribe(phones, [str(manifest)], **settings).document["skipped"] == 1
    assert {"phones-arb.json", "phones-quy.json"} <= names_in(tmp_path / "out")
    assert transcribe(phones, [str(corpus / "first.tsv")], **settings).document["skipped"] == 1
    assert json.loads((tmp_path / "out" / "transcribe.json").read_text())["reports"] == [
        "phones-arb.json", "phones-quy.json",
    ]  # fmt: skip


def test_shards_write_one_report(phones, corpus, tmp_path):
    settings = {"language": "quy", "format": "jsonl"}
    transcribe(phones, [str(corpus)], out=tmp_path / "whole", **settings)
    for shard in ("1/2", "2/2"):
        transcribe(phones, [str(corpus)], out=tmp_path / "out", shard=shard, **settings)
    for name in ("phones.json", "transcribe.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_report_replaces_no_file_of_others(phones, recording, corpus, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "phones.json").write_text("mine")
    with pytest.raises(InputError, match=r"phones.json stands there already and is not by speechxl"):
        transcribe(phones, [recording], language="quy", out=out)
    assert (out / "phones.json").read_text() == "mine"
    transcribe(phones, [recording], out=out)
    (corpus / "u00.wav").rename(corpus / "phones.wav")
    transcribe(phones, [str(corpus / "phones.wav")], language="quy", out=tmp_path / "other", format="json")
    assert names_in(tmp_path / "other") == {"phones.json", "phones.wav.json", "transcribe.json"}


def test_many_far_phones_are_warned_of(phones, recording, tmp_path, caplog):
    (tmp_path / "own.txt").write_text("p\nɬʼ\nŋ͡m\nʕ\n", encoding="utf-8")
    near = Phones(distance="panphon", max_distance=1.0)
    settings = {"inventory": str(tmp_path / "own.txt")}
    transcribe(phones, [recording], phones=near, **settings)
    assert "far from" not in caplog.text
    assert "has none of" not in caplog.text
    transcribe(phones, [recording], phones=Phones(distance="panphon", max_distance=1.0, max_far=1), **settings)
    assert "of 4 phones of" in caplog.text
    assert "own.txt are far from all of the model or cannot be reached" in caplog.text
    (tmp_path / "clicks.txt").write_text("ǃ\nǂ\n", encoding="utf-8")
    wide = Phones(distance="panphon", max_distance=9.0)
    transcribe(phones, [recording], phones=wide, inventory=str(tmp_path / "clicks.txt"))
    assert "has none of the 2 phones of" in caplog.text


def test_alternatives_and_attributes_are_written(phones, recording, tmp_path):
    out = tmp_path / "out"
    settings = {"language": "quy", "alternatives": 2, "attributes": True, "precision": "32"}
    outcome = transcribe(phones, [recording], out=out, format="all", **settings)
    (result,) = outcome.document["results"]
    assert json.loads((out / "u00.json").read_text()) == result
    assert len(result["phones"]) > 3
    for phone in result["phones"]:
        assert phone.keys() == {"phone", "start", "end", "score", "alternatives", "attributes"}
        scores = [other["score"] for other in phone["alternatives"]]
        assert len(scores) == 2
        assert scores == sorted(scores, reverse=True)
        assert phone["phone"] not in [other["phone"] for other in phone["alternatives"]]
    said = {phone["phone"]: phone["attributes"] for phone in result["phones"]}
    words = {
        "p": ["oral", "voiceless"],
        "b": ["oral", "voiced"],
        "m": ["nasal", "voiced"],
        "a": ["syllabic", "oral", "voiced"],
    }
    words |= {"i": ["syllabic", "oral", "voiced", "high"], "ai": ["syllabic", "oral", "voiced", "not high then high"]}
    assert said == {phone: words[phone] for phone in said}
    grid = textgrid.openTextgrid(str(out / "u00.TextGrid"), includeEmptyIntervals=True)
    assert grid.tierNames == ("phones", "scores", "alternatives")
    tiers = [[(entry.start, entry.end) for entry in grid.getTier(name).entries] for name in grid.tierNames]
    assert tiers[0] == tiers[1] == tiers[2]
    labels = [entry.label for entry in grid.getTier("alternatives").entries if entry.label]
    assert labels == [
        ", ".join(f"{other['phone']} {other['score']:.4f}" for other in phone["alternatives"])
        for phone in result["phones"]
    ]
    plain = transcribe(phones, [recording], language="quy", precision="32").document["results"][0]
    assert [p["phone"] for p in plain["phones"]] == [p["phone"] for p in result["phones"]]
    assert plain["phones"][0].keys() == {"phone", "start", "end", "score"}


def test_words_of_the_language_are_preferred(phones, recording):
    pytest.importorskip("flashlight")
    settings = {"language": "quy", "precision": "32"}
    (plain,) = texts(transcribe(phones, [recording], search=Search(beam=20), **settings))
    (hot,) = texts(
        transcribe(
            phones,
            [recording],
            hot_words=["ai m"],
            search=Search(beam=20, hot_word_score=9.0),
            alternatives=1,
            **settings,
        )
    )
    assert set(plain.split()) | set(hot.split()) <= ALL_OF_QUY
    assert hot.count("ai m") > plain.count("ai m")
    with pytest.raises(InputError, match=r"--hot_words 'pʰ a': .* has symbols outside the vocabulary: 'pʰ'"):
        transcribe(phones, [recording], hot_words=["pʰ a"], **settings)


def test_attributes_of_a_model_s_own_phones(published, recording):
    outcome = transcribe(published, [recording], attributes=True, phones=Phones(distance="panphon"))
    said = {phone["phone"]: phone["attributes"] for phone in outcome.document["results"][0]["phones"]}
    assert len(said) > 20
    assert sum(words is None for words in said.values()) < 3  # mnemonics that are tones alone
    assert {word for words in said.values() for word in words or ()} >= {"voiced", "voiceless", "nasal", "high"}
    assert "maps" not in outcome.document


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--language", "quy", "--inventory", "phoible:1"], "by --language, or by --inventory, not by both"),
        (["--language", "ara"], "of its members it has arb Árabe"),
        (["--language", "quz"], "has no inventory of 'quz'; of que, the macrolanguage that it belongs to, it has quy"),
        (["--inventory", "phoible:99"], "has no inventory 99"),
        (["--inventory", "espeak:swz"], "espeak-ng has no voice 'swz'; nearest are sw"),
        (["--inventory", "nowhere.txt"], "nowhere.txt: there is no such file of phones"),
        (["--inventory", "EMPTY"], "empty.txt: there are no phones in the inventory"),
        (["--inventory", "ODD"], "odd.txt:2: '☃': U+2603 SNOWMAN is not IPA"),
        (["--inventory", "FAR", "--phones.max_distance", "0.5"], "no phone of the model is near to any of the inventory"),
        (["--phones.strategy", "exact"], "--phones says how an inventory is used, and none is named; see --inventory"),
        (["--language", "quy", "--phones.tau", "0"], "tau must be positive, got 0"),
        (["--language", "quy", "--phones.strategy", "hard"], "expected one of exact, nearest, tr2tgt, pinned, assign, soft"),
        (["--language", "quy", "--phones.tua", "1"], "phones.tau"),
        (["--alternatives", "-1"], "--alternatives must be at least 0, got -1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_explained(phones, recording, tmp_path, capsys, flags, message):
    files = {"EMPTY": "", "ODD": "p\n☃\n", "FAR": "ʕ\nǃ\n"}
    for name, text in files.items():
        (tmp_path / f"{name.lower()}.txt").write_text(text, encoding="utf-8")
    flags = [str(tmp_path / f"{flag.lower()}.txt") if flag in files else flag for flag in flags]
    options = ["--phones.distance", "panphon"] if "FAR" in message or "near to any" in message else []
    try:
        code = main(["transcribe", phones, recording, *flags, *options])
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language": "quy"}, r"ctc: The model writes characters, not phones.*finetune with --units phoneme"),
        ({"inventory": "nowhere.txt"}, r"ctc: The model writes characters, not phones"),
        ({"alternatives": 2}, r"ctc: --alternatives are those of phones, and the model writes characters"),
        ({"attributes": True}, r"ctc: --attributes are those of phones, and the model writes characters"),
    ],
)
def test_a_model_of_characters_is_refused(ctc_folder, recording, options, message):
    with pytest.raises(InputError, match=message):
        transcribe(str(ctc_folder), [recording], **options)


def test_without_phoible_there_are_files_and_voices(phones, recording, tmp_path, monkeypatch):
    monkeypatch.delenv("SPEECHXL_PHOIBLE")
    open_phoible.cache_clear()
    for options in ({"language": "quy"}, {"inventory": "phoible:1"}, {"inventory": "quy"}):
        with pytest.raises(
            InputError, match=r"PHOIBLE is not installed: speechxl inventory install .*such as espeak:sw"
        ):
            transcribe(phones, [recording], **options)
    with pytest.raises(InputError, match="The distance phoible needs PHOIBLE"):
        transcribe(phones, [recording], inventory="espeak:sw", phones=Phones(distance="phoible"))
    (tmp_path / "own.txt").write_text("p\na\n")
    document = transcribe(phones, [recording], inventory=str(tmp_path / "own.txt")).document
    assert (document["maps"][0]["distance"], document["maps"][0]["features"]) == ("panphon", "panphon")
    named = Phones(phoible=tmp_path / "release")
    assert transcribe(phones, [recording], language="quy", phones=named).document["maps"]
