"""A clean corpus, and one with a fault of every class."""

from dataclasses import replace

import numpy as np
import soundfile

from speechxl.data.checks.corpus import check
from speechxl.data.checks.texts import Symbols
from speechxl.models.frames import FrameGeometry, frames_needed
from speechxl.shapes import Utterance

RATE = 16_000
LETTERS = "abdelmnosu"


def noise(seconds, seed, level=0.1, rate=RATE):
    """White noise that swells and fades, without silence."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    return (level * (1.2 + np.sin(6 * time)) * rng.normal(size=len(time)) / 2).astype(np.float32)


def clean_corpus(folder, rows=48):
    """Rows whose texts differ and are as long as their recordings say, twelve speakers, three splits."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    utterances = []
    for number in range(rows):
        words = ["".join(rng.choice(list(LETTERS), 4)) for _ in range(3 + number % 9)]
        seconds = 0.3 + 0.3 * len(words)
        path = folder / f"u{number:02d}.wav"
        soundfile.write(path, noise(seconds, number), RATE)
        speaker = number % 12
        utterances.append(
            Utterance(
                path, path.name, duration=seconds, language="swh", speaker=f"s{speaker}", origin=f"m.tsv:{number + 2}",
                split="train" if speaker < 8 else "dev" if speaker < 10 else "test", text=" ".join(words),
            )
        )  # fmt: skip
    return utterances


def write(path, samples, rate=RATE, **options):
    soundfile.write(path, samples, rate, **options)
    return path


def telephone(seconds, seed):
    """Speech-band noise, as 8 kHz recordings have when they are converted to 16 kHz."""
    samples = noise(seconds, seed)
    spectrum = np.fft.rfft(samples)
    spectrum[int(len(spectrum) / 2) :] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def seed_faults(rows, folder):
    """Gives a row a fault of each class, and says which classes belong to which row."""
    new = {}

    def fault(number, kind, *, audio=None, **changes):
        if audio is not None:
            changes["path"] = audio
            changes.setdefault("duration", soundfile.info(audio).duration if audio.stat().st_size > 100 else 1.0)
        rows[number] = replace(rows[number], **changes)
        new.setdefault(kind, set()).add(rows[number].id)

    fault(0, "missing", path=folder / "nowhere.wav")
    (folder / "text.wav").write_text("not audio")
    fault(1, "unreadable", path=folder / "text.wav")
    (folder / "empty.wav").write_bytes(b"")
    fault(2, "empty_audio", path=folder / "empty.wav")
    fault(3, "silent", audio=write(folder / "silent.wav", np.zeros(int(rows[3].seconds * RATE))))
    broken = noise(rows[4].seconds, 4)
    broken[700] = np.nan
    fault(4, "not_finite", audio=write(folder / "nan.wav", broken, subtype="FLOAT"))
    fault(5, "beyond_end", start=rows[5].seconds - 0.5, duration=0.7, text="abe")
    fault(6, "empty_text", text="  ")
    fault(7, "unknown_symbol", text=rows[7].text[:-1] + "ж")
    fault(8, "too_short", text="a" * 100)
    fault(9, "unknown_language", language="sw")
    fault(11, "language_not_in_model", language="quy")
    fault(12, "duplicate", audio=write(folder / "copy.flac", soundfile.read(rows[21].path)[0]))
    new["duplicate"] = {rows[21].id}  # the later of the two
    fault(13, "very_short", audio=write(folder / "click.wav", noise(0.08, 1)), text="a")
    loud = np.clip(noise(rows[15].seconds, 15) * 8, -1, 1)
    fault(15, "clipped", audio=write(folder / "loud.wav", loud))
    fault(16, "quiet", audio=write(folder / "quiet.wav", noise(rows[16].seconds, 16, 0.003)))
    fault(17, "dc_offset", audio=write(folder / "offset.wav", noise(rows[17].seconds, 17) + 0.1))
    gap = noise(rows[18].seconds, 18)
    gap[int(0.15 * len(gap)) :] = 0
    fault(18, "mostly_silence", audio=write(folder / "gap.wav", gap))
    fault(19, "band_limited", audio=write(folder / "telephone.wav", telephone(rows[19].seconds, 19)))
    fault(20, "mixed_rates", audio=write(folder / "fast.wav", noise(rows[20].seconds, 20, rate=22_050), 22_050))
    stereo = np.stack([noise(rows[22].seconds, 22), noise(rows[22].seconds, 23)], axis=1)
    fault(22, "mixed_channels", audio=write(folder / "stereo.wav", stereo))
    fault(23, "digits", text=f"{rows[23].text} 12")
    fault(24, "tags", text=f"{rows[24].text} <unk>")
    fault(25, "mixed_case", text=rows[25].text.title())
    fault(26, "no_speaker", speaker="")
    fault(27, "odd_rate", audio=write(folder / "long.wav", noise(12, 27)), text="ab")
    new["odd_rate"].add(rows[13].id)  # a click is less than any letter takes
    fault(
        14,
        "very_long",
        audio=write(folder / "endless.wav", noise(31, 14, rate=16_000)),
        text=" ".join(rows[14].text.split() * 22),
    )
    fault(34, "duplicate_text", text=rows[28].text)  # u34 is in test, u28 in train
    fault(33, "speaker_in_splits", speaker="s5")  # in dev; the first row of the speaker is named
    new["speaker_in_splits"] = {rows[5].id}
    fault(35, "retired_language", language="ajp")
    fault(36, "macrolanguage", language="que")
    return new


SYMBOLS = Symbols(
    "text", "the vocabulary", lambda text, _: list(text), lambda symbols, _: [x for x in symbols if x == "ж"]
)
KNOWN = {"swh", "ajp", "que"}


def findings(rows, *, decode=True, symbols=SYMBOLS, languages=KNOWN, **options):
    return list(
        check(
            rows, decode=decode, frames=FrameGeometry().num_frames, frames_needed=frames_needed, symbols=symbols,
            languages=languages, **options,
        )
    )  # fmt: skip


def found(rows, **options):
    """Ids by class."""
    result = {}
    for item in findings(rows, **options):
        result.setdefault(item.kind, set()).add(item.id)
    return result
