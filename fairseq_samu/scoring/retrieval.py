"""Retrieval: at which rank stands the first right candidate, and what follows from the ranks of many queries."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.errors import SamuError, explain

TIE = 1e-6
"""Cosines this close are equal: the rounding of float32 must not decide a tie."""
QUERY_BLOCK, CANDIDATE_BLOCK = 1024, 8192


def unit_rows(vectors: NDArray[np.floating], name: str = "embeddings") -> NDArray[np.float32]:
    """Scale rows to length 1.

    Args:
        vectors: (R, D); a row of zeros stays zero.
        name: for messages.

    Returns:
        (R, D) float32.

    Raises:
        SamuError: a value is NaN or infinite.
    """
    wide = np.asarray(vectors, dtype=np.float32)
    bad = np.flatnonzero(~np.isfinite(wide).all(axis=1))
    if len(bad):
        mend = "The checkpoint or the table is damaged."
        raise SamuError(explain("retrieval", name, "finite numbers", f"NaN or infinite in {len(bad)} rows", mend))
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (wide / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return unit


def rank_matches(
    queries: NDArray[np.floating],
    candidates: NDArray[np.floating],
    right: Sequence[Sequence[int]],
    exclude: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Rank of each query's best right candidate by cosine, 1 = first; ties count against the model.

    Works in blocks: memory is bounded whatever the sizes.

    Args:
        queries: (Q, D).
        candidates: (C, D).
        right: candidates that are right for each query, at least one each; the others are rivals.
        exclude: (Q,) a candidate that is no rival of its query (the query itself), or -1.

    Returns:
        (Q,) int64: one more than the rivals that are as near as the best right candidate, or nearer.
    """
    q, c = unit_rows(queries, "queries"), unit_rows(candidates, "candidates")
    counts = np.array([len(members) for members in right], dtype=np.int64)
    if len(q) == 0:
        return np.zeros(0, dtype=np.int64)
    if counts.min() < 1:
        mend = "Leave queries without a match out."
        raise SamuError(explain("retrieval", "right candidates of a query", "at least one", 0, mend))
    flat_candidates = np.concatenate([np.asarray(members, dtype=np.int64) for members in right])
    flat_queries = np.repeat(np.arange(len(q)), counts)
    flat_scores = _paired_scores(q, c, flat_queries, flat_candidates)
    best = np.maximum.reduceat(flat_scores, np.concatenate([[0], np.cumsum(counts)[:-1]]))
    threshold: NDArray[np.float32] = best - np.float32(TIE)
    rivals = np.zeros(len(q), dtype=np.int64)
    for start in range(0, len(q), QUERY_BLOCK):
        block = slice(start, start + QUERY_BLOCK)
        for first in range(0, len(c), CANDIDATE_BLOCK):
            scores = q[block] @ c[first : first + CANDIDATE_BLOCK].T
            rivals[block] += (scores >= threshold[block, None]).sum(axis=1)
    # right candidates are no rivals; whether the matrix product counted one is asked with the same margin
    near = _paired_hits(q, c, flat_queries, flat_candidates, threshold)
    rivals -= np.bincount(flat_queries, weights=near, minlength=len(q)).astype(np.int64)
    if exclude is not None:
        held = np.flatnonzero(exclude >= 0)
        rivals[held] -= _paired_hits(q, c, held, exclude[held], threshold)
    return 1 + np.maximum(rivals, 0)


def _paired_scores(
    q: NDArray[np.float32], c: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float32]:
    pieces = [
        np.einsum("nd,nd->n", q[rows[start : start + CANDIDATE_BLOCK]], c[columns[start : start + CANDIDATE_BLOCK]])
        for start in range(0, len(rows), CANDIDATE_BLOCK)
    ]
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)


def _paired_hits(
    q: NDArray[np.float32],
    c: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    threshold: NDArray[np.float32],
) -> NDArray[np.int64]:
    return (_paired_scores(q, c, rows, columns) >= threshold[rows]).astype(np.int64)


def nearest(
    queries: NDArray[np.floating], candidates: NDArray[np.floating], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest candidates of each query by cosine, nearest first.

    Args:
        queries: (Q, D).
        candidates: (C, D).
        count: how many, K; at most C are given.

    Returns:
        (Q, K) int64 indices and (Q, K) float32 cosines.
    """
    q, c = unit_rows(queries, "queries"), unit_rows(candidates, "candidates")
    count = min(count, len(c))
    indices = np.zeros((len(q), count), dtype=np.int64)
    values = np.zeros((len(q), count), dtype=np.float32)
    for start in range(0, len(q), QUERY_BLOCK):
        block = slice(start, start + QUERY_BLOCK)
        rows = q[block]
        found = np.zeros((len(rows), 0), dtype=np.int64)
        scores = np.zeros((len(rows), 0), dtype=np.float32)
        for first in range(0, len(c), CANDIDATE_BLOCK):
            more = rows @ c[first : first + CANDIDATE_BLOCK].T
            scores = np.concatenate([scores, more], axis=1)
            columns = np.arange(first, first + more.shape[1])
            found = np.concatenate([found, np.broadcast_to(columns, more.shape)], axis=1)
            order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
            scores, found = np.take_along_axis(scores, order, 1), np.take_along_axis(found, order, 1)
        indices[block], values[block] = found, scores
    return indices, values


def score_ranks(ranks: NDArray[np.int64], num_right: NDArray[np.int64], pool: int) -> dict[str, float]:
    """Recall at 1, 5, 10 and mean reciprocal rank, in percent.

    Args:
        ranks: (Q,) rank of the best right candidate.
        num_right: (Q,) right candidates of each query.
        pool: number of candidates.

    Returns:
        ``r1, r5, r10, mrr`` and ``chance_r1`` in percent, ``pool`` and ``queries`` as counts.
    """
    recalls = {f"r{k}": 100.0 * float(np.mean(ranks <= k)) for k in (1, 5, 10)}
    return {
        **recalls,
        "mrr": 100.0 * float(np.mean(1.0 / ranks)),
        "pool": pool,
        "queries": len(ranks),
        "chance_r1": 100.0 * float(np.mean(num_right)) / pool,
    }


def average_scores(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    """Unweighted mean of several pairs' scores, key by key."""
    return {key: float(np.mean([score[key] for score in scores])) for key in scores[0]} if scores else {}


def bootstrap_interval(
    values: NDArray[np.floating], seed: int = 1, num_samples: int = 2000, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean.

    Args:
        values: (Q,) one value a query, such as 100 or 0 for a hit or a miss.
        seed: of the resampling.
        num_samples: resamples.
        level: share of resampled means inside the interval.

    Returns:
        Lower and upper end.
    """
    rng = np.random.default_rng(seed)
    array = np.asarray(values, dtype=np.float64)
    means = [array[rng.integers(0, len(array), len(array))].mean() for _ in range(num_samples)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
