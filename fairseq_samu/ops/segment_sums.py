"""Sums and softmax over segments of different lengths that stand one after the other."""

import torch
from torch import Tensor


def sum_by_segment(values: Tensor, segment_of: Tensor, count: int) -> Tensor:
    """Add up the values of each segment, in float32 or wider.

    Args:
        values: (F, ...) float.
        segment_of: (F,) int64 segment of each value, below ``count``.
        count: segments M.

    Returns:
        (M, ...), zero for a segment without values.
    """
    wide = _widen(values)
    return wide.new_zeros(count, *wide.shape[1:]).index_add(0, segment_of, wide)


def softmax_by_segment(scores: Tensor, segment_of: Tensor, count: int) -> Tensor:
    """Softmax over the values of each segment, in float32 or wider.

    Args:
        scores: (F, H) float; each column has a softmax of its own.
        segment_of: (F,) int64 segment of each value, below ``count``.
        count: segments M.

    Returns:
        (F, H) weights that sum to 1 over each segment.
    """
    wide = _widen(scores)
    with torch.no_grad():  # what is taken off all scores of a segment changes no weight
        lowest = wide.new_full((count, wide.size(1)), -torch.inf)
        largest = lowest.scatter_reduce(0, segment_of[:, None].expand_as(wide), wide, "amax")
    weights = (wide - largest.index_select(0, segment_of)).exp()
    return weights / sum_by_segment(weights, segment_of, count).index_select(0, segment_of)


def _widen(values: Tensor) -> Tensor:
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
