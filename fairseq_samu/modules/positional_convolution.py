"""Relative positions by a wide grouped convolution over frames."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WeightNormConvolution(nn.Module):
    """Grouped convolution over time, whose weight is a direction and a length for each place of the kernel.

    Weight normalisation (arXiv:1602.07868) as plain parameters ``weight_g`` and ``weight_v``: the hook of
    ``nn.utils.weight_norm`` is deprecated, forbids copying the module after a forward, and its successor has other
    names. The length of the output equals that of the input.

    Args:
        dim: channels in and out.
        kernel: width, in frames.
        groups: groups of channels.
    """

    def __init__(self, dim: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.groups = groups
        direction = torch.empty(dim, dim // groups, kernel)
        nn.init.normal_(direction, std=2.0 / (kernel * dim) ** 0.5)
        self.weight_g = nn.Parameter(direction.norm(dim=(0, 1), keepdim=True))
        self.weight_v = nn.Parameter(direction)
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, C, T) features, surrounded by zeros, to (B, C, T)."""
        dtype = torch.promote_types(self.weight_v.dtype, torch.float32)
        # weight_v * weight_g / |weight_v|, the norm over all but the places of the kernel, in one pass.
        weight = torch._weight_norm(self.weight_v.to(dtype), self.weight_g.to(dtype), 2)
        convolved = F.conv1d(x, weight.to(x.dtype), self.bias, padding=self.kernel // 2, groups=self.groups)
        # An even kernel gives one frame too many.
        return convolved[..., : x.size(-1)]
