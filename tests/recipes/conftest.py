"""Recipes as they are shipped, on corpora of the same layout, with training cut short."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from speechxl.cli import main

ROOT = Path(__file__).parent.parent.parent
STUB = """#!{python} -IS
# Notes what is asked for. Training and evaluation leave behind what the next step of a script looks for.
import json, subprocess, sys
from pathlib import Path

arguments = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps(arguments) + "\\n")
if arguments[0] == "prepare":
    sys.exit(subprocess.call([{python!r}, "-m", "speechxl", *arguments]))
options = dict(zip(arguments, arguments[1:]))
if arguments[0] == "lm":
    Path(options["--out"]).touch()
elif arguments[:2] == ["classify", "evaluate"]:
    pass
elif "--out" in options:
    model = Path(options["--out"]) / "model.safetensors"
    if not model.exists():  # a run that is done already leaves its model as it is
        model.parent.mkdir(parents=True, exist_ok=True)
        model.touch()
else:
    header, *lines = [line.split("\\t") for line in Path(arguments[2]).read_text().splitlines()]
    rows = [dict(zip(header, line)) for line in lines]
    ids = [row.get("id") or row["path"] for row in rows if row.get("split") == options.get("--split", row.get("split"))]
    text = "".join(f"{{id}}\\tda lo\\tda la\\n" for id in ids or ["a"])
    Path(options["--transcripts"]).write_text("id\\treference\\thypothesis\\n" + text)
"""
TINY = [
    "--max_steps",
    "2",
    "--batch_seconds",
    "4",
    "--device",
    "cpu",
    "--watch.log_every",
    "1",
    "--data.min_seconds",
    "0.1",
]
SMALL = [f"--architecture.{name}={size}" for name, size in
         {"conv_channels": 16, "layers": 2, "width": 32, "ffn": 64, "heads": 2}.items()]  # fmt: skip


class Recipe:
    """One recipe's script, run in a folder of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.script, self.out, self.log = ROOT / "recipes" / name / "run.sh", folder / "out", folder / "log"
        tools = folder / "bin"
        tools.mkdir()
        (tools / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (tools / "speechxl").write_text(STUB.format(python=sys.executable, log=str(self.log)))
        for tool in tools.iterdir():
            tool.chmod(0o755)
        self.environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def script_says(self, *arguments: object) -> str:
        """Runs the script; gives its output."""
        command = [str(self.script), *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def commands(self) -> list[list[str]]:
        """Commands of speechxl that the script has given so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def command_for(self, name: str, verb: str) -> list[str]:
        """The command of this verb that makes, or evaluates, the model of this name."""
        folder = str(self.out / name)
        (command,) = {
            tuple(command)
            for command in self.commands()
            if command[0] == verb
            and (folder in command[1:2] if verb == "evaluate" else folder == option(command, "--out"))
        }
        return list(command)

    def really(self, name: str, *extra: str) -> None:
        """Makes a model as the script would, in two steps; where the script evaluates it, that as well."""
        verbs = {"pretrain", "adapt", "finetune"}
        (verb,) = {c[0] for c in self.commands() if c[0] in verbs and option(c, "--out") == str(self.out / name)}
        command = self.command_for(name, verb)
        shutil.rmtree(self.out / name)
        size = SMALL if "--preset" in command or verb == "pretrain" else []
        assert main([*command, *TINY, *size, *extra]) == 0
        if verb == "finetune":
            assert main([*self.command_for(name, "evaluate"), "--device", "cpu"]) == 0

    def python(self, *arguments: object) -> str:
        """Runs a Python script of the recipes."""
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout


def option(command: list[str], flag: str) -> str | None:
    """Value of a flag."""
    return command[command.index(flag) + 1] if flag in command else None


@pytest.fixture
def recipe(tmp_path):
    """A recipe by its name."""

    def make(name):
        folder = tmp_path / "recipe"
        folder.mkdir()
        return Recipe(name, folder)

    return make
