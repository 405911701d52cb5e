import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from speechxl import load
from speechxl.cli import VERBS, build_parser

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(ROOT.glob("recipes/*/run.sh"))
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("recipes/*/README.md")), ROOT / "benchmarks" / "README.md"]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def commands():
    lines = [
        line for page in PAGES for block in blocks(page, "bash") for line in block.replace("\\\n", " ").splitlines()
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
    words = shlex.split(re.sub(r"\$\{?\w+\}?", "1", command.replace("$units", "char")))
    verb, arguments = words[1], words[2:]
    while "--config" in arguments:
        place = arguments.index("--config")
        assert (ROOT / arguments[place + 1]).exists()
        del arguments[place : place + 2]
    parser = build_parser(verb, getattr(import_module(f"speechxl.verbs.{verb}"), verb))
    assert parser.parse_args(arguments)


def test_every_verb_of_the_table_exists_and_every_verb_stands_in_the_table():
    table = re.findall(r"^\| `(\w+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert set(VERBS) <= set(table)


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", "\n".join(blocks(ROOT / "README.md", "bash")), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_python_example_runs(ctc_folder, corpus, monkeypatch, capsys):
    code, _ = blocks(ROOT / "README.md", "python")
    monkeypatch.chdir(corpus)
    (corpus / "u00.wav").rename("a.wav")
    (corpus / "runs").mkdir()
    ctc_folder.rename("runs/gup")
    exec(compile(code, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) > 0
    assert len(list(corpus.glob("a.*"))) == 2


def test_the_example_without_speechxl_gives_the_model_s_text(exported, corpus, monkeypatch, capsys):
    _, code = blocks(ROOT / "README.md", "python")
    monkeypatch.chdir(Path(exported[0].document["out"]).parent)
    Path("a.wav").write_bytes((corpus / "u00.wav").read_bytes())
    exec(compile(code, "README.md", "exec"), {})
    found = " ".join(capsys.readouterr().out.replace("<unk>", "").split())
    assert found == load(exported[1], precision="32").transcribe("a.wav").text != ""


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"
