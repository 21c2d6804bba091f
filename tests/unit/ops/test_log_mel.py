import math

import numpy as np
import pytest
import torch

from fairseq_samu.ops.log_mel import count_mel_frames, hertz_to_mel, log_mel_spectrogram, mel_filterbank, mel_to_hertz


def log_mel_oracle(wave: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """One row, window by window, with a Fourier sum written out."""
    padded = np.concatenate([wave[200:0:-1], wave, wave[-2:-202:-1]])
    window = np.array([0.5 - 0.5 * math.cos(2 * math.pi * n / 400) for n in range(400)])
    fourier = np.exp(-2j * np.pi * np.outer(np.arange(201), np.arange(400)) / 400)
    columns = []
    for frame in range(len(wave) // 160):
        piece = padded[frame * 160 : frame * 160 + 400] * window
        power = np.abs(fourier @ piece) ** 2
        columns.append(np.log10(np.maximum(filters @ power, 1e-10)))
    mel = np.stack(columns, axis=1)
    return (np.maximum(mel, mel.max() - 8.0) + 4.0) / 4.0


def test_matches_readable_oracle():
    wave = np.random.default_rng(0).normal(size=1777) * 0.1
    ours = log_mel_spectrogram(torch.from_numpy(wave)[None], torch.tensor([1777]))[0].numpy()
    np.testing.assert_allclose(ours, log_mel_oracle(wave, mel_filterbank(80)), atol=1e-10)


def test_mel_scale_by_hand():
    assert hertz_to_mel(np.array([0.0, 500.0, 1000.0, 6400.0])).tolist() == pytest.approx([0.0, 7.5, 15.0, 42.0])
    frequencies = np.array([20.0, 999.0, 1000.0, 4321.0])
    np.testing.assert_allclose(mel_to_hertz(hertz_to_mel(frequencies)), frequencies)


@pytest.mark.parametrize("bins", [80, 128])
def test_filters_equal_those_of_transformers(bins):
    audio_utils = pytest.importorskip("transformers.audio_utils")
    theirs = audio_utils.mel_filter_bank(201, bins, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")
    np.testing.assert_allclose(mel_filterbank(bins), theirs.T, atol=1e-12)


@pytest.mark.parametrize("samples", [16000, 16159, 403])
def test_equals_the_extractor_of_transformers_on_unpadded_waves(samples):
    transformers = pytest.importorskip("transformers")
    wave = np.random.default_rng(1).normal(size=samples).astype(np.float32) * 0.1
    extractor = transformers.WhisperFeatureExtractor()
    theirs = extractor(wave, sampling_rate=16000, padding="do_not_pad", return_tensors="pt").input_features
    ours = log_mel_spectrogram(torch.from_numpy(wave)[None], torch.tensor([samples]))
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() < 2e-6


def test_padded_rows_equal_single_rows_whatever_stands_in_the_padding():
    generator = torch.Generator().manual_seed(0)
    lengths = [5000, 4840, 2000, 401, 400, 120]
    batch = torch.full((6, 5000), 9.0, dtype=torch.float64)
    for row, length in enumerate(lengths):
        # Loudness differs: a clamp at the loudest row's maximum would show.
        batch[row, :length] = torch.randn(length, generator=generator, dtype=torch.float64) * 10.0 ** (-row)
    together = log_mel_spectrogram(batch, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        alone = log_mel_spectrogram(batch[row : row + 1, :length], torch.tensor([length]))[0]
        frames = int(count_mel_frames(torch.tensor([length])))
        assert alone.shape[1] == frames
        assert (together[row, :, :frames] - alone).abs().max() < 1e-12
        assert not together[row, :, frames:].any()


def test_half_precision_and_autocast_do_not_lower_precision():
    wave = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0)).half()
    exact = log_mel_spectrogram(wave.float(), torch.tensor([4000]))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(log_mel_spectrogram(wave, torch.tensor([4000])), exact)


def test_silence_is_finite():
    assert log_mel_spectrogram(torch.zeros(1, 800), torch.tensor([800])).isfinite().all()
