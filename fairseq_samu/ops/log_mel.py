"""Whisper's log-mel spectrogram of unpadded windows, in torch, where the wave is."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SAMPLE_RATE = 16_000  # samples a second
FFT_SAMPLES = 400  # 25 ms
HOP_SAMPLES = 160  # 10 ms
FRAMES_PER_SECOND = SAMPLE_RATE // HOP_SAMPLES  # 100
POWER_FLOOR = 1e-10  # keeps silence out of the logarithm
DYNAMIC_RANGE = 8.0  # decades below the loudest value of a row: 80 dB

# Slaney's mel scale: linear up to 1 kHz, then logarithmic, 27 steps for each factor of 6.4.
LINEAR_HERTZ_PER_MEL = 200.0 / 3.0
BREAK_HERTZ = 1000.0
BREAK_MEL = BREAK_HERTZ / LINEAR_HERTZ_PER_MEL
LOG_STEP = np.log(6.4) / 27.0


def hertz_to_mel(hertz: np.ndarray) -> np.ndarray:
    """Map frequencies in hertz to Slaney's mel scale (float64)."""
    logarithmic = BREAK_MEL + np.log(np.maximum(hertz, BREAK_HERTZ) / BREAK_HERTZ) / LOG_STEP
    return np.where(hertz < BREAK_HERTZ, hertz / LINEAR_HERTZ_PER_MEL, logarithmic)


def mel_to_hertz(mel: np.ndarray) -> np.ndarray:
    """Map values of Slaney's mel scale to hertz (float64)."""
    logarithmic = BREAK_HERTZ * np.exp(LOG_STEP * (np.maximum(mel, BREAK_MEL) - BREAK_MEL))
    return np.where(mel < BREAK_MEL, mel * LINEAR_HERTZ_PER_MEL, logarithmic)


@lru_cache(maxsize=4)
def mel_filterbank(num_mel_bins: int) -> np.ndarray:
    """Compute triangular filters of unit area (Slaney's normalisation) from 0 Hz to half the sampling rate.

    Args:
        num_mel_bins: filters; 80 in the older Whisper models, 128 in large-v3.

    Returns:
        (num_mel_bins, 1 + FFT_SAMPLES // 2) float64.
    """
    frequencies = np.linspace(0.0, SAMPLE_RATE / 2, 1 + FFT_SAMPLES // 2)
    top = hertz_to_mel(np.array(SAMPLE_RATE / 2))
    edges = mel_to_hertz(np.linspace(0.0, float(top), num_mel_bins + 2))
    rising = (frequencies[None, :] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequencies[None, :]) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]


def count_mel_frames(num_samples: Tensor) -> Tensor:
    """Count the 10 ms frames of waves; a wave shorter than one window counts as filled up with zeros.

    Args:
        num_samples: (B,) int64, samples at 16 kHz.

    Returns:
        (B,) int64.
    """
    return num_samples.clamp(min=FFT_SAMPLES) // HOP_SAMPLES


def log_mel_spectrogram(source: Tensor, num_samples: Tensor, num_mel_bins: int = 80) -> Tensor:
    """Compute Whisper's features of every row as if the row stood alone and unpadded.

    Section 2.2 of arXiv:2212.04356, in its published form: 25 ms Hann windows every 10 ms, the wave reflected at
    both of its ends, power, mel filters, logarithm, the 80 dB below the row's maximum, scaled. Computed in float32
    at least, whatever autocast is on.

    Args:
        source: (B, N) wave at 16 kHz in [-1, 1]; what stands behind a row's end is not read.
        num_samples: (B,) int64, samples of each row.
        num_mel_bins: mel filters.

    Returns:
        (B, num_mel_bins, M) with M frames of the longest row; zero behind the end of a row.
    """
    dtype = torch.promote_types(source.dtype, torch.float32)
    with torch.autocast(source.device.type, enabled=False):
        wave = _reflect_ends(source.to(dtype), num_samples)
        window = torch.hann_window(FFT_SAMPLES, dtype=dtype, device=source.device)
        spectrum = torch.stft(wave, FFT_SAMPLES, HOP_SAMPLES, window=window, center=False, return_complex=True)
        frames = count_mel_frames(num_samples)
        # The frame centred on the very end of the wave is left out, as in Whisper.
        size = count_mel_frames(torch.tensor([source.size(1)])).item()
        power = spectrum[..., : int(size)].abs().square().contiguous()
        filters = torch.from_numpy(mel_filterbank(num_mel_bins)).to(source.device, dtype)
        logarithm = (filters @ power).clamp(min=POWER_FLOOR).log10()
        padding = torch.arange(logarithm.size(-1), device=source.device)[None, :] >= frames[:, None]
        loudest = logarithm.masked_fill(padding[:, None, :], -torch.inf).amax(dim=(1, 2), keepdim=True)
        scaled = (torch.maximum(logarithm, loudest - DYNAMIC_RANGE) + 4.0) / 4.0
        return scaled.masked_fill(padding[:, None, :], 0.0)


def _reflect_ends(source: Tensor, num_samples: Tensor) -> Tensor:
    """Mirror half a window at the start and at each row's own end: (B, N) -> (B, max(N, one window) + one window)."""
    half = FFT_SAMPLES // 2
    size = max(FFT_SAMPLES, source.size(1))
    padding = torch.arange(source.size(1), device=source.device)[None, :] >= num_samples[:, None]
    wave = F.pad(source.masked_fill(padding, 0.0), (half, half + size - source.size(1)))
    wave[:, :half] = wave[:, half + 1 : 2 * half + 1].flip(1)
    ends = half + num_samples.clamp(min=FFT_SAMPLES)[:, None]  # first place behind each row
    steps = torch.arange(half, device=source.device)[None, :]
    return wave.scatter(1, ends + steps, wave.gather(1, ends - 2 - steps))
