import shutil

import pytest

from speechxl.data.sources import find_audio, read_corpora
from speechxl.errors import InputError, NothingMatched


def test_a_folder_with_a_manifest_is_that_manifest(corpus):
    assert len(read_corpora([corpus])) == 14
    assert len(read_corpora([corpus / "manifest.tsv"], "dev")) == 4


def test_a_folder_without_manifest_is_its_recordings(corpus):
    (corpus / "manifest.tsv").unlink()
    (corpus / "u03.txt").write_text("da lo")
    utterances = read_corpora([corpus])
    assert len(utterances) == 14
    assert {utterance.text for utterance in utterances} == {"", "da lo"}


def test_a_split_that_no_row_has_is_named_with_those_there_are(corpus):
    with pytest.raises(NothingMatched, match=r"no row with split 'test'; there are dev, train"):
        read_corpora([corpus], "test")


def test_a_folder_without_audio_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"neither manifest.tsv nor recordings"):
        read_corpora([tmp_path])


def test_files_folders_patterns_and_manifests_are_found_in_the_order_given(corpus):
    inner = corpus / "deeper folder"
    inner.mkdir()
    shutil.copy(corpus / "u01.wav", inner / "ü 1.WAV")
    names = [str(corpus / "u05.wav"), str(corpus / "u0[12].wav"), str(inner), str(corpus / "manifest.tsv")]
    found = find_audio(names, "dev")
    assert [utterance.path.name for utterance in found[:4]] == ["u05.wav", "u01.wav", "u02.wav", "ü 1.WAV"]
    assert len(found) == 8


def test_a_missing_file_is_left_to_be_reported_with_the_others(tmp_path):
    assert [utterance.path.name for utterance in find_audio([str(tmp_path / "nope.wav")])] == ["nope.wav"]


def test_a_pattern_and_a_folder_without_files_are_refused(tmp_path):
    with pytest.raises(NothingMatched, match=r"\*.wav: no file matches"):
        find_audio([str(tmp_path / "*.wav")])
    with pytest.raises(NothingMatched, match="no recording below this folder"):
        find_audio([str(tmp_path)])
