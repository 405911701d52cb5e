"""Damaged files for every parser: each gives rows, a report or an error that names it; never a traceback, a hang, a stray file.

``python -m tests.fuzz --files 2000`` runs all of them with fixed seeds, ``--parser elan --first 17 --files 1`` repeats one.
"""

import argparse
import gzip
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import pyarrow.parquet

from speechxl.data.audio import probe
from speechxl.data.manifest import scan_manifest
from speechxl.decoding.annotations import elan, praat_beside
from speechxl.decoding.intervals import Interval
from speechxl.errors import InputError
from speechxl.verbs.export import export
from speechxl.verbs.prepare import prepare
from tests.data.corpora.annotated import write_eaf, write_textgrid, write_tone

_HANG_S = 20
_TOKENS = [
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80", b"\r", b"\n", b"\n\n", b"\t", b" ", b'"', b'""', b"'", b"\\",
    b"<", b">", b"&", b"]]>", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"<!--", b"&#0;", b"&#xD800;", b"{", b"[", b"}", b"]", b",",
    b":", b"|", b"../../evil", b"/etc/passwd", b"file:///etc/passwd", b"file://[", b"C:\\x\\y.wav", b"%00", b"%zz",
    b"nan", b"inf", b"-inf", b"-1", b"0", b"1e400", b"99999999999999999999", b"1e15", b"0.0000001", b"-0", b"1_0", b"0x10",
    b"\xe2\x80\xa8", b"\x85", b"\x1c", b"\xd9\xa3", b"\xc2\xb2", b"\\ud800", b"\\u0000", b"null", b"true", b"{}", b"[]",
    b"A" * 5_000, b"[" * 5_000, b"<a>" * 300, b"1" * 5_000, b"-->", b"00:00:01,000",
]  # fmt: skip
"""What parsers trip over."""


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A file with one to six faults."""
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        at, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
        near = min(len(data), at + rng.randrange(1, 20))
        match rng.randrange(9):
            case 0:
                data = data[:at]
            case 1:
                data = data[:at] + data[near:]
            case 2:
                data = data[:at] + bytes(rng.randrange(256) for _ in range(near - at)) + data[near:]
            case 3 | 4:
                data = data[:at] + rng.choice(_TOKENS) + data[at:]
            case 5:
                data = data[:at] + rng.choice(_TOKENS) + data[near:]
            case 6:
                data = data[:at] + data[at:end] * 2 + data[end:]
            case 7:
                lines = data.split(b"\n")
                rng.shuffle(lines)
                data = b"\n".join(lines)
            case 8:
                number = [place for place, byte in enumerate(data) if 48 <= byte <= 57]
                place = rng.choice(number) if number else at
                data = data[:place] + rng.choice(_TOKENS) + data[place + 1 :]
    return data[:2_000_000]


@dataclass(frozen=True)
class Parser:
    """A parser with a good corpus."""

    make: Callable[[Path], object]
    """Makes the corpus in a folder."""
    file: str
    """What is damaged; of several, separated by spaces, one at a time."""
    run: Callable[[Path, Path], object]
    """Reads the folder, writes below another one."""


def _text(*files: tuple[str, str], audio: tuple[str, ...] = ("a.wav",)) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name in audio:
            write_tone(folder / name, 1.0)
        for name, text in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            data = text.encode()
            (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)

    return make


def _prepared(kind: str, source: str = ".", **options: object) -> Callable[[Path, Path], object]:
    return lambda folder, out: prepare(kind, folder / source, out / "m.tsv", overwrite=True, **options)  # type: ignore[arg-type]


def _packed(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        audio = {"bytes": write_tone(folder / "a.wav", 0.2).read_bytes(), "path": "a.wav"}
        row = {"audio": audio, "transcription": "a", "raw_transcription": "A", "id": 3, "gender": "MALE"}
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row, row]), folder / name)

    return make


def _annotated(folder: Path) -> None:
    write_tone(folder / "a.wav", 4.0)
    write_eaf(folder / "a.eaf")
    write_textgrid(folder / "a.TextGrid")


_WORDS = [Interval("ñan", 100, 400, 0.9), Interval("rin", 500, 700, 0.8)]
_RECORDING = {
    "id": "r", "sources": [{"type": "file", "channels": [0], "source": "a.wav"}], "sampling_rate": 16000,
    "num_samples": 16000, "duration": 1.0,
}  # fmt: skip
_SUPERVISION = {
    "id": "s",
    "recording_id": "r",
    "start": 0.0,
    "duration": 0.5,
    "channel": 0,
    "text": "a",
    "custom": {"x": 1},
}
_CUT = {
    "id": "c", "start": 0.2, "duration": 0.5, "channel": 0, "supervisions": [_SUPERVISION], "recording": _RECORDING,
    "type": "MonoCut",
}  # fmt: skip
_NEMO = '{"audio_filepath": "a.wav", "offset": 0.1, "duration": 0.5, "text": "a b", "lang": "sw", "speaker": "x"}\n'
_SRT = "1\n00:00:00,100 --> 00:00:00,500\n<i>one</i>\n\n2\n00:00:00,500 --> 00:00:00,900\ntwo\n"
_CV = "client_id\tpath\tsentence\tlocale\nabc\ta.wav\tone\tsw\ndef\tb.wav\ttwo\tsw\n"
_BABEL = "BABEL_OP2_202_10184_20131114_213042_inLine"

PARSERS = {
    "elan": Parser(_annotated, "a.eaf", _prepared("elan", tier=["*"])),
    "elan_alone": Parser(_annotated, "a.eaf", _prepared("elan", "a.eaf", tier=["tx@*"])),
    "elan_beside": Parser(_annotated, "a.eaf", lambda f, o: elan(_WORDS, "words", f / "a.wav", o, f / "a.eaf")),
    "textgrid": Parser(_annotated, "a.TextGrid", _prepared("textgrid", tier=["*"])),
    "textgrid_beside": Parser(
        _annotated, "a.TextGrid", lambda f, o: praat_beside(_WORDS, "words", 4.0, f / "a.TextGrid")
    ),
    "srt": Parser(_text(("a.sw.srt", _SRT)), "a.sw.srt", _prepared("subtitles")),
    "vtt": Parser(_text(("a.vtt", "WEBVTT\n\n" + _SRT.replace(",", "."))), "a.vtt", _prepared("subtitles")),
    "segments": Parser(
        _text(("a.txt", "start\tend\ttext\n0.1\t0.5\tone\n0.5\t0.9\ttwo\n")), "a.txt", _prepared("segments")
    ),
    "folder": Parser(_text(("a.txt", "one two\n")), "a.txt a.wav", _prepared("folder")),
    "wav": Parser(_text(), "a.wav", lambda f, o: probe(f / "a.wav")),
    "csv": Parser(
        _text(("t.csv", 'path,text,start,end,age\na.wav,"one, two",0.1,0.5,3\na.wav,three,,,\n')),
        "t.csv", _prepared("csv", "t.csv"),
    ),
    "manifest": Parser(
        _text(("m.tsv", "path\tduration_s\tlanguage\ttext\tid\tstart_s\na.wav\t0.5\tswh\tone\tx\t0.1\na.wav\t1.0\t\ttwo\ty\t\n")),
        "m.tsv", lambda f, o: (scan_manifest(f / "m.tsv"), export("nemo", str(f / "m.tsv"), o / "n.json", overwrite=True)),
    ),
    "manifest_json": Parser(_text(("m.jsonl", _NEMO * 2)), "m.jsonl", lambda f, o: scan_manifest(f / "m.jsonl")),
    "nemo": Parser(_text(("m.json", _NEMO + _NEMO.replace("0.1", "0.2"))), "m.json", _prepared("nemo", "m.json")),
    "lhotse": Parser(_text(("cuts.jsonl", json.dumps(_CUT) + "\n")), "cuts.jsonl", _prepared("lhotse")),
    "lhotse_packed": Parser(_text(("cuts.jsonl.gz", json.dumps(_CUT) + "\n")), "cuts.jsonl.gz", _prepared("lhotse")),
    "lhotse_pair": Parser(
        _text(("recordings.jsonl", json.dumps(_RECORDING) + "\n"), ("supervisions.jsonl", json.dumps(_SUPERVISION) + "\n")),
        "recordings.jsonl supervisions.jsonl", _prepared("lhotse"),
    ),
    "kaldi": Parser(
        _text(
            ("wav.scp", "r a.wav\nq a.wav\n"), ("segments", "u r 0.1 0.5\nv q 0 -1\n"), ("text", "u one\nv two\n"),
            ("utt2spk", "u x\nv y\n"), ("utt2lang", "u sw\nv swh\n"),
        ),
        "wav.scp segments text utt2spk utt2lang", _prepared("kaldi"),
    ),
    "audiofolder": Parser(
        _text(("train/metadata.csv", "file_name,text\na.wav,one\n"), audio=("train/a.wav",)), "train/metadata.csv",
        _prepared("audiofolder"),
    ),
    "audiofolder_json": Parser(
        _text(("metadata.jsonl", '{"file_name": "a.wav", "text": "one", "x": [1]}\n')), "metadata.jsonl", _prepared("audiofolder")
    ),
    "hub": Parser(_packed("train-00000-of-00001.parquet"), "train-00000-of-00001.parquet", _prepared("hub")),
    "fleurs_packed": Parser(_packed("sw_ke/train.parquet"), "sw_ke/train.parquet", _prepared("fleurs")),
    "fleurs": Parser(
        _text(("sw_ke/train.tsv", "1\ta.wav\tA b.\ta b\ta | b |\t16000\tMALE\n"), audio=("sw_ke/audio/train/a.wav",)),
        "sw_ke/train.tsv", _prepared("fleurs"),
    ),
    "common_voice": Parser(
        _text(
            ("sw/train.tsv", _CV), ("sw/clip_durations.tsv", "clip\tduration[ms]\na.wav\t1000\n"),
            audio=("sw/clips/a.wav", "sw/clips/b.wav"),
        ),
        "sw/train.tsv sw/clip_durations.tsv", _prepared("common_voice"),
    ),
    "librispeech": Parser(
        _text(("train-clean-5/1/2/1-2.trans.txt", "1-2-0 ONE\n1-2-1 TWO\n"), audio=("train-clean-5/1/2/1-2-0.wav",)),
        "train-clean-5/1/2/1-2.trans.txt", _prepared("librispeech"),
    ),
    "mls": Parser(
        _text(("mls_polish/train/transcripts.txt", "1_2_0\tjeden\n"), audio=("mls_polish/train/audio/1/2/1_2_0.wav",)),
        "mls_polish/train/transcripts.txt", _prepared("librispeech"),
    ),
    "voxpopuli": Parser(
        _text(
            ("transcribed_data/pl/asr_dev.tsv", "id\traw_text\tnormalized_text\tspeaker_id\tsplit\n2017x\tA\ta\t1\tdev\n"),
            audio=("transcribed_data/pl/2017/2017x.ogg",),
        ),
        "transcribed_data/pl/asr_dev.tsv", _prepared("voxpopuli"),
    ),
    "babel": Parser(
        _text(
            (f"training/transcription/{_BABEL}.txt", "[0.0]\na <hes>\n[0.5]\nb\n[0.9]\n"),
            audio=(f"training/audio/{_BABEL}.wav",),
        ),
        f"training/transcription/{_BABEL}.txt", _prepared("babel"),
    ),
    "ucla": Parser(_text(("abk/text.txt", "x a d͡ʒ\ny b\n"), audio=("abk/audio/x.wav",)), "abk/text.txt", _prepared("ucla")),
    "voxangeles": Parser(_annotated, "a.TextGrid", _prepared("voxangeles")),
}  # fmt: skip


class _HangError(BaseException):
    pass


def run(name: str, files: int, first: int = 0, *, seed: int = 0) -> dict[str, object]:
    """What became of damaged files.

    Args:
        name: Of a parser.
        files: How many.
        first: Number of the first of them.
        seed: Of all.

    Returns:
        Counts, and what is wrong: number of the file with the traceback, or with what was written where.
    """
    parser = PARSERS[name]
    found: Counter[str] = Counter()
    crashes: list[str] = []

    def hang(*_: object) -> None:
        raise _HangError

    alarm = signal.alarm if threading.current_thread() is threading.main_thread() else lambda _: 0
    if alarm is signal.alarm:
        signal.signal(signal.SIGALRM, hang)
    with tempfile.TemporaryDirectory(prefix="fuzz") as place:
        folder, out = Path(place) / "deep" / "in", Path(place) / "deep" / "out"
        folder.mkdir(parents=True)
        parser.make(folder)
        good = {path: path.read_bytes() for path in map(folder.joinpath, parser.file.split())}
        parser.run(folder, out)
        standing = {path for path in Path(place).rglob("*") if not path.is_relative_to(out)}
        for number in range(first, first + files):
            rng = random.Random(f"{seed} {name} {number}")
            path = rng.choice(list(good))
            path.write_bytes(mutated(good[path], rng))
            alarm(_HANG_S)
            try:
                parser.run(folder, out)
                found["read"] += 1
            except InputError as error:
                found["refused"] += 1
                if place not in str(error):
                    crashes.append(f"{number}: the message names no file: {error}")
            except _HangError:
                crashes.append(f"{number}: takes more than {_HANG_S} s")
            except Exception:
                crashes.append(f"{number}: {traceback.format_exc()}")
            alarm(0)
            if stray := {path for path in Path(place).rglob("*") if not path.is_relative_to(out)} - standing:
                crashes.append(f"{number}: wrote {stray}")
                standing |= stray
            path.write_bytes(good[path])
            shutil.rmtree(out, ignore_errors=True)
    return {"files": files, **found, "crashes": crashes}


def main() -> int:
    """Runs parsers, each in a process of its own, so that one that dies is noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parser", choices=PARSERS)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    settings = parser.parse_args()
    if settings.parser:
        result = run(settings.parser, settings.files, settings.first)
        print(json.dumps(result))
        return bool(result["crashes"])
    worst = 0
    for name in PARSERS:
        command = [sys.executable, "-m", "tests.fuzz", "--parser", name, "--files", str(settings.files)]
        done = subprocess.run([*command, "--first", str(settings.first)], capture_output=True, text=True)
        print(json.dumps({"parser": name, "code": done.returncode, **json.loads(done.stdout or "{}")}), flush=True)
        if done.returncode not in (0, 1) or not done.stdout:
            print(done.stderr[-2000:], file=sys.stderr)
        worst = max(worst, abs(done.returncode))
    return worst


if __name__ == "__main__":
    sys.exit(main())
