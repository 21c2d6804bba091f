"""Pooling of frames into one vector an utterance, with padding left out."""

import torch
from torch import Tensor


def masked_softmax(scores: Tensor, padding_mask: Tensor) -> Tensor:
    """Softmax over time that gives padding no weight.

    Args:
        scores: (B, T, H) attention scores, any float dtype.
        padding_mask: (B, T) bool, True = padding; every row needs at least one valid frame.

    Returns:
        (B, T, H) weights that sum to 1 over the valid frames, in float32 or the wider dtype of the scores.
    """
    wide = scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores
    return wide.masked_fill(padding_mask.unsqueeze(-1), float("-inf")).softmax(dim=1)


def attentive_pool(frames: Tensor, scores: Tensor, padding_mask: Tensor) -> Tensor:
    """Weighted mean of the valid frames, one for each head.

    Section III of arXiv:2306.00789: ``a = softmax_t(w.h_t)``, ``e = sum_t a_t h_t``. Several heads are an addition
    of ours.

    Args:
        frames: (B, T, D); what stands in padding does not matter, not even NaN.
        scores: (B, T, H).
        padding_mask: (B, T) bool, True = padding.

    Returns:
        (B, H * D) in the dtype of ``frames``: the heads one after the other.
    """
    weights = masked_softmax(scores, padding_mask)
    # zero weight times NaN is NaN, so padding is cleared as well
    clean = frames.masked_fill(padding_mask.unsqueeze(-1), 0.0).to(weights.dtype)
    pooled = torch.einsum("bth,btd->bhd", weights, clean)
    return pooled.flatten(1).to(frames.dtype)
