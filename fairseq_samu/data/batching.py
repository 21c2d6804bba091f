"""Batches of rows that are about equally long; no row is ever lost."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.errors import ConfigError, explain

BUCKET_SPREAD = 0.1
"""Rows within a tenth of each other's length count as equally long and are shuffled among each other."""


def order_by_length(
    rows: NDArray[np.int64], lengths: NDArray[np.int64], rng: np.random.Generator | None
) -> NDArray[np.int64]:
    """Sort rows by length, shuffled within buckets of nearly equal length.

    Args:
        rows: (R,) row indices, repeats allowed.
        lengths: (R,) their lengths, positive.
        rng: draws the order within a bucket; None keeps equally long rows in their given order.

    Returns:
        (R,) the same rows, shortest bucket first.
    """
    if rng is None:
        return rows[np.argsort(lengths, kind="stable")]
    bucket = np.floor(np.log(np.maximum(lengths, 1)) / np.log1p(BUCKET_SPREAD))
    return rows[np.lexsort((rng.random(len(rows)), bucket))]


def make_batches(
    rows: Sequence[int] | NDArray[np.int64],
    lengths: Sequence[int] | NDArray[np.int64],
    max_tokens: int | None,
    max_sentences: int | None,
    second_lengths: Sequence[int] | NDArray[np.int64] | None = None,
    max_second_tokens: int | None = None,
) -> list[list[int]]:
    """Cut an ordered list of rows into batches.

    Unlike the host's batching this never drops a remainder. A row longer than ``max_tokens`` makes a batch of its own.

    Args:
        rows: row indices in the wanted order.
        lengths: length of each in samples (or frames).
        max_tokens: most samples of a batch, padding included (batch size times longest row); None = no limit.
        max_sentences: most rows of a batch; None = no limit.
        second_lengths: another length of each row, such as target tokens.
        max_second_tokens: limit on that one, padding included.

    Returns:
        Batches whose concatenation is ``rows``.

    Raises:
        ConfigError: neither limit is set, or one is not positive.
    """
    for name, limit in (("max_tokens", max_tokens), ("batch_size", max_sentences)):
        if limit is not None and limit <= 0:
            raise ConfigError(explain("batching", name, "positive", limit, "Use a larger number."))
    if max_tokens is None and max_sentences is None:
        raise ConfigError(explain("batching", "max_tokens", "set where batch_size is not", None, "Set either."))
    batches: list[list[int]] = []
    batch: list[int] = []
    longest = longest_second = 0
    for position, row in enumerate(rows):
        first = max(longest, int(lengths[position]))
        second = max(longest_second, int(second_lengths[position])) if second_lengths is not None else 0
        size = len(batch) + 1
        full = (
            (max_tokens is not None and first * size > max_tokens)
            or (max_sentences is not None and size > max_sentences)
            or (max_second_tokens is not None and second * size > max_second_tokens)
        )
        if batch and full:
            batches.append(batch)
            batch = []
            first = int(lengths[position])
            second = int(second_lengths[position]) if second_lengths is not None else 0
        batch.append(int(row))
        longest, longest_second = first, second
    if batch:
        batches.append(batch)
    return batches


def padding_share(batches: Sequence[Sequence[int]], lengths: NDArray[np.int64]) -> float:
    """Share of padding in all batches together, 0 to 1."""
    filled = sum(int(lengths[list(batch)].sum()) for batch in batches)
    grid = sum(len(batch) * int(lengths[list(batch)].max()) for batch in batches)
    return 1.0 - filled / grid if grid else 0.0
