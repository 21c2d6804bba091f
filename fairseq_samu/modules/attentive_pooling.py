"""Attentive pooling over valid frames."""

import torch
from torch import Tensor, nn

from fairseq_samu.ops.pooling import attentive_pool


class AttentivePooling(nn.Module):
    """Learned weighted mean of frames.

    Source: section III of arXiv:2306.00789; one head is the paper's 1,025 parameters at 1024 dimensions. More heads
    are an addition of ours and pool the same frames with weights of their own.

    Args:
        dim: D, size of a frame.
        num_heads: H.
    """

    def __init__(self, dim: int, num_heads: int = 1) -> None:
        super().__init__()
        self.score = nn.Linear(dim, num_heads)
        self.output_dim = dim * num_heads
        if num_heads == 1:
            # a single head starts as the mean of the frames; several would stay alike
            nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(self, frames: Tensor, padding_mask: Tensor) -> Tensor:
        """Pool each row.

        Args:
            frames: (B, T, D).
            padding_mask: (B, T) bool, True = padding.

        Returns:
            (B, H * D), dtype of ``frames``.
        """
        scores = self.score(torch.where(padding_mask.unsqueeze(-1), 0.0, frames).to(self.score.weight.dtype))
        return attentive_pool(frames, scores, padding_mask)
