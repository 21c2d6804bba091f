"""Speech drawn towards its text: pooling, contrastive loss, and the curriculum from gold to pseudo text."""

import torch
from torch import Tensor

from fairseq_samu.ops.similarity import contrastive_loss

SHARE_PER_STEP = 0.1
"""What the share of gold text loses at each step of the curriculum (arXiv:2311.03810, the authors' code)."""


def mean_pool(frames: Tensor, padding_mask: Tensor) -> Tensor:
    """Mean of the valid frames.

    Args:
        frames: (B, S, D); what stands in padding does not matter, not even NaN.
        padding_mask: (B, S) bool, True = padding.

    Returns:
        (B, D) in float32 or the wider dtype of the frames; zero for a row without a valid frame.
    """
    dtype = torch.promote_types(frames.dtype, torch.float32)
    counts = (~padding_mask).sum(dim=1, keepdim=True).clamp(min=1)
    return frames.masked_fill(padding_mask[:, :, None], 0.0).sum(dim=1, dtype=dtype) / counts


def alignment_loss(
    speech: Tensor, text: Tensor, temperature: float = 0.1, symmetric: bool = False, alike: Tensor | None = None
) -> Tensor:
    """Contrast each row's speech with the texts of its batch (arXiv:2311.03810).

    The text stands still: it gets no gradient. A batch of one row gives 0; so does a row whose text is a zero vector,
    as :func:`mean_pool` makes it of an empty one. Twins in a batch are no negatives.

    Args:
        speech: (B, D) pooled speech.
        text: (B, D) pooled text of the same rows.
        temperature: divisor of the cosines, positive.
        symmetric: average with the other direction, each row's text among the speech of its batch.
        alike: (B, B) bool, pairs of rows with the same text; needed where dropout makes their vectors differ.

    Returns:
        (B,) losses of float32 or wider, one a row.
    """
    return contrastive_loss(speech, text.detach(), temperature, symmetric, alike)


def gold_share(update: int, beta: float = 1.0, step: int = 5000) -> float:
    """Weight of the gold transcript in the alignment; the pseudo text has the rest, ``1 - share``.

    Args:
        update: number of updates made so far.
        beta: share at the start, in [0, 1].
        step: updates after which the share falls by a tenth, and so on until it is 0.

    Returns:
        ``max(0, beta - .1 * floor(update / step))``.
    """
    return max(0.0, beta - SHARE_PER_STEP * (update // step))
