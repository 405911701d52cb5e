"""Transcripts that were made before."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from speechxl.classification.cache import cached
from speechxl.classification.hashes import audio_hash, model_hash
from speechxl.shapes import Utterance

WAY = {"model": "m", "weights": "1"}


class Recogniser:
    """Writes down what it is asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, rows):
        for row in rows:
            self.asked.append(row.id)
            yield None if row.id.startswith("bad") else f"text of {row.id}"


@pytest.fixture
def rows(tmp_path):
    made = []
    for number in range(3):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, np.full(100, number / 10), 16_000)
        made.append(Utterance(path, f"u{number}", language="swh"))
    return made


def test_only_what_is_new_is_recognised(tmp_path, rows):
    asking = Recogniser()
    assert cached(rows[:2], tmp_path / "c", WAY, asking) == ["text of u0", "text of u1"]
    assert cached(rows[::-1], tmp_path / "c", WAY, asking) == ["text of u2", "text of u1", "text of u0"]
    assert asking.asked == ["u0", "u1", "u2"]


def test_another_model_or_way_is_another_cache(tmp_path, rows):
    asking = Recogniser()
    for way in (WAY, {**WAY, "weights": "2"}, {**WAY, "vad": True}):
        cached(rows[:1], tmp_path / "c", way, asking)
    assert asking.asked == ["u0"] * 3
    notes = [json.loads(path.read_text()) for path in (tmp_path / "c").glob("*.json")]
    assert sorted(note["weights"] for note in notes) == ["1", "1", "2"]


def test_the_content_of_a_recording_counts_and_not_its_name(tmp_path, rows):
    asking = Recogniser()
    cached(rows[:1], tmp_path / "c", WAY, asking)
    moved = tmp_path / "moved.wav"
    moved.write_bytes(rows[0].path.read_bytes())
    assert cached([Utterance(moved, "other", language="swh")], tmp_path / "c", WAY, asking) == ["text of u0"]
    rows[0].path.write_bytes(rows[1].path.read_bytes())
    cached(rows[:1], tmp_path / "c", WAY, asking)
    assert asking.asked == ["u0", "u0"]


def test_stretches_and_languages_are_told_apart(rows):
    first = rows[0]
    hashes = {audio_hash(one) for one in (first, replace(first, start=1.0), replace(first, duration=1.0), rows[1])}
    assert len(hashes) == 4


def test_languages_are_told_apart(tmp_path, rows):
    asking = Recogniser()
    cached([rows[0], replace(rows[0], language="deu")], tmp_path / "c", WAY, asking)
    assert asking.asked == ["u0", "u0"]


def test_the_same_recording_twice_is_recognised_once(tmp_path, rows):
    asking = Recogniser()
    assert cached([rows[0], rows[0]], tmp_path / "c", WAY, asking) == ["text of u0"] * 2
    assert asking.asked == ["u0"]


def test_what_failed_is_empty_and_tried_again(tmp_path, rows):
    asking = Recogniser()
    bad = [replace(rows[0], id="bad"), rows[1], Utterance(tmp_path / "none.wav", "bad2")]
    for _ in range(2):
        assert cached(bad, tmp_path / "c", WAY, asking) == ["", "text of u1", ""]
    assert asking.asked == ["bad", "u1", "bad2", "bad", "bad2"]


def test_an_interruption_loses_nothing_that_was_done(tmp_path, rows):
    def interrupted(some):
        yield f"text of {some[0].id}"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(rows, tmp_path / "c", WAY, interrupted)
    asking = Recogniser()
    cached(rows, tmp_path / "c", WAY, asking)
    assert asking.asked == ["u1", "u2"]


def test_without_a_folder_nothing_is_kept(tmp_path, rows):
    asking = Recogniser()
    for _ in range(2):
        cached(rows[:1], None, WAY, asking)
    assert asking.asked == ["u0", "u0"]
    assert not list(tmp_path.glob("**/*.jsonl"))


def test_a_model_is_known_by_its_files_and_not_by_its_notes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "README.md").write_text(name)
    assert model_hash(str(tmp_path / "one")) == model_hash(str(tmp_path / "two"))
    (tmp_path / "two" / "merges.txt").write_text("a b")
    assert model_hash(str(tmp_path / "one")) != model_hash(str(tmp_path / "two"))
