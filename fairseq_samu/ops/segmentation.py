"""Runs of equal labels among frames, and one vector for each run."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.ops.masking import lengths_to_padding_mask, padding_mask_to_lengths
from fairseq_samu.ops.segment_products import sum_weighted
from fairseq_samu.ops.segment_sums import softmax_by_segment, sum_by_segment

BLANK_RULES = ("keep", "drop", "merge")
REPRESENTATIVES = ("first", "avg", "weighted", "softmax")


@dataclass(frozen=True)
class FlatSegments:
    """The segments of a batch one after the other, without padding; what is computed on them is linear in T.

    Attributes:
        frames: (F,) int64, frames that are in a segment, numbered over the whole batch (row * T + frame), ascending.
        segment_of: (F,) int64 segment of each of them, ascending from 0 to M - 1.
        places: (M,) int64 place of each segment in the padded batch (row * S + segment).
        starts: (M,) int64 first frame of each segment, numbered as ``frames``.
        lengths: (M,) int64 frames of each segment.
    """

    frames: Tensor
    segment_of: Tensor
    places: Tensor
    starts: Tensor
    lengths: Tensor

    def take(self, rows: Tensor) -> Tensor:
        """Frames (F, D) that are in a segment, of the (B * T, D) of the batch; no copy where these are all."""
        return rows if len(self.frames) == len(rows) else rows.index_select(0, self.frames)


@dataclass(frozen=True)
class Segments:
    """Which frame is in which segment, for a padded batch.

    Attributes:
        of_frame: (B, T) int64 segment of each frame; S for padding and for frames that were dropped.
        starts: (B, S) int64 first frame of each segment, 0 at padding.
        lengths: (B, S) int64 frames of each segment, 0 at padding.
        counts: (B,) int64 segments of each row, at least 1.
        padding_mask: (B, S) bool, True = padding.
    """

    of_frame: Tensor
    starts: Tensor
    lengths: Tensor
    counts: Tensor
    padding_mask: Tensor

    def flatten(self) -> FlatSegments:
        """List the segments of all rows one after the other."""
        rows, size = self.of_frame.shape
        frames = (self.of_frame < self.starts.size(1)).flatten().nonzero().squeeze(1)
        places = torch.logical_not(self.padding_mask).flatten().nonzero().squeeze(1)
        before = self.counts.cumsum(0) - self.counts
        segment_of = (self.of_frame + before[:, None]).flatten()[frames]
        row_starts = torch.arange(0, rows * size, size, device=frames.device)
        starts = (self.starts + row_starts[:, None]).flatten()[places]
        return FlatSegments(frames, segment_of, places, starts, self.lengths.flatten()[places])

    def spread(self, values: Tensor) -> Tensor:
        """Place values (M, ...) of flat segments in a padded batch (B, S, ...), zero at padding."""
        rows, size = self.padding_mask.shape
        if values.size(0) == rows * size:
            return values.unflatten(0, (rows, size))
        places = torch.logical_not(self.padding_mask).flatten().nonzero().squeeze(1)
        padded = values.new_zeros(rows * size, *values.shape[1:]).index_copy(0, places, values)
        return padded.unflatten(0, (rows, size))


def find_segments(
    labels: Tensor, padding_mask: Tensor, blank: int = 0, blanks: str = "keep", max_segments: int = 0
) -> Segments:
    """Cut rows into maximal runs of equal labels (the shrinking of arXiv:2311.03810; arXiv:2102.01578 before it).

    Args:
        labels: (B, T) int64; what stands in padding does not matter.
        padding_mask: (B, T) bool, True = padding, at the end of a row.
        blank: label that stands for none.
        blanks: ``keep`` makes each run of blanks a segment; ``drop`` leaves such frames out, but for a row of nothing
            else, which stays one segment; ``merge`` adds them to the segment before, leading ones to the first.
        max_segments: most segments of a row, of which the last takes all that is left; 0 for no limit.

    Returns:
        Segments, at least one a row: a row without frames has one of length 0.
    """
    lengths = padding_mask_to_lengths(padding_mask, labels)
    inside = ~lengths_to_padding_mask(lengths, labels.size(1))
    is_start = inside.clone()
    is_start[:, 1:] &= labels[:, 1:] != labels[:, :-1]
    if blanks != "keep":
        is_label = inside & (labels != blank)
        is_start &= is_label
        if blanks == "drop":
            inside &= is_label | ~is_label.any(dim=1, keepdim=True)
        else:
            is_start &= is_label.cumsum(1) > 1  # the first label joins the blanks before it
        is_start[:, 0] = inside[:, 0]
    return _number_segments(is_start, inside, max_segments)


def _number_segments(is_start: Tensor, inside: Tensor, max_segments: int) -> Segments:
    """Number the segments that begin where ``is_start`` (B, T) says and hold the frames ``inside`` (B, T)."""
    numbers = is_start.cumsum(1) - 1
    counts = is_start.sum(1).clamp(min=1)
    if max_segments > 0:
        is_start = is_start & (numbers < max_segments)
        numbers, counts = numbers.clamp(max=max_segments - 1), counts.clamp(max=max_segments)
    size = int(counts.max())
    of_frame = numbers.masked_fill(~inside, size)
    positions = torch.arange(is_start.size(1), device=is_start.device).expand_as(numbers)
    table = numbers.new_zeros(is_start.size(0), size + 1)
    starts = table.scatter(1, numbers.masked_fill(~is_start, size), positions)[:, :size]
    lengths = table.scatter_add(1, of_frame, torch.ones_like(of_frame))[:, :size]
    return Segments(of_frame, starts, lengths, counts, lengths_to_padding_mask(counts, size))


def represent(frames: Tensor, segments: Segments, how: str = "first", label_probs: Tensor | None = None) -> Tensor:
    """Make one vector of each segment.

    Source: ``first`` is the choice of arXiv:2311.03810, the others are those of arXiv:2102.01578.

    Args:
        frames: (B, T, D) float; what stands in padding does not matter, not even NaN.
        segments: of these frames.
        how: ``first`` frame, ``avg`` of the frames, mean ``weighted`` by the probability of each frame's label, or by
            the ``softmax`` of these probabilities over the segment.
        label_probs: (B, T) float probability of each frame's label, needed for the last two, which carry gradients.

    Returns:
        (B, S, D) in the dtype of ``frames``, zero at padding.

    Raises:
        ConfigError: the probabilities are needed and missing.
    """
    return segments.spread(represent_flat(frames, segments.flatten(), how, label_probs))


def represent_flat(frames: Tensor, flat: FlatSegments, how: str, label_probs: Tensor | None = None) -> Tensor:
    """As :func:`represent`, for segments without padding: (M, D)."""
    rows = frames.flatten(0, 1)
    if how == "first":
        return rows.index_select(0, flat.starts).masked_fill((flat.lengths == 0)[:, None], 0.0)
    weights = weigh_frames(flat, how, label_probs, rows)[:, None]
    return sum_weighted(rows, flat.frames, flat.segment_of, flat.lengths, weights).to(frames.dtype)


def weigh_frames(flat: FlatSegments, how: str, label_probs: Tensor | None, like: Tensor) -> Tensor:
    """Weight of each frame in the representative of its segment.

    Args:
        flat: segments.
        how: see :func:`represent`.
        label_probs: see :func:`represent`.
        like: float tensor on the device, of the dtype, that the weights are for.

    Returns:
        (F,) summing to 1 over each segment, in float32 or the wider dtype of ``like``.

    Raises:
        ConfigError: the probabilities are needed and missing.
    """
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    count = len(flat.lengths)
    if how == "first":
        return (flat.frames == flat.starts[flat.segment_of]).to(dtype)
    if how == "avg":
        return flat.lengths.to(dtype).reciprocal()[flat.segment_of]
    if label_probs is None:
        mend = "Give them, or choose first or avg."
        raise ConfigError(explain("", "label_probs", f"there for the representative {how}", label_probs, mend))
    probs = label_probs.flatten().index_select(0, flat.frames).to(dtype)
    if how == "softmax":
        return softmax_by_segment(probs[:, None], flat.segment_of, count).squeeze(1)
    totals = sum_by_segment(probs, flat.segment_of, count).clamp(min=torch.finfo(dtype).tiny)
    return probs / totals[flat.segment_of]
