from pathlib import Path

import pytest

from speechxl.cli import VERBS, build_parser, function_of

ROOT = Path(__file__).parent.parent
FILES = sorted([*(ROOT / "configs").rglob("*.yaml"), *(ROOT / "recipes").rglob("*.yaml")])


def verb_of(path):
    """The verb that a file's name begins with."""
    return next(verb for verb in VERBS if path.stem.replace("-", " ").startswith(verb))


def test_there_are_files():
    assert len(FILES) >= 5


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_is_understood_by_its_verb(path):
    verb = verb_of(path)
    parser = build_parser(verb, function_of(verb))
    settings = parser.parse_args(
        ["--config", str(path), "--train", "x", "--out", "y", *(["model"] if verb == "adapt" else [])]
    )
    assert parser.instantiate(settings)


def test_every_recipe_has_its_parts():
    recipes = [path for path in (ROOT / "recipes").iterdir() if path.is_dir() and not path.name.startswith("_")]
    assert recipes
    for recipe in recipes:
        names = {path.name for path in recipe.iterdir()}
        assert {"README.md", "run.sh"} <= names
        assert any(name.endswith(".yaml") for name in names)
