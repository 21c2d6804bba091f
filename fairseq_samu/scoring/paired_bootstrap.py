"""Bootstrap resampling of rows: intervals of a score, and whether a system is better than another (Koehn, 2004)."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np
from numpy.typing import NDArray

NUM_RESAMPLES = 1000
SEED = 12345
"""sacreBLEU's own default, so that its confidence intervals are met to the digit."""


@dataclass(frozen=True)
class Figure:
    """A score, and the same score on resampled rows.

    Attributes:
        score: on the rows as they are.
        samples: (R,) float64 on R resamples of the rows; None where they were not drawn.
    """

    score: float
    samples: Optional[NDArray[np.float64]] = None

    def interval(self) -> Optional[tuple[float, float]]:
        """Ends of the interval that holds 95 % of the resamples; None without resamples."""
        if self.samples is None:
            return None
        ordered = np.sort(self.samples)
        cut = len(ordered) // 40
        return float(ordered[cut]), float(ordered[len(ordered) - cut - 1])

    def shuffled(self, key: str) -> "Figure":
        """The same figure with its resamples in another order, given by ``key``.

        Every data set draws its rows by the same seed; to be averaged, their resamples must be independent.
        """
        if self.samples is None:
            return self
        return Figure(self.score, np.random.default_rng(zlib.crc32(key.encode())).permutation(self.samples))


@dataclass(frozen=True)
class Comparison:
    """A system against a baseline on the same rows.

    Attributes:
        delta: score of the system less that of the baseline.
        interval: ends of the interval that holds 95 % of the resampled deltas.
        p_value: share of resamples whose delta has not the sign of ``delta``; a delta of 0 counts half. About .5 for
            equal systems.
    """

    delta: float
    interval: tuple[float, float]
    p_value: float

    @property
    def two_sided(self) -> float:
        """How surprising a difference of this size would be in either direction: 1 for equal systems."""
        return min(1.0, 2 * self.p_value)


def resample(
    statistics: Sequence[Sequence[float]],
    score_of: Callable[[list[float]], float],
    num_resamples: int = NUM_RESAMPLES,
    seed: int = SEED,
) -> NDArray[np.float64]:
    """Score resampled rows from the sums of their statistics.

    Args:
        statistics: (N, K) of N rows, such as counts of matching n-grams, whose sum determines the score.
        score_of: score of summed statistics.
        num_resamples: R.
        seed: of the drawing; two systems on the same rows with the same seed are resampled alike.

    Returns:
        (R,) float64.
    """
    table = np.asarray(statistics, dtype=np.float64)
    rng = np.random.default_rng(seed)
    scores = np.empty(num_resamples)
    for place in range(num_resamples):
        times = np.bincount(rng.choice(len(table), size=len(table), replace=True), minlength=len(table))
        scores[place] = score_of((times @ table).tolist())
    return scores


def average(figures: Sequence[Figure]) -> Figure:
    """Unweighted mean, resample by resample."""
    score = float(np.mean([figure.score for figure in figures]))
    samples = [figure.samples for figure in figures if figure.samples is not None]
    return Figure(score, np.mean(samples, axis=0) if len(samples) == len(figures) else None)


def subtract(first: Figure, second: Figure) -> Figure:
    """Difference, resample by resample."""
    score = first.score - second.score
    if first.samples is None or second.samples is None:
        return Figure(score)
    return Figure(score, first.samples - second.samples)


def compare(system: Figure, baseline: Figure) -> Optional[Comparison]:
    """Test a system against a baseline whose resamples were drawn alike; None where there are none."""
    difference = subtract(system, baseline)
    interval = difference.interval()
    if interval is None or difference.samples is None:
        return None
    sign = 1.0 if difference.score >= 0 else -1.0
    against = np.sum(difference.samples * sign < 0) + 0.5 * np.sum(difference.samples == 0)
    # one more on both sides: a finite number of resamples never proves that nothing can happen
    p_value = (float(against) + 1) / (len(difference.samples) + 1)
    return Comparison(difference.score, interval, min(1.0, p_value))
