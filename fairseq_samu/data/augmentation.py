"""Augmentation of waveforms for training: speed, noise, gain and masked stretches.

Every function takes 16 kHz mono float32 and draws from the generator it is given and from nothing else, so a row's
augmentation depends only on what that generator was seeded from (seed, epoch and row). Whether a wave is augmented at
all is the caller's decision; only training does.
"""

from collections.abc import Sequence

import numpy as np

from fairseq_samu.data.audio import SAMPLE_RATE
from fairseq_samu.errors import ConfigError, explain, report_all

SPEEDS = (0.5, 2.0)
"""Slowest and fastest factor: beyond them speech is no longer speech."""


def perturbed_length(num_samples: int, factor: float) -> int:
    """Length after ``perturb_speed``: ``num_samples / factor``, rounded half up, at least 1."""
    return max(1, int(np.floor(num_samples / factor + 0.5)))


def perturb_speed(wave: np.ndarray, factor: float) -> np.ndarray:
    """Play a wave faster or slower, so that tempo and pitch change together (Ko et al., Interspeech 2015).

    Resampling as if the wave had been recorded at ``factor`` times its rate; what ``sox speed`` and Kaldi's recipes do.

    Args:
        wave: samples (N,) float32.
        factor: 1.1 is a tenth faster, with every frequency a tenth higher; 1.0 returns the wave itself.

    Returns:
        Samples (``perturbed_length(N, factor)``,) float32.
    """
    import soxr

    if factor == 1.0:
        return wave
    length = perturbed_length(len(wave), factor)
    fast = soxr.resample(wave, SAMPLE_RATE * factor, SAMPLE_RATE)
    # The rate is irrational to soxr, so that its length may be off by one.
    return np.ascontiguousarray(np.pad(fast[:length], (0, max(0, length - len(fast)))))


def coloured_noise(num_samples: int, exponent: float, rng: np.random.Generator) -> np.ndarray:
    """Draw Gaussian noise whose power falls with frequency as ``f ** -exponent``.

    Args:
        num_samples: N.
        exponent: 0 white, 1 pink, 2 brown.
        rng: where the draws come from.

    Returns:
        Noise (N,) float32 of mean power 1.
    """
    if exponent == 0.0:
        noise = rng.standard_normal(num_samples, dtype=np.float32)
    else:
        bins = num_samples // 2 + 1
        spectrum = rng.standard_normal(bins) + 1j * rng.standard_normal(bins)
        # Bin 0 would be infinite; a constant offset is no sound.
        spectrum[1:] *= np.arange(1, bins) ** (-exponent / 2)
        spectrum[0] = 0.0
        noise = np.fft.irfft(spectrum, n=num_samples).astype(np.float32)
    power = float(np.mean(np.square(noise, dtype=np.float64)))
    return noise / np.float32(np.sqrt(power)) if power > 0 else noise


def add_noise(wave: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise, scaled to a signal-to-noise ratio over the whole wave.

    Args:
        wave: samples (N,) float32.
        noise: samples (N,) float32 of any power.
        snr_db: decibels by which the wave's mean power exceeds the noise's.

    Returns:
        Samples (N,) float32; the wave itself where one of the two is silent.
    """
    signal_power = float(np.mean(np.square(wave, dtype=np.float64)))
    noise_power = float(np.mean(np.square(noise, dtype=np.float64)))
    if signal_power == 0.0 or noise_power == 0.0:
        return wave
    scale = np.sqrt(signal_power / noise_power * 10 ** (-snr_db / 10))
    return wave + noise * np.float32(scale)


def apply_gain(wave: np.ndarray, gain_db: float) -> np.ndarray:
    """Make a wave louder or softer by ``gain_db`` decibels; 0 returns the wave itself."""
    return wave if gain_db == 0.0 else wave * np.float32(10 ** (gain_db / 20))


def mask_stretches(wave: np.ndarray, count: int, max_seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Silence a few stretches at random places, so that a model cannot lean on any single word.

    Args:
        wave: samples (N,) float32.
        count: number of stretches; they may overlap.
        max_seconds: each is uniformly 0 to this long, and never longer than a tenth of the wave.
        rng: where the draws come from.

    Returns:
        Samples (N,) float32; the wave itself where nothing is to be masked.
    """
    longest = min(int(max_seconds * SAMPLE_RATE), len(wave) // 10)
    if count == 0 or longest == 0:
        return wave
    masked = wave.copy()
    for _ in range(count):
        length = int(rng.integers(0, longest + 1))
        start = int(rng.integers(0, len(wave) - length + 1))
        masked[start : start + length] = 0.0
    return masked


class WaveformAugmenter:
    """Augments a wave: speed, then noise, gain and masking, each drawn from the generator of the call.

    All defaults together change nothing. Each effect has draws of its own: changing one setting leaves the others
    of a row as they were.

    Args:
        speed_factors: one of these is drawn for each wave; ``(0.9, 1.0, 1.1)`` is the usual three-fold perturbation.
        noise_prob: share of the waves that get noise.
        noise_snr_db: lowest and highest signal-to-noise ratio, decibels; uniform between.
        noise_exponents: one of these colours is drawn for each wave (0 white, 1 pink, 2 brown).
        gain_db: the level moves by uniformly up to this many decibels either way.
        num_masks: stretches to silence in each wave.
        max_mask_seconds: longest stretch.

    Raises:
        ConfigError: a setting is out of range; all of them in one report.
    """

    def __init__(
        self,
        speed_factors: Sequence[float] = (1.0,),
        noise_prob: float = 0.0,
        noise_snr_db: tuple[float, float] = (10.0, 30.0),
        noise_exponents: Sequence[float] = (0.0, 1.0, 2.0),
        gain_db: float = 0.0,
        num_masks: int = 0,
        max_mask_seconds: float = 0.1,
    ) -> None:
        self.speed_factors = tuple(speed_factors)
        self.noise_prob = noise_prob
        self.noise_snr_db = noise_snr_db
        self.noise_exponents = tuple(noise_exponents)
        self.gain_db = gain_db
        self.num_masks = num_masks
        self.max_mask_seconds = max_mask_seconds
        self._validate()

    def _validate(self) -> None:
        low, high = SPEEDS
        snr = self.noise_snr_db
        rules = (
            ("speed_factors", f"one or more numbers from {low} to {high}", self.speed_factors,
             bool(self.speed_factors) and all(low <= factor <= high for factor in self.speed_factors)),
            ("noise_prob", "from 0 to 1", self.noise_prob, 0 <= self.noise_prob <= 1),
            ("noise_snr_db", "a lowest and a highest ratio", snr, len(snr) == 2 and snr[0] <= snr[-1]),
            ("noise_exponents", "one or more numbers from 0 to 2", self.noise_exponents,
             bool(self.noise_exponents) and all(0 <= exponent <= 2 for exponent in self.noise_exponents)),
            ("gain_db", "from 0 to 40", self.gain_db, 0 <= self.gain_db <= 40),
            ("num_masks", "0 or more", self.num_masks, self.num_masks >= 0),
            ("max_mask_seconds", "0 or more", self.max_mask_seconds, self.max_mask_seconds >= 0),
        )  # fmt: skip
        faults = [
            explain("", thing, rule, value, "Change the option.") for thing, rule, value, good in rules if not good
        ]
        if faults:
            raise ConfigError(report_all(faults))

    def __call__(self, wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Augment one wave.

        Args:
            wave: samples (N,) float32; not changed.
            rng: seeded by the caller from (seed, epoch, row).

        Returns:
            Samples (N',) float32, N' = ``perturbed_length(N, factor)`` of the factor that was drawn.
        """
        speed, noise, gain, masks = (np.random.default_rng(seed) for seed in rng.integers(0, 2**63, size=(4, 2)))
        wave = perturb_speed(wave, self.speed_factors[int(speed.integers(len(self.speed_factors)))])
        if noise.random() < self.noise_prob:
            exponent = self.noise_exponents[int(noise.integers(len(self.noise_exponents)))]
            snr = float(noise.uniform(self.noise_snr_db[0], self.noise_snr_db[1]))
            wave = add_noise(wave, coloured_noise(len(wave), exponent, noise), snr)
        if self.gain_db:
            wave = apply_gain(wave, float(gain.uniform(-self.gain_db, self.gain_db)))
        return mask_stretches(wave, self.num_masks, self.max_mask_seconds, masks)
