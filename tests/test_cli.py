import inspect
import json
import subprocess
import sys
import typing
from dataclasses import fields, is_dataclass

import pytest
import yaml

from speechxl.cli import VERBS, build_parser, function_of, main
from speechxl.shapes import SAMPLE_RATE


def run(capsys, *arguments):
    """Exit code, standard output, standard error."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_is_quick_and_does_without_torch(verb):
    code = (
        "import sys; from speechxl.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'lightning' not in sys.modules\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *verb.split(), "--help"], capture_output=True, text=True, check=True
    )
    assert "usage: speechxl" in result.stdout
    assert "exit codes" in result.stdout


def test_verbs_of_two_words(capsys):
    code, output, _ = run(capsys, "classify", "--help")
    assert code == 0
    assert "classify train" in output
    assert "finetune" not in output
    for arguments, message in {
        ("classify",): "no verb 'classify' (there are classify train, classify predict, classify evaluate",
        ("classify", "trian"): "no verb 'classify trian' (did you mean 'classify train'?)",
        ("classify", "--out", "x"): "no verb 'classify' (there are classify train",
    }.items():
        code, _, errors = run(capsys, *arguments)
        assert code == 2
        assert message in errors


@pytest.mark.parametrize("verb", ["finetune", "classify compare"])
def test_help_takes_under_half_a_second(verb):
    code = (
        "import resource, sys; from speechxl.cli import main\n"
        f"try: main({[*verb.split(), '--help']})\n"
        "except SystemExit: pass\n"
        "print(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]), file=sys.stderr)"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    assert min(float(run.stderr.split()[-1]) for run in runs) < 0.5


@pytest.mark.parametrize("verb", VERBS)
def test_every_argument_is_documented_and_every_group_documents_its_fields(verb):
    help_text = build_parser(verb, function_of(verb)).format_help()
    for name, hint in typing.get_type_hints(function_of(verb)).items():
        if name != "return" and is_dataclass(hint):
            for field in fields(hint):
                assert f"--{name}.{field.name}" in help_text
            assert inspect.getdoc(hint)
    assert "None  " not in help_text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["finetun"], "no verb 'finetun' (did you mean 'finetune'?)"),
        (["pretrain", "--train", "x", "--out", "y", "--optim.lrr", "1"], "--optim.lrr 1 (did you mean 'optim.lr'?)"),
        (["pretrain", "--train", "x", "--out", "y", "--lr", "1"], "(did you mean 'optim.lr'?)"),
        (["pretrain", "--trian", "x", "--out", "y"], "--trian x (did you mean 'train'?)"),
        (["pretrain", "--out", "y"], "the following arguments are required: train"),
        (
            ["pretrain", "--train", "x", "--out", "y", "--optim.lr", "fast"],
            "optim.lr is 'fast', expected float or null.",
        ),
        (["pretrain", "--train", "x", "--out", "y", "--max_steps", "1.5"], "max_steps is '1.5', expected int."),
        (["pretrain", "--train", "x", "--out", "y", "--optim.lr=-1"], "lr must be positive, got -1.0."),
        (
            ["pretrain", "--train", "x", "--out", "y", "--contrast.distractors", "0"],
            "distractors must be at least 1, got",
        ),
        (
            ["pretrain", "--train", "x", "--out", "y", "--contrast.temperature", "0"],
            "temperature must be positive, got",
        ),
        (["pretrain", "--train", "x", "--out", "y", "--preset", "huge"], "preset"),
        (
            ["pretrain", "--train", "x", "--out", "y", "--guard", "off"],
            "--guard stands for a group of settings and takes a YAML file of them; for one, --guard.NAME VALUE.",
        ),
        (["finetune", "--train", "x", "--out", "y"], "Name either a MODEL to start from"),
        (["finetune", "nowhere/at/all", "--train", "x", "--out", "y"], "nowhere/at/all: there is no such model folder"),
        (["validate", "nope.tsv"], "nope.tsv: there is no such manifest"),
        (["transcribe", "model"], "audio"),
    ],
)
def test_mistakes_are_one_line_with_exit_code_2(capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optim: {lrr: 1}", "did you mean 'optim.lr'?"),
        ("optmi: {lr: 1}", "did you mean 'optim"),
        ("optim: {lr: fast}", "optim.lr is 'fast', expected float or null."),
        ("max_steps: many", "max_steps is 'many', expected int."),
    ],
)
def test_mistakes_in_a_configuration_file(capsys, tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    code, _, err = run(capsys, "pretrain", "--train", "x", "--out", "y", "--config", path)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_later_files_and_flags_win(corpus, capsys, tmp_path):
    (tmp_path / "a.yaml").write_text("optim: {lr: 1e-3, clip: 2.0}\nmax_steps: 7\npreset: tiny\n")
    (tmp_path / "b.yaml").write_text("optim: {lr: 5e-4}\n")
    code, out, _ = run(
        capsys, "pretrain", "--config", tmp_path / "a.yaml", "--config", tmp_path / "b.yaml", "--train", corpus,
        "--out", tmp_path / "o", "--max-steps", 9, "--print_config",
    )  # fmt: skip
    settings = yaml.safe_load(out)
    assert code == 0
    assert settings["optim"]["lr"] == 5e-4
    assert settings["optim"]["clip"] == 2.0
    assert settings["max_steps"] == 9


@pytest.mark.parametrize("form", [["--config", "{}"], ["--config={}"]])
def test_the_command_line_wins_over_a_file_wherever_that_stands(corpus, capsys, tmp_path, form):
    path = tmp_path / "c.yaml"
    path.write_text(f"model: facebook/one\nmax_steps: 7\nseed: 3\nout: {tmp_path / 'o'}\n")
    file = [part.format(path) for part in form]
    given = ["facebook/two", "--max_steps", 9, "--train", corpus]
    for verb in ("finetune", "adapt"):
        for arguments in ([*given, *file], [*file, *given], [given[0], *file, *given[1:]]):
            code, out, _ = run(capsys, verb, *arguments, "--print_config")
            settings = yaml.safe_load(out)
            assert code == 0
            assert [settings[name] for name in ("model", "max_steps", "seed")] == ["facebook/two", 9, 3]
        code, out, _ = run(capsys, verb, *file, *given[1:], "--print_config")
        assert yaml.safe_load(out)["model"] == "facebook/one"
    code, _, err = run(capsys, "adapt", "facebook/two", "--train", corpus, "--out", tmp_path / "o", "--config")
    assert code == 2
    assert "expected one argument" in err


def test_dashes_do_as_well_as_underscores_and_dry_runs_write_nothing(corpus, capsys, tmp_path):
    code, out, _ = run(
        capsys, "pretrain", "--train", corpus, "--out", tmp_path / "o", "--preset", "tiny", "--dry-run", "--json"
    )
    document = json.loads(out)
    assert code == 0
    assert document["utterances"] == 10
    assert set(document["languages"]) == {"quy", "swh"}
    assert not (tmp_path / "o").exists()


def test_an_unexpected_error_is_reported_whole_with_exit_code_1(corpus, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("speechxl.data.checks.corpus.check", lambda *args, **options: 1 / 0)
    code, out, err = run(capsys, "validate", corpus)
    assert code == 1
    assert out == ""
    assert "ZeroDivisionError" in err


def test_the_version_is_printed(capsys):
    code, out, _ = run(capsys, "--version")
    assert code == 0
    assert out.startswith("speechxl ")
    assert SAMPLE_RATE == 16_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--precision", "fp16"], "precision is 'fp16', expected one of auto, 32, bf16."),
        (["--preset", "huge"], "preset is 'huge', expected one of tiny, w2v2-base,"),
        (["--max_step", "1"], "did you mean 'max_steps'?"),
        (["--optim.learning_rate", "1"], "there are optim.lr, optim.warmup"),
        (["--batch_seconds", "0"], "--batch_seconds must be a positive number of seconds, got 0"),
        (["--freeze_encoder", "7"], "--freeze_encoder must be from 0 to 1, got 7"),
        (["--curriculum", "2"], "--curriculum must be from 0 to 1, got 2"),
        (["--architecture.heads", "0"], "--architecture.heads must be at least 1, got 0"),
        (["--architecture.heads", "5"], "--architecture.width must be a multiple of the 5 heads"),
        (["--dropout.hidden", "3"], "--dropout.hidden must be from 0 up to 1, got 3"),
        (["--augment.time_prob", "4"], "--augment.time_prob must be from 0 up to 1, got 4"),
        (["--watch.log_every", "0"], "--watch.log_every must be at least 1, got 0"),
        (["--data.min_seconds", "-1"], "--data.min_seconds must be at least 0, got -1"),
        (["--optim.lr", "0"], "--optim.lr must be positive, got 0"),
        (["--optim.clip", "0"], "--optim.clip must be positive, or left out for no limit, got 0"),
        (["--data.max_seconds", "0"], "--data.max_seconds must be positive, got 0"),
    ],
)
def test_values_that_make_no_sense_are_named_with_what_is_expected(corpus, capsys, tmp_path, arguments, message):
    preset = [] if "--preset" in arguments else ["--preset", "tiny"]
    code, out, err = run(capsys, "finetune", *preset, "--train", corpus, "--out", tmp_path / "m", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: small.tsv\n", "train takes a list, in YAML: train: [corpus/manifest.tsv]"),
        ("", "a mapping of settings was expected"),
    ],
)
def test_a_configuration_of_the_wrong_shape_is_explained(capsys, tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    code, _, err = run(capsys, "finetune", "--config", path, "--out", tmp_path / "m")
    assert code == 2
    assert message in err


def test_an_output_that_cannot_be_written_is_a_usage_error(corpus, capsys):
    code, _, err = run(capsys, "prepare", "folder", corpus, "/proc/nowhere")
    assert code == 2
    assert err.splitlines()[-1].startswith("speechxl prepare: error: /proc/nowhere")


@pytest.mark.parametrize("moment", ["import_module", "build_parser"])
def test_an_interruption_during_the_start_is_no_traceback(capsys, monkeypatch, moment):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"speechxl.cli.{moment}", interrupted)
    assert run(capsys, "demo") == (130, "", "speechxl: interrupted\n")


def test_a_reader_that_goes_away_is_no_error(corpus):
    command = f"{sys.executable} -m speechxl validate {corpus} | true; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert result.stdout == "0\n"
    assert "Traceback" not in result.stderr
