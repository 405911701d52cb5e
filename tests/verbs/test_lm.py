import pytest

from speechxl.cli import main
from speechxl.data.sources import read_corpora
from speechxl.decoding.arpa import read_unigrams
from speechxl.errors import InputError
from speechxl.verbs.evaluate import evaluate
from speechxl.verbs.lm import lm


def test_characters_words_and_phones_of_text_files_and_manifests(corpus, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("ba  do\n\nña ba\n")
    assert read_unigrams_of(tmp_path, [text]) == {"b", "a", "d", "o", "|", "ñ"}
    assert read_unigrams_of(tmp_path, [text], units="word") == {"ba", "do", "ña"}
    assert read_unigrams_of(tmp_path, [text], units="phoneme", order=2) == {"ba", "do", "ña"}
    train = {word for row in read_corpora([corpus], "train") for word in row.text.split()}
    assert read_unigrams_of(tmp_path, [corpus], units="word") == train


def read_unigrams_of(tmp_path, text, **options):
    lm(text, out=tmp_path / "lm.arpa", overwrite=True, **options)
    return read_unigrams(tmp_path / "lm.arpa")


def test_a_model_of_words_makes_transcripts_of_its_words(ctc_folder, corpus, tmp_path, capsys):
    pytest.importorskip("flashlight")
    path, transcripts = tmp_path / "words.arpa", tmp_path / "t.tsv"
    assert main(["lm", str(corpus), "--units", "word", "--out", str(path)]) == 0
    evaluate(str(ctc_folder), [corpus], lm=path, transcripts=transcripts, precision="32")
    found = {word for line in transcripts.read_text().splitlines()[1:] for word in line.split("\t")[2].split()}
    assert found
    assert found <= read_unigrams(path)


def test_the_counts_are_given(tmp_path):
    (tmp_path / "a.txt").write_text("ba ba\nba\n")
    document = lm([tmp_path / "a.txt"], out=tmp_path / "lm.arpa", units="word", order=2).document
    assert document["sentences"] == 2
    assert document["units"] == 3
    assert document["different"] == 1
    assert document["ngrams"] == [4, 3]  # with <s>, </s>, <unk>; <s> ba, ba ba, ba </s>


def test_what_cannot_be_used_is_named(tmp_path):
    with pytest.raises(InputError, match=r"missing\.txt: cannot be read"):
        lm([tmp_path / "missing.txt"], out=tmp_path / "lm.arpa")
    (tmp_path / "lm.arpa").touch()
    with pytest.raises(InputError, match="stands there already"):
        lm([tmp_path / "a.txt"], out=tmp_path / "lm.arpa")
