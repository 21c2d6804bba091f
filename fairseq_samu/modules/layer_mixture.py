"""A learned weighted sum of an encoder's layers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class LayerMixture(nn.Module):
    """Softmax-weighted sum of layers; all weigh alike at the start.

    Source: arXiv:2210.05291, which tags concepts with such sums of SAMU-XLSR's layers.

    Args:
        num_layers: how many outputs of layers are summed.
    """

    def __init__(self, num_layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(num_layers))

    def forward(self, layers: Sequence[Tensor]) -> Tensor:
        """Sum layers, (B, T, D) each, to (B, T, D).

        Raises:
            ValueError: their number is not that of the weights.
        """
        if len(layers) != len(self.weights):
            raise ValueError(f"layers: there must be {len(self.weights)} of them, but there are {len(layers)}.")
        shares = torch.softmax(self.weights, dim=0)
        mixed = shares[0] * layers[0]
        for share, layer in zip(shares[1:], layers[1:], strict=True):
            mixed = mixed + share * layer
        return mixed
