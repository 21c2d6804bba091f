"""How many frames CTC needs."""

import torch
from torch import Tensor


def count_least_frames(pieces: Tensor, lengths: Tensor) -> Tensor:
    """Count the frames that CTC needs: one a piece, and a blank between two equal ones.

    Args:
        pieces: (B, L) int64.
        lengths: (B,) int64, how many of them count.

    Returns:
        (B,) int64.
    """
    is_pair = torch.arange(1, pieces.size(1), device=pieces.device)[None, :] < lengths[:, None]
    return lengths + ((pieces[:, 1:] == pieces[:, :-1]) & is_pair).sum(dim=1)
