"""Contrastive alignment of speech with its text, and how much of it is owed to the transcript."""

import torch
from torch import Tensor

from fairseq_samu.ops.similarity import contrastive_loss

GOLD_LOSS = 0.1  # of the transcript's share at every step of the curriculum


def mean_pool(frames: Tensor, padding_mask: Tensor) -> Tensor:
    """Mean of the valid positions.

    Args:
        frames: (B, S, D) float; what stands in padding does not matter.
        padding_mask: (B, S) bool, True = padding; every row has a valid position.

    Returns:
        (B, D), float32 (float64 for float64 frames).
    """
    wide = frames.to(torch.promote_types(frames.dtype, torch.float32)).masked_fill(padding_mask[:, :, None], 0.0)
    return wide.sum(dim=1) / (~padding_mask).sum(dim=1, keepdim=True)


def alignment_loss(speech: Tensor, text: Tensor, temperature: float = 0.1, symmetric: bool = False) -> Tensor:
    """InfoNCE of each utterance with its text against the other texts of the batch (Eq. 1 of arXiv:1807.03748).

    Source: the contrastive loss of arXiv:2311.03810; texts get no gradient. Rows of the same text are no negatives of
    each other.

    Args:
        speech: (B, D) float.
        text: (B, D) float.
        temperature: divisor of the cosines, positive.
        symmetric: mean of that and of each text against the other utterances.

    Returns:
        (B,) float32 (float64) losses; 0 for a batch of one.
    """
    return contrastive_loss(speech, text.detach(), temperature, symmetric)


def gold_share(update: int, beta: float = 1.0, step: int = 5000) -> float:
    """Share of the transcript in the alignment; the rest is the text that CTC hears.

    Args:
        update: number of updates done.
        beta: share at the start.
        step: updates after which it falls by a tenth.

    Returns:
        ``max(0, beta - 0.1 * floor(update / step))``.
    """
    return max(0.0, beta - GOLD_LOSS * (update // step))
