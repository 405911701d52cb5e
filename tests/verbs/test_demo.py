import json
import re

import pytest

from speechxl.errors import InputError
from speechxl.verbs import demo as module


def test_the_whole_way_ends_in_a_self_contained_report(tmp_path, monkeypatch):
    for name in ("PRETRAIN_STEPS", "ADAPT_STEPS", "FINETUNE_STEPS"):
        monkeypatch.setattr(module, name, 20)
    monkeypatch.setattr(module, "TARGET_MINUTES", 0.4)
    monkeypatch.setattr(module, "OTHER_MINUTES", 0.1)
    monkeypatch.setattr(module, "DEV_MINUTES", 0.1)
    outcome = module.demo(out=tmp_path / "demo")
    page = (tmp_path / "demo" / "report.html").read_text()
    assert not re.search(r"""(src|href)=["']?(http|//)""", page.replace("http://www.w3.org", ""))
    assert page.count("<svg") >= 6
    assert "data:audio/flac;base64," in page
    for heading in (
        "Error rates on dev",
        "Learning curves",
        "Code usage per language",
        "Transcripts of dev recordings",
    ):
        assert heading in page
    assert outcome.document["cer"].keys() == {"untrained", "model"}
    assert outcome.document["transcript"]["audio"].endswith(".flac")
    usage = json.loads((tmp_path / "demo" / "pretrained" / "codebook.json").read_text())
    assert len(usage["languages"]) >= 6
    with pytest.raises(InputError, match="the folder is not empty"):
        module.demo(out=tmp_path / "demo")


def test_files_of_others_are_never_removed(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="the folder is not empty"):
        module.demo(out=tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").exists()
