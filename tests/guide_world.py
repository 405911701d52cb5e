"""A folder with everything that the README and the guides name, small."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import soundfile
import torch
from safetensors.torch import save_file
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.models.folders import Card
from speechxl.models.making import new_ctc_model, new_pretraining_model
from speechxl.models.saving import save_model
from speechxl.text import Vocabulary
from tests.conftest import WORDS, make_corpus, save_phones, small_preset, speak_up, tone
from tests.data.corpora.annotated import write_eaf, write_textgrid, write_tone
from tests.verbs.spoken_tones import change_rows, make_spoken_tones

ONE_LANGUAGE = {"quechua": "quy", "griko": "ell", "mboshi": "mdw"}
SPOKEN = " ".join("b d l a o i u p t k m n s ʃ")


def make_world(root):
    """Fills a folder."""
    make_models(root)
    make_corpora(root)
    make_files(root)


def make_models(root):
    """Pretrained ones, recognisers of letters and of phones, and one with adapters, under the names of the guides."""
    torch.manual_seed(0)
    for name in ("facebook/wav2vec2-xls-r-300m", "facebook/mms-300m", "adapted"):
        save_model(root / name, new_pretraining_model(small_preset("xls-r-300m")), Card(normalise=True, preset="tiny"))
    vocabulary = Vocabulary.from_texts(WORDS, "char")
    model = new_ctc_model(small_preset("xls-r-300m"), vocabulary).eval()
    speak_up(model, lambda waveform: model.wav2vec2(waveform).features)
    card = Card(normalise=True, preset="tiny", units="char", column="text", vocabulary=vocabulary.hash)
    for name in ("model", "runs/gup"):
        save_model(root / name, model, card, vocabulary, page=f"# {name}\n")
    for name in ("phones", "facebook/wav2vec2-xlsr-53-espeak-cv-ft"):
        save_phones(root / name, Vocabulary.from_texts([SPOKEN], "phoneme"))
    make_adapted(root / "facebook" / "mms-1b-all")


def make_adapted(folder):
    """The layout of facebook/mms-1b-all."""
    letters = {"<pad>": 0, "|": 1} | {letter: number for number, letter in enumerate("abdlo", 2)}
    config = Wav2Vec2Config(
        conv_dim=(16,) * 7, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        vocab_size=len(letters), pad_token_id=0, do_stable_layer_norm=True, feat_extract_norm="layer", adapter_attn_dim=16,
    )  # fmt: skip
    model = Wav2Vec2ForCTC(config).eval()
    model.save_pretrained(folder)
    for language in ("quy", "swh"):
        save_file(model._get_adapters(), folder / f"adapter.{language}.safetensors")
    (folder / "vocab.json").write_text(json.dumps({"quy": letters, "swh": letters}))


def make_corpora(root):
    """With texts, phones and labels."""
    for name in ("data", "quechua", "griko", "mboshi", "corpora/radio", "corpora/archive", "corpus", "test"):
        (root / name).parent.mkdir(exist_ok=True)
        manifest = make_corpus(root / name) / "manifest.tsv"
        rows = [replace(row, phonemes=" ".join(row.text.replace(" ", ""))) for row in read_manifest(manifest)]
        if name in ONE_LANGUAGE:
            rows = [replace(row, language=ONE_LANGUAGE[name]) for row in rows]
        write_manifest(manifest, rows)
    first = read_manifest(root / "corpus" / "manifest.tsv")[0]
    middle = first.seconds / 2
    (root / "corpus" / "alignment.tsv").write_text(
        "path\tstart_s\tend_s\tphone\n"
        + "".join(
            f"{first.path.name}\t{start}\t{start + 0.05}\t{phone}\n"
            for start, phone in zip((0.0, middle / 2, middle, 1.5 * middle), first.phonemes.split(), strict=True)
        )
    )
    tones = make_spoken_tones(root / "labelled", sizes={"train": 2, "dev": 1, "test": 1})
    change_rows(
        tones, lambda row: {"label": row.label.replace("pitch", "intent"), "text": row.text.replace(" ", row.id)}
    )


def make_files(root):
    """Recordings, annotations, texts."""
    audio = root / "data"
    for name in ("recordings", "new-recordings", "archive"):
        (root / name).mkdir()
        for number, row in enumerate(read_manifest(audio / "manifest.tsv")[:12]):
            shutil.copy(row.path, root / name / row.path.name)
            if name == "recordings":
                (root / name / f"{row.path.stem}.txt").write_text(row.text)
            if number == 2 and name != "recordings":
                break
    for name in ("a.wav", "interview.wav"):
        shutil.copy(audio / "u00.wav", root / name)
    (root / "interview.txt").write_text(read_manifest(audio / "manifest.tsv")[0].text)
    soundfile.write(root / "interview.mp3", tone(2.0, 400.0), 16_000)
    for folder in ("fieldwork", "fieldwork-2"):
        for number in range(4):
            write_tone(root / folder / f"session {number}.wav", 4.0 + 0.1 * number)
            write_eaf(root / folder / f"session {number}.eaf")
    write_tone(root / "praat" / "a.wav")
    write_textgrid(root / "praat" / "a.TextGrid", points=False)
    (root / "musan").mkdir()
    soundfile.write(root / "musan" / "hiss.wav", tone(2.0, 50.0, 9), 16_000)
    (root / "table.csv").write_text("path,clip,sentence\nx,recordings/u00.wav,ba bo\ny,recordings/u01.wav,da\n")
    (root / "texts.txt").write_text("\n".join(WORDS * 3))
    (root / "phones.txt").write_text("a\nt͡ʃ\nŋ\n", encoding="utf-8")
    (root / "lexicon.tsv").write_text("".join(f"{word}\t{' '.join(word)}\n" for word in WORDS), encoding="utf-8")
    shutil.copytree(Path(__file__).parent.parent / "configs", root / "configs")
