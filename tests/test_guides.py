"""Every block of the README and of the guides is run, on small models and corpora under the names that it uses."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from speechxl.cli import main, split_verb
from speechxl.phonology.phoible import open_phoible
from tests.guide_world import make_world

ROOT = Path(__file__).parent.parent
PHOIBLE = ROOT.parent / "shared" / "phoible"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SMALL = ["conv_channels=16", "layers=2", "width=32", "ffn=64", "heads=2"]
TRAINING = ["--max_steps", "2", "--batch_seconds", "4", "--device", "cpu", "--precision", "32"]
SHORTER = {
    "pretrain": [
        *TRAINING, "--preset", "tiny", "--optim.target_batch_hours", "0.0001",
        *(word for item in SMALL for word in ("--architecture." + item).split("=")),
    ],
    "adapt": TRAINING,
    "finetune": TRAINING,
    "classify train": TRAINING,
    "classify compare": [
        "--systems.speech.max_steps", "1", "--systems.speech.device", "cpu", "--seeds", "1", "--draws", "10",
        "--regimes", "multilingual",
    ],
    "inventory install": ["--phoible", str(PHOIBLE)],
    "push": ["--dry_run"],
}  # fmt: skip
"""What makes a verb quick, or lets it do without a network."""
CODES = {"validate": (0, 3), "prepare elan": (0, 4), "prepare phonemes": (0, 4)}
"""Exit codes that are no fault, where they are not 0 alone."""


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def run(line, world):
    """A command of a page, in this process."""
    line = line.partition(" #")[0].replace("$SLURM_ARRAY_TASK_ID", "1").replace("--ray auto", "")
    started = re.match(r"(?:(?:torchrun|srun) .*?)?\bspeechxl (.*)", line)
    if started is None:
        assert line.startswith(("make ", "pip install ")), line
        return
    words = []
    for word in shlex.split(started[1]):
        words += sorted(str(path.relative_to(world)) for path in world.glob(word)) if "*/" in word else [word]
    verb, arguments = split_verb(words)
    name = f"{verb} {arguments[0]}" if verb in ("prepare", "inventory") else verb
    if verb == "fetch":
        shutil.copytree(world / arguments[0], world / arguments[1])  # in the place of the hub
        return
    if "--out" in arguments and "--resume" not in arguments and name in SHORTER:
        shutil.rmtree(world / arguments[arguments.index("--out") + 1], ignore_errors=True)
    if verb == "prepare":
        shutil.rmtree(world / arguments[2], ignore_errors=True)
    assert main([*words, *SHORTER.get(name, [])]) in CODES.get(name, (0,)), line


@pytest.mark.skipif(not PHOIBLE.is_dir(), reason=f"no PHOIBLE in {PHOIBLE}")
@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_every_block_runs(page, tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxscript")
    make_world(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SPEECHXL_PHOIBLE", str(PHOIBLE))
    open_phoible.cache_clear()
    for text in blocks(page, "yaml"):
        (tmp_path / "compare.yaml").write_text(text)
    lines = [line for text in blocks(page, "bash") for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    for line in lines:
        run(line, tmp_path)
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec"), {})
    assert lines or blocks(page, "python")
    open_phoible.cache_clear()
