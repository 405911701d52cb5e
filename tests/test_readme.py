import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from speechxl import find_inventory, load
from speechxl.cli import CONFIGURED, VERBS, build_parser, function_of, main, split_verb
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.phonology.phoible import open_phoible
from speechxl.text import Vocabulary
from tests.conftest import save_phones

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(ROOT.glob("recipes/*/*.sh"))
RECIPES = [*sorted(ROOT.glob("recipes/*/README.md")), ROOT / "benchmarks" / "README.md"]
"""Their commands take hours; those of the README and the guides are run by test_guides.py."""
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *RECIPES]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def commands():
    lines = [
        line for page in RECIPES for block in blocks(page, "bash") for line in block.replace("\\\n", " ").splitlines()
    ]
    for script in SCRIPTS:
        recipe = script.parent.relative_to(ROOT).as_posix()
        lines += script.read_text().replace("\\\n", " ").replace("$recipe", recipe).splitlines()
    started = (re.match(r"(?:(?:torchrun|srun) .*)?\bspeechxl .*", line.strip()) for line in lines)
    return [match[0][match[0].index("speechxl ") :] for match in started if match]


def test_there_are_commands():
    assert len(commands()) >= 20


@pytest.mark.parametrize("command", commands())
def test_every_command_is_understood(command):
    command = command.partition(" #")[0].partition(" >")[0]
    words = shlex.split(re.sub(r"\$\{?\w+\}?", "1", command.replace("$units", "char").replace("$way", "soft")))
    verb, arguments = split_verb(words[1:])
    for place in [place for place, word in enumerate(arguments) if word == "--config"][::-1]:
        path = ROOT / arguments[place + 1]
        assert path.exists()
        arguments[place : place + 2] = ["--config", str(path)] if verb in CONFIGURED else []
    parser = build_parser(verb, function_of(verb))
    assert parser.parse_args(arguments)


def test_every_verb_of_the_table_exists_and_every_verb_stands_in_the_table():
    table = re.findall(r"^\| `(\w+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {verb.partition(" ")[0] for verb in VERBS} <= set(table)


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", "\n".join(blocks(ROOT / "README.md", "bash")), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_python_example_runs(ctc_folder, corpus, monkeypatch, capsys):
    (code,) = blocks(ROOT / "README.md", "python")
    monkeypatch.chdir(corpus)
    (corpus / "u00.wav").rename("a.wav")
    (corpus / "runs").mkdir()
    ctc_folder.rename("runs/gup")
    exec(compile(code, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) > 0
    assert len(list(corpus.glob("a.*"))) == 2


def test_the_example_without_speechxl_gives_the_model_s_text(exported, corpus, monkeypatch, capsys):
    (code,) = blocks(ROOT / "docs" / "transcribing.md", "python")
    monkeypatch.chdir(Path(exported[0].document["out"]).parent)
    Path("a.wav").write_bytes((corpus / "u00.wav").read_bytes())
    exec(compile(code, "README.md", "exec"), {})
    found = " ".join(capsys.readouterr().out.replace("<unk>", "").split())
    assert found == load(exported[1], precision="32").transcribe("a.wav").text != ""


@pytest.fixture
def any_language(tmp_path, corpus, recording, monkeypatch):
    """A folder with what the README names: a model of phones, recordings, a corpus, an inventory; and PHOIBLE."""
    folder = ROOT.parent / "shared" / "phoible"
    if not folder.is_dir():
        pytest.skip(f"no PHOIBLE in {folder}")
    monkeypatch.setenv("SPEECHXL_PHOIBLE", str(folder))
    open_phoible.cache_clear()
    monkeypatch.chdir(tmp_path)
    vocabulary = Vocabulary.from_texts(["b d l a o i u p t k m n s ʃ"], "phoneme")
    save_phones(tmp_path / "phones", vocabulary)
    save_phones(tmp_path / "facebook" / "wav2vec2-xlsr-53-espeak-cv-ft", vocabulary)
    (tmp_path / "recordings").mkdir()
    for name in ("a.wav", "recordings/a.wav"):
        shutil.copy(recording, name)
    (tmp_path / "phones.txt").write_text("a\nt͡ʃ\nŋ\n", encoding="utf-8")
    rows = read_manifest(corpus / "manifest.tsv")
    write_manifest(
        corpus / "manifest.tsv", [replace(row, phonemes=" ".join(row.text.replace(" ", ""))) for row in rows]
    )
    yield tmp_path
    open_phoible.cache_clear()


def test_the_commands_for_any_language_run(any_language, capsys):
    (block,) = [block for block in blocks(ROOT / "docs" / "phones.md", "bash") if "--inventory oracle" in block]
    for command in block.splitlines():
        assert main([*shlex.split(command)[1:], "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["maps"][0]["inventory"]["size"] > 2
    written = {path.name for path in (any_language / "transcripts").iterdir()}
    assert written == {"phones.json", "transcribe.json", "a.json", "a.TextGrid"}
    phones = json.loads((any_language / "transcripts" / "a.json").read_text())["phones"]
    assert {phone["phone"] for phone in phones} <= {"a", "t͡ʃ", "ŋ"}
    assert len(phones[0]["alternatives"]) == 2


def test_the_python_example_for_any_language_runs(any_language, capsys):
    _, code = blocks(ROOT / "docs" / "python.md", "python")
    exec(compile(code, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert set(lines[0].split()) <= set(find_inventory("swh").symbols)
    assert "target,status,source" in lines[[line.startswith("target") for line in lines].index(True)]


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"
