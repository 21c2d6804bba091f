"""Which frames of an utterance its CTC labels stand on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def align_labels(
    log_probs: NDArray[np.float64], lengths: Sequence[int], labels: Sequence[Integers], blank: int
) -> list[tuple[Integers, Integers]]:
    """Find the most probable path of given labels in each utterance.

    Source: the forward pass of Graves et al. (2006), section 4.1, with maxima in the place of sums.

    Args:
        log_probs: (B, T, V) log-probabilities.
        lengths: frames of each row.
        labels: (U,) labels of each row, which its frames must be enough for.
        blank: label that stands for none.

    Returns:
        For each row the first frame (U,) of each label, and the frame (U,) behind its last.
    """
    batch, frames, _ = log_probs.shape
    longest = max((len(row) for row in labels), default=0)
    # the labels of a row with a blank in front of each and behind the last
    states = np.full((batch, 2 * longest + 1), blank, dtype=np.int64)
    for row, sequence in enumerate(labels):
        states[row, 1 : 2 * len(sequence) : 2] = sequence
    may_skip = np.zeros(states.shape, dtype=bool)
    may_skip[:, 2:] = (states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2])
    best = np.full((batch, states.shape[1] + 2), -np.inf)  # two impossible states in front
    steps = np.zeros((frames, *states.shape), dtype=np.int8)
    ends = np.zeros(batch, dtype=np.int64)
    for frame in range(max(lengths, default=0)):
        scores = np.take_along_axis(log_probs[:, frame], states, 1)
        if frame == 0:
            best[:, 2:4] = scores[:, :2]
        else:
            ways = np.stack([best[:, 2:], best[:, 1:-1], np.where(may_skip, best[:, :-2], -np.inf)])
            steps[frame] = ways.argmax(axis=0)
            best[:, 2:] = ways.max(axis=0) + scores
        for row in [row for row, length in enumerate(lengths) if length == frame + 1]:
            size = 2 * len(labels[row])
            ends[row] = size if not size or best[row, 2 + size] >= best[row, 1 + size] else size - 1
    return [_trace(steps[: lengths[row], row], int(ends[row]), len(labels[row])) for row in range(batch)]


def _trace(steps: NDArray[np.int8], state: int, count: int) -> tuple[Integers, Integers]:
    """Follow a path back from its last state: (T, S) steps to first and behind-last frames of ``count`` labels."""
    path = np.empty(len(steps), dtype=np.int64)
    for frame in range(len(steps) - 1, -1, -1):
        path[frame] = state
        state -= int(steps[frame, state])
    wanted = 2 * np.arange(count) + 1
    return np.searchsorted(path, wanted, "left"), np.searchsorted(path, wanted, "right")
