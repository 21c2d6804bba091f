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


def epoch_quotas(counts: Sequence[int], alpha: float, total: int | None = None) -> NDArray[np.int64]:
    """Rows of each language in one epoch.

    Args:
        counts: (L,) rows of each language.
        alpha: see ``language_probabilities``.
        total: rows of the epoch; None for as many as there are.

    Returns:
        (L,) int64 that sum to ``total``: whole parts first, the rest to the largest remainders.
    """
    total = sum(counts) if total is None else total
    wanted = language_probabilities(counts, alpha) * total
    quotas = np.floor(wanted).astype(np.int64)
    rest = int(total - quotas.sum())
    quotas[np.argsort(quotas - wanted, kind="stable")[:rest]] += 1
    return quotas


def sample_epoch(
    language_ids: NDArray[np.int64], alpha: float, seed: int, epoch: int, total: int | None = None
) -> NDArray[np.int64]:
    """Rows of one epoch.

    Each language is an endless stream of its shuffled rows, cut into epochs: no row comes a second time before all of
    its language came once, and an epoch depends on its number alone, so that a resumed run draws the same.

    Args:
        language_ids: (R,) language of each row, 0-based.
        alpha: 1 takes every row once an epoch; less favours the small languages.
        seed: of the shuffling.
        epoch: 1-based.
        total: rows of an epoch, the same in all of them; None for as many as there are.

    Returns:
        (total,) int64 row indices, in no useful order.
    """
    rows = np.arange(len(language_ids))
    if (alpha == 1.0 and total is None) or len(rows) == 0 or total == 0:
        return rows if total is None else rows[:0]
    counts = np.bincount(language_ids)
    quotas = epoch_quotas(counts.tolist(), alpha, total)
    chosen = [
        _stream(rows[language_ids == language], (epoch - 1) * int(quota), int(quota), (seed, language))
        for language, quota in enumerate(quotas)
        if quota > 0
    ]
    return np.concatenate(chosen)


def _stream(members: NDArray[np.int64], start: int, length: int, key: tuple[int, int]) -> NDArray[np.int64]:
    """Cut ``length`` items from an endless chain of permutations of ``members``, beginning at ``start``."""
    size = len(members)
    first, last = start // size, (start + length - 1) // size
    chain = np.concatenate(
        [np.random.default_rng([*key, turn]).permutation(members) for turn in range(first, last + 1)]
    )
    return chain[start - first * size :][:length]
