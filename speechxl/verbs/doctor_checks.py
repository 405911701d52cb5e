"""What `doctor` looks at, one function for each subject."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

GOOD, WARNING, BROKEN = "ok", "note", "BROKEN"
_LEAST_FREE_GB = 10
_PYTHON = (3, 10)
_TORCH = (
    "pip install 'torch>=2.11,<2.15' 'torchaudio>=2.11,<2.12': plain wheels, which also run without a GPU; not the +cpu "
    "build of torch"
)


@dataclass(frozen=True)
class Finding:
    """What was found about one thing."""

    group: str
    name: str
    state: str
    """``GOOD``, ``WARNING`` or ``BROKEN``."""
    found: str
    advice: str = ""


def examine(*, self_test: bool) -> Iterator[Finding]:
    """All of it, one after the other; a check that fails in itself is a finding, too."""
    subjects: list[Callable[[], Iterator[Finding]]] = [
        python, libraries, torch_and_devices, companions, formats, programs, extras, disk, hub, phonology,
    ]  # fmt: skip
    for subject in [*subjects, *([works] if self_test else [])]:
        try:
            yield from subject()
        except Exception as error:
            yield Finding(subject.__name__, subject.__name__, BROKEN, f"{type(error).__name__}: {_line(error)}")


def python() -> Iterator[Finding]:
    """Interpreter and machine."""
    state = GOOD if sys.version_info >= _PYTHON else BROKEN
    advice = "" if state == GOOD else f"Python {'.'.join(map(str, _PYTHON))} or newer is needed"
    where = f"{platform.python_version()} at {sys.executable}"
    yield Finding("machine", "Python", state, where, advice)
    yield Finding("machine", "system", GOOD, f"{platform.platform()}, {os.cpu_count()} processors, {_memory()}")


def libraries() -> Iterator[Finding]:
    """Versions of what is required."""
    yield Finding("library", "speechxl", GOOD, version("speechxl"))
    for requirement in _required(""):
        wanted = f"{requirement.name}{requirement.specifier}"
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield Finding("library", requirement.name, BROKEN, "not installed", f"pip install '{wanted}'")
            continue
        fits = requirement.specifier.contains(found, prereleases=True)
        advice = "" if fits else f"{requirement.specifier} is needed: pip install '{wanted}'"
        yield Finding("library", requirement.name, GOOD if fits else BROKEN, found, advice)


def torch_and_devices() -> Iterator[Finding]:
    """Whether torch and torchaudio load, and what they compute on."""
    try:
        import torch
    except Exception as error:
        yield Finding("compute", "torch loads", BROKEN, _line(error), _TORCH)
        return
    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only"
    yield Finding(
        "compute", "torch loads", GOOD, f"{torch.__version__}, built for {built}, {torch.get_num_threads()} threads"
    )
    try:
        import torchaudio

        yield Finding("compute", "torchaudio loads", GOOD, torchaudio.__version__)
    except Exception as error:
        advice = f"transformers imports torchaudio wherever it is installed, so that nothing runs; {_TORCH}"
        yield Finding("compute", "torchaudio loads", BROKEN, _line(error), advice)
    from speechxl.models.device import choose_precision

    if not torch.cuda.is_available():
        fast = choose_precision("auto", "cpu") == "bf16"
        multiplies = "is faster in bfloat16" if fast else "is fastest in float32"
        seen = shutil.which("nvidia-smi") is not None
        advice = "nvidia-smi is here, but torch finds no device: is the driver new enough for its CUDA?" if seen else ""
        yield Finding("compute", "GPU", WARNING if seen else GOOD, f"none; the processor {multiplies}", advice)
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, total = torch.cuda.mem_get_info(number)
        half = "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no bfloat16"
        found = f"{torch.cuda.get_device_name(number)}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free, {half}"
        yield Finding("compute", f"GPU {number}", GOOD, found)


def companions() -> Iterator[Finding]:
    """Libraries that are not needed, but break others where they are installed and do not load."""
    for name in ("torchvision", "torchcodec"):
        if find_spec(name) is None:
            continue
        try:
            import_module(name)
        except Exception as error:
            advice = f"it is not needed, and breaks libraries that look for it: pip uninstall {name}"
            yield Finding("compute", f"{name} loads", WARNING, _line(error), advice)


def formats() -> Iterator[Finding]:
    """Which formats of audio are read: each is written and read again."""
    import numpy as np
    import soundfile

    from speechxl.data.audio import read_audio

    samples = 0.1 * np.sin(np.arange(16_000) / 10)
    read: list[str] = []
    unread: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix, options in (
            ("wav", {}), ("flac", {}), ("ogg", {}), ("opus", {"format": "OGG", "subtype": "OPUS"}), ("mp3", {}),
        ):  # fmt: skip
            path = Path(folder) / f"a.{suffix}"
            try:
                soundfile.write(path, samples, 16_000, **options)
                right = abs(len(read_audio(path)) - len(samples)) < 3_200
            except Exception:
                right = False
            (read if right else unread).append(suffix)
    found = f"{', '.join(read)} by libsndfile {soundfile.__libsndfile_version__}"
    lost = f"{', '.join(unread)} cannot be read: pip install --upgrade soundfile" if unread else ""
    yield Finding(
        "audio", "formats", BROKEN if {"wav", "flac"} & {*unread} else WARNING if unread else GOOD, found, lost
    )
    if find_spec("av") is None:
        advice = "for m4a, mp4, webm, aac, wma and amr: pip install 'speechxl[media]'"
        yield Finding("audio", "m4a, mp4, webm", WARNING, "not read", advice)
    else:
        yield Finding("audio", "m4a, mp4, webm", GOOD, f"by PyAV {import_module('av').__version__}")


def programs() -> Iterator[Finding]:
    """What lies outside of Python."""
    place = shutil.which("ffmpeg")
    yield Finding("audio", "ffmpeg", GOOD, place or "not here, and not needed")
    from speechxl.data.espeak import phonemes

    spoken = "".join(phone for word in phonemes("one", "en") for phone in word)
    yield Finding("audio", "espeak-ng", GOOD if spoken else BROKEN, f"says {spoken!r} for 'one'")


def extras() -> Iterator[Finding]:
    """Optional parts: installed, or what is lacking."""
    for extra in sorted(_extras() - {"dev"}):
        lacking = []
        for requirement in _required(extra):
            try:
                version(requirement.name)
            except PackageNotFoundError:
                lacking.append(requirement.name)
        found = f"not installed: {', '.join(lacking)}; pip install 'speechxl[{extra}]'" if lacking else "installed"
        yield Finding("extra", f"extra {extra}", GOOD, found)


def disk() -> Iterator[Finding]:
    """Room where models, caches and results go."""
    from huggingface_hub import constants

    from speechxl.data.checks.cache import cache_file

    places = {
        "this folder": Path.cwd(),
        "hub cache": Path(constants.HF_HUB_CACHE),
        "speechxl's cache": cache_file().parent,
    }
    for name, path in {**places, "temporary files": Path(tempfile.gettempdir())}.items():
        there = next(parent for parent in (path, *path.parents) if parent.exists())
        free = shutil.disk_usage(there).free / 1e9
        writable = os.access(there, os.W_OK)
        advice = "" if writable else f"{there} cannot be written"
        if writable and free < _LEAST_FREE_GB:
            advice = f"models take gigabytes, and {free:.1f} GB are free"
        found = f"{path}, {free:.1f} GB free" + ("" if writable else ", not writable")
        yield Finding("disk", name, WARNING if advice else GOOD, found, advice)


def hub() -> Iterator[Finding]:
    """Whether models are fetched; the network is not asked."""
    from huggingface_hub import constants

    from speechxl.models.folders import is_offline

    models = sorted(
        path.name.removeprefix("models--").replace("--", "/") for path in Path(constants.HF_HUB_CACHE).glob("models--*")
    )
    have = f"{len(models)} models in the cache" + (f": {', '.join(models[:5])}" if models else "")
    mode = "offline (HF_HUB_OFFLINE)" if is_offline() else f"asked at {constants.ENDPOINT}"
    yield Finding("hub", "hub", GOOD, f"{mode}; {have}")


def phonology() -> Iterator[Finding]:
    """Inventories of phones."""
    from speechxl.phonology.phoible import open_phoible

    known = open_phoible()
    found = f"{known.folder}" if known else "not installed; speechxl inventory install fetches it"
    yield Finding("phonology", "PHOIBLE", GOOD, found)


def works() -> Iterator[Finding]:
    """A tiny model with random weights, end to end."""
    from speechxl.verbs.doctor_test import run

    for device, seconds in run():
        yield Finding(
            "self-test", f"self-test on {device}", GOOD, f"a model was saved, loaded and transcribed in {seconds:.1f} s"
        )


def _required(extra: str) -> list[Requirement]:
    """Requirements of the package, or of one of its extras alone."""
    chosen = []
    for line in requires("speechxl") or []:
        requirement = Requirement(line)
        always, then = (
            requirement.marker is None or requirement.marker.evaluate({"extra": name}) for name in ("", extra)
        )
        if requirement.name != "speechxl" and (then and not always if extra else always):
            chosen.append(requirement)
    return chosen


def _extras() -> set[str]:
    from importlib.metadata import metadata

    return set(metadata("speechxl").get_all("Provides-Extra") or [])


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return "memory not known"
    return f"{total / 2**30:.0f} GiB of memory"


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
