"""Utterances out of recorded prompts: cut to the speech, joined, and varied so that no two hold the same samples."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.data.augmentation import add_noise, apply_gain, coloured_noise, perturb_speed

SPEED = (0.9, 1.1)
GAIN_DB = (-6.0, 3.0)
GAP_SECONDS = (0.02, 0.12)
PAUSE_SECONDS = (0.25, 0.5)
SNR_DB = (15.0, 30.0)
NOISE_EXPONENTS = (0.0, 1.0, 2.0)
PEAK = 0.99

_FRAME = SAMPLE_RATE // 100
_SILENCE_DB = -40.0  # of a frame against the loudest frame of the recording
_MARGIN_FRAMES = 3  # kept around the speech: soft beginnings and ends lie below the threshold
_FADE = SAMPLE_RATE // 200
_NOISE_STEP = 1 << 12


@dataclass(frozen=True, slots=True)
class Part:
    """One recording of an utterance.

    Args:
        wave: samples (N,) float32, cut to the speech.
        pause: whether a longer pause goes before it.
    """

    wave: np.ndarray
    pause: bool = False


def trim_silence(wave: np.ndarray) -> np.ndarray:
    """Cut the silence at both ends and fade the new ends over 5 ms.

    Speech goes from the first to the last 10 ms whose mean power is within 40 dB of the loudest 10 ms; 30 ms more stay
    at each end.

    Args:
        wave: samples (N,) float32.

    Returns:
        Samples (M,) float32, M at most N; the level is that of the recording.
    """
    count = len(wave) // _FRAME
    if not count:
        return wave
    power = np.square(wave[: count * _FRAME], dtype=np.float64).reshape(count, _FRAME).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (_SILENCE_DB / 10))
    if not len(loud):
        return wave
    start, end = (loud[0] - _MARGIN_FRAMES) * _FRAME, (loud[-1] + 1 + _MARGIN_FRAMES) * _FRAME
    cut = wave[max(0, int(start)) : min(len(wave), int(end))].copy()
    length = min(_FADE, len(cut) // 2)
    ramp = np.linspace(0.0, 1.0, length, endpoint=False, dtype=np.float32)
    cut[:length] *= ramp
    cut[len(cut) - length :] *= ramp[::-1]
    return cut


def speak(parts: Sequence[Part], name: str) -> np.ndarray:
    """Join parts into an utterance and vary it by draws that depend on its name alone.

    Args:
        parts: recordings in order.
        name: row, such as ``fr/folder-69ce7373``.

    Returns:
        Samples (N,) float32 in [-1, 1].
    """
    rng = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()))
    pieces: list[np.ndarray] = []
    for part in parts:
        low, high = PAUSE_SECONDS if part.pause else GAP_SECONDS
        pieces += [np.zeros(round(rng.uniform(low, high) * SAMPLE_RATE), np.float32), part.wave]
    pieces.append(np.zeros(round(rng.uniform(*GAP_SECONDS) * SAMPLE_RATE), np.float32))
    wave = perturb_speed(np.concatenate(pieces), float(rng.uniform(*SPEED)))
    exponent = NOISE_EXPONENTS[int(rng.integers(len(NOISE_EXPONENTS)))]
    snr = float(rng.uniform(*SNR_DB))
    # Of a length whose Fourier transform is fast.
    noise = coloured_noise(len(wave) + -len(wave) % _NOISE_STEP, exponent, rng)[: len(wave)]
    wave = add_noise(wave, noise, snr)
    wave = apply_gain(wave, float(rng.uniform(*GAIN_DB)))
    peak = float(np.abs(wave).max())
    return wave * np.float32(PEAK / peak) if peak > PEAK else wave
