"""Positions of a sequence as sines and cosines."""

import math

import torch
from torch import Tensor

LONGEST_WAVELENGTH = 10_000.0  # in units of 2 pi positions


def sinusoidal_positions(num_positions: int, dim: int) -> Tensor:
    """Compute sines, then cosines, of geometrically spaced wavelengths (section 3.5 of arXiv:1706.03762).

    Args:
        num_positions: T.
        dim: features D; even, 4 or more.

    Returns:
        (T, D) float32.
    """
    step = math.log(LONGEST_WAVELENGTH) / (dim // 2 - 1)
    angles = torch.arange(num_positions)[:, None] * torch.exp(-step * torch.arange(dim // 2))[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)
