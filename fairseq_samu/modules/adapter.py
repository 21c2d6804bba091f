"""Bottleneck adapters."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Adapter(nn.Module):
    """``x + up(relu(down(x)))``, the bottleneck adapter of arXiv:1902.00751 (section IV-B3 of arXiv:2306.00789).

    The second projection starts at zero, so that a new adapter changes nothing.

    Args:
        dim: features D of a position.
        bottleneck: inner features; a fourth of ``dim`` in the paper.
    """

    def __init__(self, dim: int, bottleneck: int) -> None:
        super().__init__()
        self.down = nn.Linear(dim, bottleneck)
        self.up = nn.Linear(bottleneck, dim)
        with torch.no_grad():
            self.up.weight.zero_()
            self.up.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Adapt (..., D) features."""
        return x + self.up(F.relu(self.down(x)))
