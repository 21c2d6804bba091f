"""Augmentation: exact lengths, ratios and frequencies; identity where nothing is asked; the generator decides alone."""

import numpy as np
import pytest

from fairseq_samu.data.augmentation import (
    WaveformAugmenter,
    add_noise,
    apply_gain,
    coloured_noise,
    mask_stretches,
    perturb_speed,
    perturbed_length,
)
from fairseq_samu.errors import ConfigError

RATE = 16000
FULL = {"speed_factors": (0.9, 1.0, 1.1), "noise_prob": 0.5, "gain_db": 6.0, "num_masks": 2, "max_mask_seconds": 0.05}


def tone(hertz=1000.0, num_samples=RATE):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(num_samples) / RATE)).astype(np.float32)


def power(wave):
    return float(np.mean(np.square(wave, dtype=np.float64)))


def generator(*seed):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.95, 1.05, 1.1, 1.25, 2.0, 1.0123456])
def test_speed_moves_length_and_pitch_by_the_factor(factor):
    fast = perturb_speed(tone(), factor)
    assert fast.dtype == np.float32 and len(fast) == perturbed_length(RATE, factor) == int(RATE / factor + 0.5)
    spectrum = np.abs(np.fft.rfft(fast * np.hanning(len(fast))))
    peak = np.argmax(spectrum) * RATE / len(fast)
    assert abs(peak - 1000 * factor) <= RATE / len(fast)
    # Against the formula itself: the same tone at the other pitch, away from the ends.
    expected = tone(1000 * factor, len(fast))
    np.testing.assert_allclose(fast[500:-500], expected[500:-500], atol=2e-3)


@pytest.mark.parametrize("num_samples", [1, 2, 17, 399, 12345])
@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 2.0])
def test_speed_of_short_waves(num_samples, factor):
    wave = perturb_speed(tone(num_samples=num_samples), factor)
    assert len(wave) == perturbed_length(num_samples, factor) >= 1 and np.isfinite(wave).all()


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 10.0, 30.0])
@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_noise_has_the_ratio(snr_db, exponent):
    wave = tone()
    noisy = add_noise(wave, 7 * coloured_noise(RATE, exponent, generator(1)), snr_db)
    assert noisy.dtype == np.float32
    assert abs(10 * np.log10(power(wave) / power(noisy - wave)) - snr_db) < 0.01


def test_colours_fall_as_named():
    low, high = slice(1000, 2000), slice(2000, 4000)  # an octave apart, in bins of 0.125 Hz
    for exponent in (0.0, 1.0, 2.0):
        noise = coloured_noise(8 * RATE, exponent, generator(2))
        spectrum = np.abs(np.fft.rfft(noise)) ** 2
        assert abs(power(noise) - 1) < 1e-3
        assert abs(np.log2(spectrum[low].mean() / spectrum[high].mean()) - exponent) < 0.25


@pytest.mark.parametrize("num_samples", [1, 2, 3])
def test_noise_of_few_samples(num_samples):
    for exponent in (0.0, 1.0):
        noise = coloured_noise(num_samples, exponent, generator(3))
        assert noise.shape == (num_samples,) and np.isfinite(noise).all()


def test_silence_stays_as_it_is():
    silence = np.zeros(800, dtype=np.float32)
    assert add_noise(silence, tone(num_samples=800), 10.0) is silence
    assert add_noise(tone(num_samples=800), silence, 10.0).max() > 0.4


def test_gain():
    np.testing.assert_allclose(apply_gain(tone(), 20.0), 10 * tone(), rtol=1e-6)
    np.testing.assert_allclose(apply_gain(tone(), -6.0206), 0.5 * tone(), rtol=1e-4)
    assert apply_gain(tone(), 6.0).dtype == np.float32


def test_masks_are_bounded():
    wave = np.ones(RATE, dtype=np.float32)
    shares = []
    for seed in range(50):
        masked = mask_stretches(wave, 3, 0.05, generator(seed))
        shares.append(float((masked == 0).mean()))
        assert set(np.unique(masked)) <= {0.0, 1.0} and (masked == 0).sum() <= 3 * 800
    assert 0.03 < np.mean(shares) < 0.12 and (wave == 1).all()
    assert (mask_stretches(wave[:100], 1, 9.0, generator(1)) == 0).sum() <= 10


def test_nothing_asked_changes_nothing():
    wave = tone()
    assert perturb_speed(wave, 1.0) is wave
    assert apply_gain(wave, 0.0) is wave
    assert mask_stretches(wave, 0, 1.0, generator(1)) is wave
    assert mask_stretches(wave[:5], 3, 1.0, generator(1)).tolist() == wave[:5].tolist()
    assert WaveformAugmenter()(wave, generator(1)) is wave


def test_the_generator_decides_alone():
    augment, wave = WaveformAugmenter(**FULL), tone()
    kept = wave.copy()
    np.random.seed(0)
    first = [augment(wave, generator(1, epoch, row)) for epoch in range(3) for row in range(5)]
    np.random.seed(1)
    again = [WaveformAugmenter(**FULL)(wave, generator(1, epoch, row)) for epoch in range(3) for row in range(5)]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len({one.tobytes() for one in first}) == 15
    assert {len(one) for one in first} == {perturbed_length(RATE, factor) for factor in (0.9, 1.0, 1.1)}
    np.testing.assert_array_equal(wave, kept)


def test_effects_do_not_move_each_other():
    wave = tone()
    for seed in range(10):
        speed = WaveformAugmenter(speed_factors=FULL["speed_factors"])(wave, generator(seed))
        both = WaveformAugmenter(speed_factors=FULL["speed_factors"], num_masks=2)(wave, generator(seed))
        kept = both != 0
        np.testing.assert_array_equal(both[kept], speed[kept])


def test_share_of_noisy_waves():
    augment, wave = WaveformAugmenter(noise_prob=0.3, noise_snr_db=(10.0, 10.0)), tone(num_samples=800)
    noisy = sum(augment(wave, generator(seed)) is not wave for seed in range(1000))
    assert 250 < noisy < 350


@pytest.mark.parametrize(
    "setting",
    [{"speed_factors": ()}, {"speed_factors": (0.1,)}, {"speed_factors": (float("nan"),)}, {"noise_prob": 1.5},
     {"noise_snr_db": (20.0, 10.0)}, {"noise_exponents": ()}, {"noise_exponents": (-1.0,)}, {"gain_db": -1.0},
     {"num_masks": -1}, {"max_mask_seconds": float("nan")}],
)  # fmt: skip
def test_settings_out_of_range(setting):
    with pytest.raises(ConfigError, match=f"`{next(iter(setting))}` must be"):
        WaveformAugmenter(**setting)


def test_all_faulty_settings_at_once():
    with pytest.raises(ConfigError) as caught:
        WaveformAugmenter(noise_prob=2.0, gain_db=-1.0, num_masks=-1)
    assert len(str(caught.value).split("\n")) == 3
