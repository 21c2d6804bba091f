"""Padding masks, and spans to mask that depend on nothing but a seed."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def lengths_to_padding_mask(lengths: Tensor, size: int) -> Tensor:
    """Mark the positions behind the end of every row.

    Args:
        lengths: (B,) integers, valid positions of each row.
        size: positions of the padded batch.

    Returns:
        (B, size) bool, True = padding.
    """
    return torch.arange(size, device=lengths.device)[None, :] >= lengths[:, None]


def padding_mask_to_lengths(padding_mask: Tensor | None, batch: Tensor) -> Tensor:
    """Count the valid positions of every row; padding stands at the end of a row.

    Args:
        padding_mask: (B, N) bool, True = padding, or None where nothing is padded.
        batch: (B, N, ...) tensor that the mask belongs to.

    Returns:
        (B,) int64 on the device of ``batch``.
    """
    if padding_mask is None:
        return torch.full((batch.size(0),), batch.size(1), dtype=torch.long, device=batch.device)
    return (~padding_mask).sum(dim=1)


def draw_span_mask(length: int, prob: float, span: int, seed: Sequence[int]) -> np.ndarray:
    """Draw the positions of one row that are masked, in spans that may overlap.

    The number of spans is ``prob * length / span`` rounded up or down at random, so that about ``prob`` of the row
    would be masked if no two spans overlapped (section 3.1 of arXiv:2006.11477). Deviation: at least one position
    always stays, so that a row shorter than a span is left alone.

    Args:
        length: positions of the row.
        prob: share of positions in [0, 1] that spans are drawn for.
        span: length of a span, in positions.
        seed: non-negative integers; the same ones draw the same mask on every machine.

    Returns:
        (length,) bool array, True = masked.
    """
    mask = np.zeros(length, dtype=bool)
    generator = np.random.default_rng(list(seed))
    wanted = int(prob * length / span + generator.random())
    count = min(wanted, (length - 1) // span)
    if count <= 0:
        return mask
    starts = generator.choice(length - span + 1, size=count, replace=False)
    mask[(starts[:, None] + np.arange(span)[None, :]).ravel()] = True
    return mask


def draw_span_masks(
    lengths: Sequence[int], size: int, prob: float, span: int, seeds: Sequence[Sequence[int]]
) -> Tensor:
    """Draw one span mask a row, each from a seed of its own, so that a row's mask does not depend on its batch.

    Args:
        lengths: valid positions of each row.
        size: positions of the padded batch.
        prob: see :func:`draw_span_mask`.
        span: see :func:`draw_span_mask`.
        seeds: one seed a row.

    Returns:
        (B, size) bool on the CPU, True = masked; never True on padding.
    """
    masks = np.zeros((len(lengths), size), dtype=bool)
    for row, (length, seed) in enumerate(zip(lengths, seeds, strict=True)):
        masks[row, :length] = draw_span_mask(length, prob, span, seed)
    return torch.from_numpy(masks)
