"""Losses of CTC, one a row."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fairseq_samu.ops.ctc_frames import count_least_frames


def ctc_losses(
    logits: Tensor, padding_mask: Tensor, labels: Tensor, lengths: Tensor, blank: int = 0
) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood of each row's labels (Eq. 3 of the CTC paper, Graves et al., 2006).

    Args:
        logits: (B, T, V) float.
        padding_mask: (B, T) bool, True = padding, at the end of rows.
        labels: (B, L) int64; what stands behind a row's length does not matter.
        lengths: (B,) int64 labels of each row.
        blank: label that stands for none.

    Returns:
        (B,) losses in nats, float32 (float64 for float64 logits), and (B,) bool: whether the labels fit into the
        frames. A row whose labels do not fit costs 0.
    """
    frames = (~padding_mask).sum(dim=1)
    fits = frames >= count_least_frames(labels, lengths)
    wide = torch.promote_types(logits.dtype, torch.float32)
    log_probs = F.log_softmax(logits, dim=-1, dtype=wide).transpose(0, 1)  # (B, T, V) -> (T, B, V)
    # What zero_infinity turns to 0 are the rows that do not fit.
    return F.ctc_loss(log_probs, labels, frames, lengths, blank, reduction="none", zero_infinity=True), fits
