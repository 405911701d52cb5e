"""The command line: verbs, their flags, one form of error. The only importer of jsonargparse.

A verb is a function: parameters before the star are positional, the others are flags, the docstring is the help.
"""

import inspect
import json
import logging
import os
import re
import sys
import types
import typing
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from itertools import islice
from typing import Any, NoReturn

import docstring_parser
from jsonargparse import SUPPRESS, ArgumentParser, set_parsing_settings

from speechxl.errors import InputError, Interrupted, NothingMatched, RunFailed
from speechxl.tasks.processes import rank

VERBS = {
    "doctor": "whether everything that is needed works here",
    "prepare": "a corpus of any kind to a manifest",
    "validate": "faults of a corpus that training would trip over",
    "split": "a corpus into parts without common speakers",
    "stats": "hours, speakers, durations and symbols of a corpus",
    "vocab": "the symbols of a corpus before training, and what is odd about them",
    "pretrain": "self-supervised pretraining from scratch",
    "adapt": "continued pretraining on a new language",
    "finetune": "a recogniser from transcribed speech",
    "transcribe": "recordings to text",
    "classify train": "a classifier of speech from labelled recordings",
    "classify predict": "the labels of recordings",
    "classify evaluate": "how often a classifier is right",
    "classify compare": "classifiers of speech against classifiers of its transcripts",
    "align": "times of words and phones in recordings whose text is known",
    "evaluate": "error rates on transcribed recordings",
    "export": "a model as ONNX, a manifest for Kaldi, NeMo, Lhotse, datasets, ELAN, Praat",
    "lm": "an n-gram language model from text",
    "inventory": "the phones of languages, from PHOIBLE, files and espeak-ng",
    "map": "what a model's phones become in another language",
    "calibrate": "how they are mapped best, by leaving training languages out",
    "report": "one page on a run: curves, errors, confusions, worst utterances",
    "push": "a model folder to the hub, private unless asked otherwise",
    "inspect": "how languages share the codes of a pretrained model",
    "fetch": "a model of the hub to a folder, for machines without network",
    "demo": "the whole way on a small synthetic corpus",
}
CONFIGURED = frozenset({"classify compare"})
"""Verbs whose first argument is a file of settings."""
UNEXPECTED, USAGE, NOTHING, INTERRUPTED = 1, 2, 5, 130
_CODES = (
    "exit codes: 0 done, 1 unexpected, 2 usage or configuration, 3 validation found errors, 4 some inputs failed, "
    "5 nothing matched, 130 interrupted"
)


class _Parser(ArgumentParser):
    """One line for a mistake, with the nearest name that exists."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Prints the mistake and ends with code 2."""
        del ex
        text = _one_line(str(message))
        print(f"{self.prog}: error: {text}{self._nearest(text)}", file=sys.stderr)
        sys.exit(USAGE)

    def _nearest(self, message: str) -> str:
        """A hint for a name that does not exist."""
        unknown = re.search(
            r"unrecognized arguments: -*([\w.-]+)|does not accept option '([\w.]+)'|[Oo]ption '([\w.]+)' is not",
            message,
        )
        if not unknown:
            return ""
        group = re.search(r"[Gg]roup '([\w.]+)' does not accept", message)
        word = next(name for name in unknown.groups() if name).replace("-", "_")
        word = f"{group[1]}.{word}" if group else word
        names = [action.dest for action in self._actions if action.dest not in ("help", "print_config")]
        near = get_close_matches(word, names, 1) or [
            name for name in names if name.split(".")[-1] == word.split(".")[-1]
        ]
        if near:
            return f" (did you mean {near[0]!r}?)"
        kin = [name for name in names if name.startswith(f"{word.rpartition('.')[0]}.")]
        return f" (there are {', '.join(kin)})" if kin else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb and gives the exit code."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return _fail("", "interrupted", INTERRUPTED)
    except BrokenPipeError:  # whoever reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(arguments: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments[:1] in ([], ["-h"], ["--help"]):
        print(_overview())
        return 0 if arguments else USAGE
    if arguments[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"speechxl {version('speechxl')}")
        return 0
    verb, rest = split_verb(arguments)
    if verb not in VERBS:
        if arguments[1:] in (["-h"], ["--help"]) and _overview(verb):
            print(_overview(verb))
            return 0
        near = get_close_matches(verb, VERBS, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        if there := [other for other in VERBS if other.startswith(f"{verb} ")]:
            hint = f" (there are {', '.join(there)})"
        print(f"speechxl: error: no verb {verb!r}{hint}; see speechxl --help", file=sys.stderr)
        return USAGE
    function = function_of(verb)
    parser = build_parser(verb, function)
    rest = _pairs([_underscored(argument) for argument in rest], function)
    settings = parser.parse_args(_files_first(rest))
    _log_to_stderr(quiet=settings.quiet or rank() > 0)
    if rank() > 0:  # all processes prepare alike
        logging.getLogger("speechxl.verbs").setLevel(logging.ERROR)
    if settings.offline:
        _go_offline()
    try:
        chosen = parser.instantiate(settings)
        given = {name: chosen[name] for name in inspect.signature(function).parameters if name in chosen}
        if given.get("model_language"):
            from speechxl.data.languages import named_language

            given["model_language"] = named_language(given["model_language"])
        outcome = function(**given)
    except NothingMatched as error:
        return _fail(verb, error, NOTHING)
    except InputError as error:
        return _fail(verb, error, USAGE)
    except Interrupted as error:
        return _fail(verb, error, INTERRUPTED)
    except RunFailed as error:
        return _fail(verb, error, UNEXPECTED)
    except OSError as error:
        if error.filename is None:
            raise
        return _fail(verb, f"{error.filename}: {error.strerror}.", USAGE)
    except Exception:
        logging.getLogger("speechxl").exception("unexpected error; please report it with these lines")
        return UNEXPECTED
    if rank() > 0:
        return 0  # any other code makes a launcher end the first process, which still writes the results of all
    text = json.dumps(outcome.document, ensure_ascii=False) if settings.json else outcome.text
    if text:
        print(text, flush=True)
    return outcome.code


def split_verb(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The verb of a command line, which may be two words, and what follows it, a file of settings as ``--config``."""
    words = 2 if any(verb.startswith(f"{arguments[0]} ") for verb in VERBS) else 1
    taken = [word for word in arguments[:words] if not word.startswith("-")]
    verb, rest = " ".join(taken), list(arguments[len(taken) :])
    return verb, ["--config", *rest] if verb in CONFIGURED and rest and not rest[0].startswith("-") else rest


def function_of(verb: str) -> Callable[..., Any]:
    """What a verb calls."""
    name = verb.replace(" ", "_")
    return getattr(import_module(f"speechxl.verbs.{name}"), name)


def build_parser(verb: str, function: Callable[..., Any]) -> ArgumentParser:
    """Parser of a verb, from the signature and docstring of its function."""
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = _Parser(
        prog=f"speechxl {verb}",
        description=(function.__doc__ or "").partition("\n")[0],
        epilog=_CODES,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="YAML file with settings; of several, later ones win.")
    parser.add_argument("--json", action="store_true", help="Print one JSON document.")
    parser.add_argument("--quiet", action="store_true", help="Say only what went wrong.")
    parser.add_argument("--offline", action="store_true", help="Ask the hub for nothing, as with HF_HUB_OFFLINE=1.")
    documented = {item.arg_name: item.description for item in docstring_parser.parse(function.__doc__ or "").params}
    hints = typing.get_type_hints(function)
    by_hand = {}
    for name, parameter in inspect.signature(function).parameters.items():
        options = _options(hints[name], parameter)
        if options is not None:
            flag = name if parameter.kind is not inspect.Parameter.KEYWORD_ONLY else f"--{name}"
            by_hand[name] = parser.add_argument(flag, help=documented[name], **options)
    parser.add_function_arguments(function, skip=set(by_hand))
    forms = {"+": "{}...", "*": "[{}...]", "?": "[{}]"}
    positional = [
        forms.get(str(action.nargs), "{}").format(name.upper())
        for name, action in by_hand.items()
        if not action.option_strings
    ]
    positional += ["[CONFIG]"] if verb in CONFIGURED else []
    parser.usage = " ".join(["%(prog)s", *positional, "[--setting VALUE ...]"])
    return parser


def _options(hint: Any, parameter: inspect.Parameter) -> dict[str, Any] | None:
    """How an argument is read that jsonargparse would read otherwise: positional ones, lists of words, switches."""
    positional = parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    required = parameter.default is inspect.Parameter.empty
    options: dict[str, Any] = {} if required else {"default": parameter.default}
    arms = [arm for arm in typing.get_args(hint) if arm is not types.NoneType] if _is_union(hint) else [hint]
    if typing.get_origin(arms[0]) is list:
        options |= {"type": typing.get_args(arms[0])[0], "nargs": "*" if positional and not required else "+"}
        return options if positional or not required else options | {"required": True}
    if positional:
        return options | {"type": arms[0]} | ({} if required else {"nargs": "?", "default": SUPPRESS})
    if hint is bool:
        return options | {"type": bool, "nargs": "?", "const": True}
    return None


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _underscored(argument: str) -> str:
    """``--max-steps`` is ``--max_steps``."""
    flag, equals, value = argument.partition("=")
    return flag.replace("-", "_").replace("__", "--", 1) + equals + value if flag.startswith("--") else argument


def _pairs(arguments: Sequence[str], function: Callable[..., Any]) -> list[str]:
    """``--columns text=ipa path=clip`` is ``--columns.text=ipa --columns.path=clip``, for flags that take pairs."""
    hints = typing.get_type_hints(function)
    taking = {
        f"--{name}" for name, hint in hints.items() if any(_is_mapping(arm) for arm in (hint, *typing.get_args(hint)))
    }
    found: list[str] = []
    flag = ""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=False):
        if argument in taking and re.match(r"\w+=", following):
            flag = argument
        elif flag and re.match(r"\w+=", argument):
            found.append(f"{flag}.{argument}")
        else:
            flag = ""
            found.append(argument)
    return found


def _is_mapping(hint: Any) -> bool:
    return typing.get_origin(hint) is dict


def _files_first(arguments: Sequence[str]) -> list[str]:
    """The same with ``--config`` in front: what stands on the command line wins over files, wherever it stands."""
    files: list[str] = []
    others: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        value = [*islice(rest, 1)] if argument == "--config" else []
        (files if value or argument.startswith("--config=") else others).extend([argument, *value])
    return files + others


def _one_line(message: str) -> str:
    """A mistake in a few words; a value of the wrong type as place, value and what was expected."""
    key = re.search(r'Parser key "([^"]+)"', message)
    value = re.search(r"(?:Given value: |Got value: )(.*)", message)
    expected = re.findall(r"Expected an? (.+?)(?:\. Got value.*)?$", message, re.MULTILINE)
    if key and "does not support item assignment" in message:
        return f"{key[1].split()[0]} takes a list, in YAML: {key[1].split()[0]}: [corpus/manifest.tsv]"
    if key and "Unable to load config" in message:
        return (
            f"--{key[1]} stands for a group of settings and takes a YAML file of them; for one, --{key[1]}.NAME VALUE."
        )
    if message.startswith("Unexpected config:"):
        return f"--config: a mapping of settings was expected, found {message.partition(':')[2].strip() or 'nothing'}."
    if key and value and expected:
        kinds = map(_kind, expected)
        return f"{key[1]} is {value[1]!r}, expected {' or '.join(dict.fromkeys(kinds))}."
    return " ".join(line.strip() for line in message.splitlines() if line.strip())


def _kind(name: str) -> str:
    """A type in words."""
    if "Literal[" in name:
        return "one of " + ", ".join(re.findall("'([^']*)'", name))
    return re.sub(r"<class '([\w.]+)'>", r"\1", name).replace("NoneType", "null").strip(" .")


def _log_to_stderr(*, quiet: bool) -> None:
    """Messages of the package as plain lines; those of others only if something is wrong."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("speechxl").setLevel(logging.WARNING if quiet else logging.INFO)


def _go_offline() -> None:
    """Has the hub's library ask for nothing, also where it has been imported already."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    if "huggingface_hub" in sys.modules:
        vars(import_module("huggingface_hub.constants"))["HF_HUB_OFFLINE"] = True


def _fail(verb: str, error: object, code: int) -> int:
    if code == INTERRUPTED and rank() > 0:
        return code  # the first process says it
    name = f"speechxl {verb}".strip() + (f" (process {rank()})" if rank() > 0 else "")
    print(f"{name}: {error}" if code == INTERRUPTED else f"{name}: error: {error}", file=sys.stderr)
    return code


def _overview(first: str = "") -> str:
    """All verbs, or those whose first word is given; empty if there are none."""
    chosen = {verb: meaning for verb, meaning in VERBS.items() if not first or verb.startswith(f"{first} ")}
    width = max(map(len, chosen), default=0)
    verbs = "\n".join(f"  {verb:{width}s}  {meaning}" for verb, meaning in chosen.items())
    usage = f"usage: speechxl VERB ... (speechxl VERB --help for its settings)\n\n{verbs}\n\n{_CODES}"
    return usage if chosen else ""


if __name__ == "__main__":
    sys.exit(main())
