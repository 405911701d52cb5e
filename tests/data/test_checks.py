from dataclasses import replace

import numpy as np
import pytest
import soundfile

from speechxl.data.checks import check
from speechxl.data.manifest import read_manifest
from speechxl.models.frames import FrameGeometry
from speechxl.objectives.ctc import frames_needed


def found(utterances, decode=True):
    findings = check(utterances, decode=decode, frames=FrameGeometry().num_frames, frames_needed=frames_needed)
    return {(finding.kind, finding.id) for finding in findings}


@pytest.fixture
def clean(corpus):
    rows = read_manifest(corpus / "manifest.tsv")
    return [replace(row, speaker=f"{row.speaker}-{row.split}", text=f"{row.text} {row.id}") for row in rows]


def test_nothing_is_invented_on_a_clean_corpus(clean):
    assert found(clean) == set()


def test_every_seeded_fault_is_found_and_no_other(clean, tmp_path):
    silent, text, copy = tmp_path / "silent.wav", tmp_path / "text.wav", tmp_path / "copy.wav"
    soundfile.write(silent, np.zeros(16_000), 16_000)
    text.write_text("not audio")
    copy.write_bytes(clean[6].path.read_bytes())
    clean[0] = replace(clean[0], path=tmp_path / "nowhere.wav")
    clean[1] = replace(clean[1], path=text)
    clean[2] = replace(clean[2], path=silent)
    clean[3] = replace(clean[3], duration=30.0)
    clean[4] = replace(clean[4], text="  ")
    clean[5] = replace(clean[5], text="a" * 60)
    clean[7] = replace(clean[7], path=copy)
    clean[8] = replace(clean[8], language="sw")
    clean[9] = replace(clean[9], speaker=clean[12].speaker, language=clean[12].language)
    assert found(clean) == {
        ("missing", "u00.wav"),
        ("unreadable", "u01.wav"),
        ("silent", "u02.wav"),
        ("beyond_end", "u03.wav"),
        ("empty_text", "u04.wav"),
        ("too_short", "u05.wav"),
        ("duplicate", "u07.wav"),
        ("unknown_language", "u08.wav"),
        ("speaker_in_splits", "u09.wav"),
    }


def test_a_text_in_two_splits_is_found(clean):
    clean[3] = replace(clean[3], text="the same")
    clean[13] = replace(clean[13], text="the same")
    assert found(clean) == {("duplicate_text", "u03.wav")}


def test_a_corpus_without_any_text_is_unlabelled_and_no_fault(clean):
    assert found([replace(utterance, text="") for utterance in clean]) == set()


def test_headers_alone_show_neither_silence_nor_copies(clean, tmp_path):
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(16_000), 16_000)
    clean[2] = replace(clean[2], path=silent)
    assert found(clean, decode=False) == set()


def test_phonemes_can_be_too_many_as_well(clean):
    clean[5] = replace(clean[5], phonemes="a " * 60)
    assert found(clean) == {("too_short", "u05.wav")}
