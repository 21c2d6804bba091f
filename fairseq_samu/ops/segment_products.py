"""Products of frames with what belongs to their segments, without an expanded copy of either.

A segment has one vector or weight, its frames have many. Written with plain operations each product below makes tensors
as large as all frames, and on a CPU the pages of these cost more than the numbers in them.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def sum_weighted(rows: Tensor, frames: Tensor, segment_of: Tensor, lengths: Tensor, weights: Tensor) -> Tensor:
    """Add up the rows of each segment, each part of a row with its own weight.

    Args:
        rows: (N, D) float; those that are in no segment do not matter, not even NaN.
        frames: (F,) int64, rows that are in a segment, ascending and each but once.
        segment_of: (F,) int64 segment of each of them, ascending, below M.
        lengths: (M,) int64 frames of each segment.
        weights: (F, H) float of the H equal parts of each row.

    Returns:
        (M, D) in float32 or the wider dtype, zero for a segment without frames.
    """
    wide = torch.promote_types(torch.promote_types(rows.dtype, weights.dtype), torch.float32)
    return _WeightedSums.apply(rows.to(wide), frames, segment_of, lengths, weights.to(wide))


def score_frames(queries: Tensor, keys: Tensor, segment_of: Tensor, lengths: Tensor, num_parts: int) -> Tensor:
    """Multiply the vector of each segment with its frames, part by part.

    Args:
        queries: (M, D) float.
        keys: (F, D) float, segment after segment.
        segment_of: (F,) int64 segment of each key, ascending, below M.
        lengths: (M,) int64 frames of each segment.
        num_parts: H, of a row.

    Returns:
        (F, H) dot products of the parts, in float32 or the wider dtype.
    """
    wide = torch.promote_types(torch.promote_types(queries.dtype, keys.dtype), torch.float32)
    return _Scores.apply(queries.to(wide), keys.to(wide), segment_of, lengths, num_parts)


def _sum(rows: Tensor, frames: Tensor, segment_of: Tensor, lengths: Tensor, weights: Tensor) -> Tensor:
    parts = weights.size(1)
    begins = lengths.cumsum(0) - lengths
    if parts == 1:
        return F.embedding_bag(frames, rows, begins, mode="sum", per_sample_weights=weights.flatten().contiguous())
    # a bag for each part of each segment, of the like parts of its frames, which stand (segment, part, frame)
    part = torch.arange(parts, device=frames.device)
    bags = begins[:, None] * parts + part * lengths[:, None]
    inside = torch.arange(len(frames), device=frames.device) - begins[segment_of]
    places = (bags.index_select(0, segment_of) + inside[:, None]).flatten()
    items = torch.empty_like(places).scatter_(0, places, (frames[:, None] * parts + part).flatten())
    ordered = torch.empty_like(weights.flatten()).scatter_(0, places, weights.flatten())
    table = rows.reshape(len(rows) * parts, rows.size(1) // parts)
    found = F.embedding_bag(items, table, bags.flatten(), mode="sum", per_sample_weights=ordered)
    return found.reshape(len(lengths), rows.size(1))


def _dot(queries: Tensor, keys: Tensor, segment_of: Tensor, num_parts: int) -> Tensor:
    expanded = queries.index_select(0, segment_of).mul_(keys)
    return expanded.unflatten(1, (num_parts, -1)).sum(dim=2)


def _spread(vectors: Tensor, segment_of: Tensor, weights: Tensor) -> Tensor:
    """Vectors (M, D) of the segments by the weights (F, H) of the frames: (F, D)."""
    expanded = vectors.index_select(0, segment_of)
    expanded.unflatten(1, (weights.size(1), -1)).mul_(weights[:, :, None])
    return expanded


class _WeightedSums(torch.autograd.Function):
    """The sums with their gradients, each only where it is asked for."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, frames: Tensor, segment_of: Tensor, lengths: Tensor, weights: Tensor) -> Tensor:
        """Compute (M, D); what the gradients do not need is not kept."""
        _, _, _, _, weighted = ctx.needs_input_grad
        ctx.num_rows = len(rows)
        ctx.save_for_backward(rows if weighted else None, frames, segment_of, weights)
        return _sum(rows, frames, segment_of, lengths, weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *incoming: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of rows and weights."""
        rows, frames, segment_of, weights = ctx.saved_tensors
        (gradient,) = incoming
        of_rows = of_weights = None
        if ctx.needs_input_grad[4]:
            kept = rows if len(frames) == len(rows) else rows.index_select(0, frames)
            of_weights = _dot(gradient, kept, segment_of, weights.size(1))
        if ctx.needs_input_grad[0]:
            if len(frames) < ctx.num_rows:
                # what is in no segment gets that of one more, which is zero
                gradient = torch.cat([gradient, gradient.new_zeros(1, gradient.size(1))])
                all_of = segment_of.new_full((ctx.num_rows,), len(gradient) - 1)
                segment_of = all_of.index_copy_(0, frames, segment_of)
                weights = weights.new_zeros(ctx.num_rows, weights.size(1)).index_copy_(0, frames, weights)
            of_rows = _spread(gradient, segment_of, weights)
        return of_rows, None, None, None, of_weights


class _Scores(torch.autograd.Function):
    """The dot products with their gradients, each only where it is asked for."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, segment_of: Tensor, lengths: Tensor, num_parts: int) -> Tensor:
        """Compute (F, H)."""
        ctx.save_for_backward(queries, keys, segment_of, lengths)
        return _dot(queries, keys, segment_of, num_parts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *incoming: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of queries and keys."""
        queries, keys, segment_of, lengths = ctx.saved_tensors
        (gradient,) = incoming
        of_queries = of_keys = None
        if ctx.needs_input_grad[0]:
            frames = torch.arange(len(keys), device=keys.device)
            of_queries = _sum(keys, frames, segment_of, lengths, gradient)
        if ctx.needs_input_grad[1]:
            of_keys = _spread(queries, segment_of, gradient)
        return of_queries, of_keys, None, None, None
