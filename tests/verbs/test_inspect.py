import json
import math
import shutil

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

from speechxl.cli import main
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError, NothingMatched
from speechxl.models.frames import FrameGeometry
from speechxl.shapes import Utterance
from speechxl.verbs.inspect import inspect
from speechxl.verbs.inspection import sample
from tests.conftest import tone


@pytest.fixture
def out(tmp_path):
    return tmp_path / "report"


def rewrite(corpus, **changes):
    """Changes columns of all rows; a value may be a function of the row."""
    rows = read_manifest(corpus / "manifest.tsv")
    for row in rows:
        for name, value in changes.items():
            object.__setattr__(row, name, value(row) if callable(value) else value)
    write_manifest(corpus / "manifest.tsv", rows)
    return rows


def test_the_report_tells_of_each_language_and_each_pair(pretrained_folder, corpus, out):
    outcome = inspect(str(pretrained_folder), [corpus], out=out)
    document = json.loads((out / "inspect.json").read_text())
    assert document == json.loads(json.dumps(outcome.document))
    assert outcome.code == 0
    assert (document["schema"], document["codebooks"], document["codes"]) == (1, 2, 64)
    rows = read_manifest(corpus / "manifest.tsv")
    for language, family in (("quy", "Quechuan"), ("swh", "Atlantic-Congo")):
        entry = document["languages"][language]
        own = [row for row in rows if row.language == language]
        assert entry["family"] == family
        assert entry["utterances"] == 7
        assert entry["seconds"] == pytest.approx(sum(row.seconds for row in own), abs=0.01)
        assert entry["frames"] == sum(FrameGeometry().num_frames(round(row.seconds * 16_000)) for row in own)
        assert entry["loss"]["bits"] == pytest.approx(entry["loss"]["nats"] / math.log(2), abs=1e-3)
        low, high = entry["loss"]["interval_bits"]
        assert 0 < low <= entry["loss"]["bits"] <= high < 8
        assert 0 <= entry["accuracy"] <= 1
        for shares, used, share in zip(entry["shares"], entry["used"], entry["used_share"], strict=True):
            assert sum(shares) == pytest.approx(1, abs=1e-4)
            assert sum(value > 0 for value in shares) == used == pytest.approx(share * 64, abs=0.01)
    similarity = document["similarity"]
    assert sorted(similarity["languages"]) == ["quy", "swh"]
    matrix = np.array(similarity["matrix"])
    assert (matrix == matrix.T).all()
    assert np.diag(matrix).tolist() == [1, 1]
    assert 0 < matrix[0, 1] < 1
    assert math.dist(*similarity["points"]) == pytest.approx(math.sqrt(1 - matrix[0, 1]), abs=1e-3)
    assert document["languages"]["quy"]["nearest"] == "swh"
    assert document["phones"] is None


def test_the_page_holds_tables_and_figures_and_the_table_is_printed(pretrained_folder, corpus, out, capsys):
    assert main(["inspect", str(pretrained_folder), str(corpus), "--out", str(out), "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["language", "quy", "swh", str(out / "inspect.html")]
    page = (out / "inspect.html").read_text()
    for title in ("Languages", "Similarity", "Languages in a plane", "Code usage per language", "Codes of phones"):
        assert f"<h2>{title}</h2>" in page
    assert page.count("<svg") == 5
    assert "Quechuan" in page
    assert "No phones are known" in page
    assert "src=" not in page
    assert "href=" not in page.replace("xlink:href=", "")


def test_the_same_again_gives_the_same(pretrained_folder, corpus, out):
    first = inspect(str(pretrained_folder), [corpus], out=out, minutes=0.03).document
    with pytest.raises(InputError, match=r"inspect\.json stands there already; replace it with --overwrite"):
        inspect(str(pretrained_folder), [corpus], out=out)
    again = inspect(str(pretrained_folder), [corpus], out=out, minutes=0.03, batch_seconds=1.0, overwrite=True).document
    assert again["similarity"] == first["similarity"]
    for language, entry in again["languages"].items():
        assert entry["shares"] == first["languages"][language]["shares"]
        assert entry["loss"]["nats"] == pytest.approx(first["languages"][language]["loss"]["nats"], abs=1e-3)
        assert entry["seconds"] <= 1.8


def test_a_collapsed_codebook_is_told_from_a_low_loss(pretrained_folder, corpus, out, tmp_path, caplog):
    healthy = inspect(str(pretrained_folder), [corpus], out=out).document
    assert [row["collapse"] for row in healthy["languages"].values()] == [None, None]
    folder = tmp_path / "collapsed"
    shutil.copytree(pretrained_folder, folder)
    weights = load_file(folder / "model.safetensors")
    weights["quantizer.weight_proj.weight"].zero_()
    weights["quantizer.weight_proj.bias"].copy_(torch.arange(len(weights["quantizer.weight_proj.bias"])))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    row = inspect(str(folder), [corpus], out=tmp_path / "again").document["languages"]["quy"]
    assert (row["loss"]["nats"], row["accuracy"]) == (0.0, 1.0)
    assert row["collapse"].startswith("codebook 1 has a perplexity of 1.0")
    assert "quy: the codebook has collapsed: codebook 1" in caplog.text
    assert "The codebook has collapsed on quy: codebook 1" in (tmp_path / "again" / "inspect.html").read_text()


def test_one_language_is_compared_with_none(pretrained_folder, corpus, out):
    rewrite(corpus, language="swh")
    document = inspect(str(pretrained_folder), [corpus], out=out).document
    assert document["similarity"]["matrix"] == [[1.0]]
    assert document["languages"]["swh"]["nearest"] is None
    page = (out / "inspect.html").read_text()
    assert "There is one language, and nothing to compare it with." in page
    assert "Languages in a plane" not in page


def test_rows_without_language_are_a_language_of_their_own(pretrained_folder, corpus, out):
    rewrite(corpus, language=lambda row: "" if row.language == "quy" else row.language)
    document = inspect(str(pretrained_folder), [corpus], out=out).document
    assert document["languages"].keys() == {"(unknown)", "swh"}
    assert document["languages"]["(unknown)"]["family"] == "(unknown)"
    assert document["languages"]["(unknown)"]["utterances"] == 7


def test_a_language_of_one_utterance_has_a_loss_and_no_interval(pretrained_folder, corpus, out):
    rewrite(corpus, language=lambda row: "deu" if row.id == "u03.wav" else row.language)
    entry = inspect(str(pretrained_folder), [corpus], out=out).document["languages"]["deu"]
    assert entry["loss"]["bits"] > 0
    assert entry["loss"]["interval_bits"] is None
    assert entry["noise"] > 0


@pytest.mark.parametrize("damage", ["text", "tail"])
def test_damaged_recordings_are_named_and_the_rest_is_reported(pretrained_folder, corpus, out, capsys, damage):
    path = corpus / "u04.wav"
    if damage == "text":
        path.write_text("no audio")
    else:
        samples, rate = soundfile.read(path)
        samples[100] = np.nan
        soundfile.write(path, samples, rate, subtype="FLOAT")
    assert main(["inspect", str(pretrained_folder), str(corpus), "--out", str(out), "--json"]) == 4
    document = json.loads(capsys.readouterr().out)
    assert [failure["audio"] for failure in document["failures"]] == [f"{corpus}/manifest.tsv:6"]
    assert sum(entry["utterances"] for entry in document["languages"].values()) == 13
    assert "Left out" in (out / "inspect.html").read_text()


def test_a_model_without_quantizer_and_other_mistakes_are_explained(
    ctc_folder, pretrained_folder, corpus, out, tmp_path
):
    with pytest.raises(InputError, match="the checkpoint has no quantizer, as after fine-tuning"):
        inspect(str(ctc_folder), [corpus], out=out)
    with pytest.raises(InputError, match="--minutes must be positive, got 0"):
        inspect(str(pretrained_folder), [corpus], out=out, minutes=0)
    with pytest.raises(InputError, match="--batch_seconds must be a positive number"):
        inspect(str(pretrained_folder), [corpus], out=out, batch_seconds=0)
    with pytest.raises(NothingMatched, match="no row with split 'test'; there are dev, train"):
        inspect(str(pretrained_folder), [corpus], out=out, split="test")
    with pytest.raises(InputError, match=r"f\.tsv: there is no such table"):
        inspect(str(pretrained_folder), [corpus], out=out, families=tmp_path / "f.tsv")
    assert not out.exists()


def test_families_are_those_of_the_user(pretrained_folder, corpus, out, tmp_path):
    (tmp_path / "f.tsv").write_text("language\tfamily\nswh\tBantu\n")
    document = inspect(str(pretrained_folder), [corpus], out=out, families=tmp_path / "f.tsv", split="dev").document
    assert {name: entry["family"] for name, entry in document["languages"].items()} == {
        "quy": "Quechuan",
        "swh": "Bantu",
    }
    assert "Bantu" in (out / "inspect.html").read_text()


def test_phones_come_from_an_alignment_beside_the_manifest(pretrained_folder, corpus, out):
    lines = ["path\tstart_s\tend_s\tphone"]
    for row in read_manifest(corpus / "manifest.tsv")[:10]:
        lines += [f"{row.id}\t0\t0.2\ta", f"{row.id}\t0.2\t{row.seconds}\to"]
    (corpus / "alignment.tsv").write_text("\n".join(lines) + "\n")
    phones = inspect(str(pretrained_folder), [corpus], out=out).document["phones"]
    assert (phones["aligned_utterances"], phones["segmented_utterances"]) == (10, 0)
    assert phones["table"]["a"]["frames"] == 100  # of 0.2 s, those whose middles lie at 0.0125 s to 0.1925 s
    assert list(phones["table"]) == ["o", "a"]
    assert len(phones["table"]["a"]["books"][0]) <= 5
    assert phones["books"][0]["information"] <= phones["books"][0]["entropy"] <= 1
    assert "<h2>Codes of phones</h2>" in (out / "inspect.html").read_text()


def test_phones_without_times_are_placed_by_the_codes(pretrained_folder, corpus, out):
    rewrite(corpus, phonemes=lambda row: " ".join(row.text.replace(" ", "")))
    document = inspect(str(pretrained_folder), [corpus], out=out).document
    phones = document["phones"]
    assert (phones["aligned_utterances"], phones["segmented_utterances"]) == (0, 14)
    assert phones["table"].keys() == {"a", "o", "b", "d", "l"}
    assert 0 < phones["frames"] <= sum(entry["frames"] for entry in document["languages"].values())
    assert "hidden Markov model" in (out / "inspect.html").read_text()


def test_a_sample_is_spread_over_long_recordings_and_does_not_depend_on_the_order_of_rows(tmp_path):
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", tone(100, 200 + number), 16_000)
    soundfile.write(tmp_path / "short.wav", tone(0.1, 200), 16_000)
    rows = [Utterance(tmp_path / f"{number}.wav", f"{number}.wav", language="swh", phonemes="a") for number in range(3)]
    rows.append(Utterance(tmp_path / "short.wav", "short.wav", language="swh", duration=0.1))
    chosen, faults = sample(rows, 120.0, 1, FrameGeometry())
    assert sample(rows[::-1], 120.0, 1, FrameGeometry())[0] == chosen
    assert faults == []
    assert sum(row.seconds for row in chosen) == pytest.approx(100)  # four pieces of 25 s, as a short row takes 0.1 s
    assert len({row.path for row in chosen}) > 1
    assert len({row.id for row in chosen}) == len(chosen) == 4
    assert all(row.start % 25 == 0 and not row.phonemes for row in chosen)
    with pytest.raises(NothingMatched, match=r"no utterance of at least 0\.205 s"):
        sample(rows[-1:], 120.0, 1, FrameGeometry())
