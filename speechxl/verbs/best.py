"""The best models of a run, and their average."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from speechxl.decoding.recognisers import Recognisers
from speechxl.files import replace_file
from speechxl.shapes import Utterance
from speechxl.verbs.corpora import target
from speechxl.verbs.recognise import recognise

FOLDER = "best"


def dev_transcripts(recognisers: Recognisers, dev: Sequence[Utterance], column: str) -> list[tuple[str, str, str, str]]:
    """Id, language, reference and hypothesis of utterances, as `Recognition.dev_transcripts` has them."""
    found = []
    for item in recognise(recognisers, dev):
        if item.hypothesis is not None:
            row = item.utterance
            found.append((row.id, row.language or "(unknown)", target(row, column), item.hypothesis.text))
    return found


class BestWeights:
    """Weights of the evaluations with the lowest error so far, in files, so that a run can be interrupted.

    Args:
        out: Folder of the run.
        model: That is trained.
        count: How many are kept.
    """

    def __init__(self, out: Path, model: torch.nn.Module, count: int) -> None:
        self.folder, self.model, self.count = out / FOLDER, model, count

    def __call__(self, step: int, error: float) -> None:
        """Keeps the weights as they are now, if they are among the best."""
        self._drop(lambda other, _: other >= step)  # of a run that was interrupted and continued
        replace_file(self.folder / f"{step}-{error:.6f}.safetensors", lambda part: save_file(self._state(), part))
        kept = {item[0] for item in sorted(self._files(), key=lambda item: (item[1], -item[0]))[: self.count]}
        self._drop(lambda other, _: other not in kept)

    def average(self) -> dict[int, float]:
        """Loads the mean of the weights into the model.

        Returns:
            Steps that they are from, with the error of each; none if there is nothing to average.
        """
        files = self._files()
        if len(files) < 2:
            return {}
        total: dict[str, torch.Tensor] = {}
        for _, _, path in files:
            for name, value in load_file(path).items():
                total[name] = total[name] + value.double() if name in total else value.double()
        mean = {name: value / len(files) for name, value in total.items()}
        self.model.load_state_dict(mean, strict=False)
        return {step: error for step, error, _ in files}

    def remove(self) -> None:
        """Deletes the files."""
        self._drop(lambda step, error: True)
        if self.folder.exists():
            self.folder.rmdir()

    def _state(self) -> dict[str, Any]:
        trained = {name: value for name, value in self.model.named_parameters() if value.requires_grad}
        return {name: value.detach().cpu().contiguous() for name, value in trained.items()}

    def _files(self) -> list[tuple[int, float, Path]]:
        found = []
        for path in self.folder.glob("*.safetensors"):
            step, _, error = path.stem.partition("-")
            found.append((int(step), float(error), path))
        return sorted(found)

    def _drop(self, which: Callable[[int, float], bool]) -> None:
        for step, error, path in self._files():
            if which(step, error):
                path.unlink()
