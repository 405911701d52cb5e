import logging
import time
from pathlib import Path

import pytest

from speechxl.shapes import Utterance
from speechxl.verbs import progress as module
from speechxl.verbs.progress import progress, watched
from speechxl.verbs.recognise import Recognised


@pytest.mark.parametrize(
    ("done", "total", "passed", "line"),
    [
        (12.4 * 3600, 96.0 * 3600, 12.4 * 3600 / 38, "12.4 h / 96.0 h · 38x real time · 2:12:00 left"),
        (36.0, 360.0, 36.0, "0.01 h / 0.10 h · 1x real time · 0:05:24 left"),
        (7_200.0, None, 72.0, "2.00 h · 100x real time"),
    ],
)
def test_progress_is_in_hours_of_audio(done, total, passed, line):
    assert progress(done, total, passed) == line


def test_it_is_said_every_few_seconds_with_the_sum_of_the_headers(corpus, caplog, monkeypatch):
    monkeypatch.setattr(module, "_EVERY_S", 0.05)
    rows = [Utterance(corpus / f"u{number:02d}.wav", "") for number in range(10)] + [Utterance(Path("nope.wav"), "")]

    def items():
        for row in rows[:4]:
            time.sleep(0.1)
            yield Recognised(row, 0.5, None)

    with caplog.at_level(logging.INFO, "speechxl"):
        assert len(list(watched(items(), rows))) == 4
    assert caplog.messages
    assert all("0.00 h / 0.00 h · " in message for message in caplog.messages)


def test_what_comes_at_once_is_said_together(corpus, caplog, monkeypatch):
    monkeypatch.setattr(module, "_EVERY_S", 0.05)
    row = Utterance(corpus / "u00.wav", "")

    def items():
        for _ in range(2):
            time.sleep(0.2)
            for _ in range(10):
                yield Recognised(row, 360.0, None)

    with caplog.at_level(logging.INFO, "speechxl"):
        list(watched(items(), [row]))
    assert [message.split(" h")[0] for message in caplog.messages] == ["1.00"]


def test_nothing_is_said_of_little(corpus, caplog):
    row = Utterance(corpus / "u00.wav", "")
    with caplog.at_level(logging.INFO, "speechxl"):
        assert list(watched(iter([Recognised(row, 0.5, None)]), [row]))
        assert list(watched(iter([]), [])) == []
    assert not caplog.messages
