"""Draws ``phones.svg``: ``phones.py MODEL AUDIO LANGUAGE OUT``, a spectrogram and the phones that are found in it."""

import sys

import matplotlib
import numpy as np
from scipy.signal import spectrogram

from speechxl import load
from speechxl.data.audio import read_audio

matplotlib.use("svg")
import matplotlib.pyplot as plt

model, audio, language, out = sys.argv[1:]
plt.rcParams |= {"svg.hashsalt": "speechxl", "font.size": 11, "font.family": "DejaVu Sans"}
samples = read_audio(audio)
result = load(model).transcribe(audio, language=language)
frequencies, times, power = spectrogram(samples, 16_000, nperseg=320, noverlap=240, nfft=1024)
figure, axis = plt.subplots(figsize=(9, 2.6), layout="constrained")
shown = 10 * np.log10(power[frequencies <= 6000] + 1e-10)
axis.imshow(shown, origin="lower", aspect="auto", extent=(0, times[-1], 0, 6), cmap="Greys", vmin=shown.max() - 60)
for phone in result.phones:
    axis.axvline(phone.start, color="tab:blue", lw=0.8)
    axis.text((phone.start + phone.end) / 2, 6.2, phone.text, ha="center", color="tab:blue", fontsize=14)
axis.set(xlabel="seconds", ylabel="kHz", xlim=(0, times[-1]))
axis.spines[["top", "right"]].set_visible(False)
figure.savefig(out, metadata={"Date": None})
