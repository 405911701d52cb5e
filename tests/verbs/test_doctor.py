import builtins
import json
import sys

import pytest

from speechxl.cli import main
from speechxl.verbs import doctor_checks
from speechxl.verbs.doctor import doctor


def by_name(outcome):
    return {check["name"]: check for check in outcome.document["checks"]}


def test_everything_that_the_tests_need_works_here(capsys):
    assert main(["doctor", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    checks = {check["name"]: check for check in document["checks"]}
    assert document["works"]
    assert {check["state"] for check in document["checks"]} <= {"ok", "note"}
    assert checks["self-test on cpu"]["found"].startswith("a model was saved, loaded and transcribed")
    assert {"torch", "transformers", "soundfile", "speechxl"} <= document["versions"].keys()
    assert {
        "torch loads",
        "torchaudio loads",
        "formats",
        "ffmpeg",
        "espeak-ng",
        "hub",
        "this folder",
        "extra lora",
    } <= checks.keys()
    assert checks["formats"]["found"].startswith("wav, flac, ogg, opus, mp3 by libsndfile")


def test_the_report_is_a_table_with_a_verdict(capsys):
    assert main(["doctor", "--self_test", "false"]) == 0
    out = capsys.readouterr().out
    assert "ok" in out
    assert "everything required works" in out.splitlines()[-1]
    assert "self-test" not in out


def test_a_torchaudio_that_does_not_load_is_broken_with_the_cure(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "torchaudio":
            raise OSError("libc10_cuda.so: cannot open shared object file\nmore")
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "torchaudio", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    outcome = doctor(self_test=False)
    monkeypatch.undo()
    check = by_name(outcome)["torchaudio loads"]
    assert outcome.code == 1
    assert (check["state"], check["found"]) == ("BROKEN", "libc10_cuda.so: cannot open shared object file")
    assert "pip install 'torch>=2.11,<2.15' 'torchaudio>=2.11,<2.12'" in outcome.text
    assert outcome.text.splitlines()[-1].startswith("1 broken")


@pytest.mark.parametrize(
    ("found", "advice"), [("9.9.9", "is needed: pip install 'jiwer"), (None, "pip install 'jiwer<5,>=4'")]
)
def test_a_library_that_is_missing_or_of_another_version_is_broken(monkeypatch, found, advice):
    real = doctor_checks.version

    def other(name):
        if name == "jiwer" and found is None:
            raise doctor_checks.PackageNotFoundError(name)
        return found if name == "jiwer" else real(name)

    monkeypatch.setattr(doctor_checks, "version", other)
    (check,) = [check for check in doctor_checks.libraries() if check.state != "ok"]
    assert (check.name, check.state) == ("jiwer", "BROKEN")
    assert advice in check.advice


def test_a_check_that_fails_in_itself_is_a_finding_and_the_others_go_on(monkeypatch):
    monkeypatch.setattr("speechxl.data.espeak.phonemes", lambda *_: 1 / 0)
    outcome = doctor(self_test=False)
    assert outcome.code == 1
    assert by_name(outcome)["programs"]["found"] == "ZeroDivisionError: division by zero"
    assert "hub" in by_name(outcome)


def test_little_room_and_folders_that_cannot_be_written_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor_checks.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10**9})())
    monkeypatch.setattr(doctor_checks.os, "access", lambda path, _: path != tmp_path)
    monkeypatch.chdir(tmp_path)
    checks = {check.name: check for check in doctor_checks.disk()}
    assert checks["this folder"].advice == f"{tmp_path} cannot be written"
    assert checks["temporary files"].advice == "models take gigabytes, and 1.0 GB are free"


def test_a_self_test_that_goes_wrong_is_broken(monkeypatch):
    monkeypatch.setattr("speechxl.verbs.doctor_test.load", lambda *_, **__: 1 / 0)
    (check,) = [check for check in doctor_checks.examine(self_test=True) if check.state == "BROKEN"]
    assert check.name == "works"
