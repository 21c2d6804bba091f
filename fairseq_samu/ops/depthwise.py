"""Depthwise convolution over time, with gradients that are quick on a CPU."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

PRODUCTS_AT_ONCE = 2**20  # products of the weight's gradient that are summed while they are in the cache


def convolve_channels(x: Tensor, weight: Tensor) -> Tensor:
    """Convolve every feature over time with a kernel of its own; the length stays, with zeros around it.

    It runs as a convolution of images with features last, which is what (B, T, D) is in memory. torch's gradient of
    the weight is slow in that layout, hence the one below. Together, for 3200 positions of 512 features on a Zen 5,
    forward and backward take a fifth of the time of ``conv1d`` on (B, D, T).

    Args:
        x: (B, T, D).
        weight: (D, 1, k), k odd, of the same type.

    Returns:
        (B, T, D), equal to ``F.conv1d`` with D groups and padding k // 2, to rounding; on a CPU not differentiable
        twice.
    """
    plain = x.device.type == "cpu" and not torch.is_autocast_enabled("cpu") and not torch.compiler.is_compiling()
    if plain and torch.is_grad_enabled() and weight.requires_grad:
        return _Convolution.apply(x, weight)
    return _convolve(x, weight)


def _convolve(x: Tensor, weight: Tensor) -> Tensor:
    # (B, T, D) -> (B, D, 1, T) and back
    image = x.transpose(1, 2).unsqueeze(2)
    padding = (0, weight.size(2) // 2)
    return F.conv2d(image, weight.unsqueeze(2), padding=padding, groups=weight.size(0)).squeeze(2).transpose(1, 2)


def _sum_products(x: Tensor, gradient: Tensor, width: int) -> Tensor:
    """Gradient of the weight, (D, 1, k) of at least float32: sums over time of products of shifted (B, T, D)."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    # Rows one after the other with zeros between them: (B, T, D) -> (B (T + k - 1), D)
    around = width // 2
    padded = F.pad(x.to(dtype), (0, 0, around, around)).flatten(0, 1)
    incoming = F.pad(gradient.to(dtype), (0, 0, 0, 2 * around)).flatten(0, 1)[: len(padded) - 2 * around]
    windows = padded.unfold(0, width, 1).permute(2, 0, 1)  # (k, N, D), a view
    at_once = max(1, PRODUCTS_AT_ONCE // (width * x.size(2)))
    total = padded.new_zeros(width, x.size(2))
    for start in range(0, len(incoming), at_once):
        some = slice(start, start + at_once)
        total += (windows[:, some] * incoming[some]).sum(dim=1)
    return total.t().unsqueeze(1)


class _Convolution(torch.autograd.Function):
    """The convolution with its gradients, each only where it is asked for."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve (B, T, D)."""
        ctx.save_for_backward(x, weight)
        return _convolve(x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *incoming: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of input and weight."""
        x, weight = ctx.saved_tensors
        (gradient,) = incoming
        of_x = _convolve(gradient, weight.flip(2)) if ctx.needs_input_grad[0] else None
        of_weight = _sum_products(x, gradient, weight.size(2)) if ctx.needs_input_grad[1] else None
        return of_x, None if of_weight is None else of_weight.to(weight.dtype)
