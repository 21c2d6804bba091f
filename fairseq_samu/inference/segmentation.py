"""Cutting long recordings where they are quiet."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.errors import ConfigError, explain

SAMPLE_RATE = 16_000  # samples a second
HOP_SAMPLES = 160  # 10 ms, one level
PAUSE_LEVELS = 30  # 300 ms: a level is averaged over so much, so that a pause wins over the closure of a consonant
SILENCE_FLOOR = 1e-10  # power, -100 dB of full scale: below that all is equally silent
PAUSE_TOLERANCE = 3.0  # dB above the quietest place that still belong to the same pause
ACTIVE_RANGE = 35.0  # dB below the loudest place of a recording that still count as speech


@dataclass(frozen=True)
class Segment:
    """A part of a recording.

    Attributes:
        start: first sample, at 16 kHz.
        end: sample behind the last.
        active_seconds: how long it is not silent, in seconds.
    """

    start: int
    end: int
    active_seconds: float


def segment_wave(
    wave: NDArray[np.float32], max_seconds: float = 20.0, min_seconds: float = 1.0, search_share: float = 0.5
) -> list[Segment]:
    """Cut a recording into segments of at most ``max_seconds`` that together are the whole recording.

    A recording that is short enough stays whole. From a longer one, segments are cut off from its beginning: each ends
    in the middle of the longest of the quietest pauses in the last ``search_share`` of what it may hold. Quiet is
    measured by the power averaged over 300 ms, which needs no trained detector and no threshold: of continuous speech,
    the quietest place is taken.

    Args:
        wave: (N,) samples at 16 kHz.
        max_seconds: longest segment.
        min_seconds: shortest last segment, as far as ``max_seconds`` allows.
        search_share: share of ``max_seconds`` in which a cut is looked for.

    Returns:
        Segments in order, without gaps; one at least.

    Raises:
        ConfigError: when the limits cannot hold together.
    """
    if not 0.0 < min_seconds <= max_seconds * search_share or not 0.0 < search_share < 1.0:
        rule = "positive, and at most max_seconds * search_share"
        raise ConfigError(explain("segmentation", "min_seconds", rule, min_seconds, "Choose other limits."))
    longest, shortest = int(max_seconds * SAMPLE_RATE), int(min_seconds * SAMPLE_RATE)
    levels = measure_levels(wave)
    smooth = _average(levels, PAUSE_LEVELS)
    cuts = [0]
    while len(wave) - cuts[-1] > longest:
        first = cuts[-1] + int(longest * (1.0 - search_share))
        last = min(cuts[-1] + longest, len(wave) - shortest)
        cuts.append(_quietest(smooth, first, last))
    cuts.append(len(wave))
    active = levels >= levels.max() * 10.0 ** (-ACTIVE_RANGE / 10.0)
    return [Segment(start, end, _active_seconds(active, start, end)) for start, end in pairwise(cuts)]


def _active_seconds(active: NDArray[np.bool_], start: int, end: int) -> float:
    """Add up the levels between two samples that count as speech, in seconds."""
    return float(active[start // HOP_SAMPLES : -(-end // HOP_SAMPLES)].sum()) * HOP_SAMPLES / SAMPLE_RATE


def measure_levels(wave: NDArray[np.float32]) -> NDArray[np.float64]:
    """Measure the mean power of every 10 ms, the last of which may be shorter: (N,) to (ceil(N / 160),)."""
    count = max(1, -(-len(wave) // HOP_SAMPLES))
    squares = np.zeros(count * HOP_SAMPLES)
    squares[: len(wave)] = np.square(wave, dtype=np.float64)
    return np.maximum(squares.reshape(count, HOP_SAMPLES).mean(axis=1), SILENCE_FLOOR)


def _average(levels: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Average over ``width`` neighbours, as many as there are at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(levels)])
    centres = np.arange(len(levels))
    low, high = np.maximum(centres - width // 2, 0), np.minimum(centres + width - width // 2, len(levels))
    return (sums[high] - sums[low]) / (high - low)


def _quietest(smooth: NDArray[np.float64], first: int, last: int) -> int:
    """Find the middle of the longest quietest run of levels between two samples, as a sample."""
    begin, end = -(-first // HOP_SAMPLES), max(last // HOP_SAMPLES, -(-first // HOP_SAMPLES) + 1)
    window = smooth[begin:end]
    quiet = window <= window.min() * 10.0 ** (PAUSE_TOLERANCE / 10.0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    run = int(np.argmax(ends - starts))
    middle = begin + (int(starts[run]) + int(ends[run])) // 2
    return min(max(middle * HOP_SAMPLES, first), last)
