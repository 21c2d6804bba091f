"""Which rows an epoch holds: every row once, or languages balanced by an exponent."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def language_probabilities(counts: Sequence[int], alpha: float) -> NDArray[np.float64]:
    """Probability of drawing each language.

    Eq. 3 of arXiv:2205.08180: with ``p_l = N_l / sum N``, language l has probability ``p_l^alpha / sum_k p_k^alpha``.

    Args:
        counts: (L,) rows of each language; a language without rows gets probability 0.
        alpha: 1 is proportional to the data, 0 is uniform.

    Returns:
        (L,) float64, sums to 1.
    """
    sizes = np.asarray(counts, dtype=np.float64)
    share = sizes / sizes.sum()
    powered = np.where(sizes > 0, np.power(share, alpha, where=sizes > 0, out=np.zeros_like(share)), 0.0)
    return powered / powered.sum()


def count_drawn(counts: Sequence[int], alpha: float, length: int) -> NDArray[np.int64]:
    """Rows of each language at the head of an endless stream of all of them.

    Sainte-Lague's method: row k (from 0) of a language with probability p comes at ``(k + 0.5) / p``. The heads of a
    stream are nested, so that what lies between two of them is a draw; no language, however small, is left out for
    good; and where alpha is 1, all rows come once before one comes again.

    Args:
        counts: (L,) rows of each language.
        alpha: see ``language_probabilities``.
        length: rows of the head.

    Returns:
        (L,) int64 that sum to ``length``.
    """
    probabilities = language_probabilities(counts, alpha)
    # All rows up to this place are in any case among the first `length`: rounding gives at most half a row a language.
    drawn = np.floor(probabilities * max(0, length - len(counts)) + 0.5).astype(np.int64)
    places = np.full(len(counts), np.inf)
    for _ in range(length - int(drawn.sum())):
        np.divide(drawn + 0.5, probabilities, out=places, where=probabilities > 0)
        drawn[places.argmin()] += 1
    return drawn


def sample_epoch(language_ids: NDArray[np.int64], alpha: float, seed: int, epoch: int) -> NDArray[np.int64]:
    """Rows of one epoch, as many as there are; see :func:`sample_stream`.

    Args:
        language_ids: (R,) language of each row, 0-based.
        alpha: 1 takes every row once an epoch; less favours the small languages.
        seed: of the shuffling.
        epoch: 1-based.

    Returns:
        (R,) int64 row indices, in no useful order.
    """
    size = len(language_ids)
    return np.arange(size) if alpha == 1.0 else sample_stream(language_ids, alpha, seed, (epoch - 1) * size, size)


def sample_stream(
    language_ids: NDArray[np.int64], alpha: float, seed: int, start: int, length: int
) -> NDArray[np.int64]:
    """Cut rows out of an endless stream.

    Each language is an endless stream of its shuffled rows, and :func:`count_drawn` mixes them: no row comes a second
    time before all of its language came once. A cut depends on its place alone, so that a resumed run draws the same.

    Args:
        language_ids: (R,) language of each row, 0-based.
        alpha: see :func:`sample_epoch`.
        seed: of the shuffling.
        start: rows of the stream before the cut.
        length: rows of the cut.

    Returns:
        (length,) int64 row indices, in no useful order; none where there are no rows.
    """
    rows = np.arange(len(language_ids))
    if len(rows) == 0 or length == 0:
        return rows[:0]
    counts = np.bincount(language_ids).tolist()
    before, behind = (count_drawn(counts, alpha, place) for place in (start, start + length))
    chosen = [
        _cut(rows[language_ids == language], int(first), int(last - first), (seed, language))
        for language, (first, last) in enumerate(zip(before, behind, strict=True))
        if last > first
    ]
    return np.concatenate(chosen)


def _cut(members: NDArray[np.int64], start: int, length: int, key: tuple[int, int]) -> NDArray[np.int64]:
    """Cut ``length`` items from an endless chain of permutations of ``members``, beginning at ``start``."""
    size = len(members)
    first, last = start // size, (start + length - 1) // size
    chain = np.concatenate(
        [np.random.default_rng([*key, turn]).permutation(members) for turn in range(first, last + 1)]
    )
    return chain[start - first * size :][:length]
