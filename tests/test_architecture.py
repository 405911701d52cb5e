"""The layers, and a few rules that no linter knows."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "speechxl"
LAYERS = [
    {"errors", "files", "heap", "shapes", "config"},
    {"text", "symbols", "spelling", "phonology"},
    {"data"},
    {"models"},
    {"objectives", "decoding", "evaluation"},
    {"classification"},
    {"tasks"},
    {"verbs"},
    {"cli"},
    {"__main__"},
]
TORCH_FREE = [
    "cli",
    "config",
    "errors",
    "shapes",
    "text",
    "symbols",
    "spelling",
    "models.frames",
    "data.manifest",
    "data.audio",
    "verbs.classify_compare",
    "verbs.compare_page",
    "verbs.compare_runs",
    "verbs.corpora",
    "verbs.transcribers",
    "evaluation.class_report",
    "evaluation.transcript_errors",
    "classification.cascade",
    "classification.encoders",
    "classification.instructions",
    "classification.labels",
    "classification.leaks",
    "classification.ngrams",
    "classification.pipelines",
    "classification.robustness",
    "classification.selection",
    "classification.sentences",
]


def modules():
    found = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    assert len(found) > 30
    return found


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("speechxl."):
            yield node.module.removeprefix("speechxl.")
            yield from (
                f"{node.module}.{name.name}".removeprefix("speechxl.")
                for name in node.names
                if node.module.count(".") == 1
            )
        elif isinstance(node, ast.Import):
            yield from (name.name.removeprefix("speechxl.") for name in node.names if name.name.startswith("speechxl."))


def layer(module):
    top = module.split(".")[0]
    return next(number for number, names in enumerate(LAYERS) if top in names)


def test_imports_go_to_the_same_or_an_earlier_layer():
    for module, path in modules().items():
        if module != "__init__":
            for imported in imports(path):
                assert layer(imported) <= layer(module), f"{module} imports {imported}"


def test_nothing_prints_but_the_command_line():
    for module, path in modules().items():
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        names = {call.func.id for call in calls if isinstance(call.func, ast.Name)}
        assert module == "cli" or "print" not in names, module


def test_input_is_checked_by_raising_and_not_by_assert():
    for module, path in modules().items():
        assert not any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(path.read_text()))), module


def test_only_the_command_line_knows_the_parser():
    for module, path in modules().items():
        assert module == "cli" or "jsonargparse" not in path.read_text(), module


def test_what_help_needs_does_not_import_torch():
    import subprocess
    import sys

    names = ", ".join(f"speechxl.{module}" for module in TORCH_FREE if module in modules())
    code = f"import sys, {names}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
