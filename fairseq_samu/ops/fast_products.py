"""Products of linear layers on a CPU, by the faster of the two libraries that torch carries."""

from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

CPU_INFO = Path("/proc/cpuinfo")
SMALL = 2**20  # products with fewer multiplications are over before another library is called


@cache
def prefers_onednn() -> bool:
    """Whether torch's own choice is the slower one on this machine; the same in every run, for equal results.

    For float32 torch calls MKL, which keeps to AVX2 on x86 CPUs that are not Intel's. oneDNN, which torch carries for
    convolutions, uses AVX-512 wherever there is AVX-512: on a Zen 5 it is 2.2 times as fast.
    """
    if not torch.backends.mkl.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and _cpu_maker() not in ("", "GenuineIntel")


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute ``x @ weight.T + bias`` as ``torch.nn.functional.linear`` does, to rounding.

    Args:
        x: (..., K).
        weight: (N, K).
        bias: (N,) or None.

    Returns:
        (..., N); not differentiable twice where :func:`prefers_onednn` holds.
    """
    if not _fits(x, weight):
        return F.linear(x, weight, bias)
    tensors = (x, weight) if bias is None else (x, weight, bias)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return _Linear.apply(x, weight, bias)
    return _product(x, weight, bias)


def _fits(x: Tensor, weight: Tensor) -> bool:
    plain = type(x) in (Tensor, torch.nn.Parameter) and type(weight) in (Tensor, torch.nn.Parameter)
    return (
        plain
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == weight.device.type == "cpu"
        and x.numel() * weight.size(0) >= SMALL
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and prefers_onednn()
    )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x.contiguous(), weight, bias, "none", [], "")


class _Linear(torch.autograd.Function):
    """The product with its gradients, each only where it is asked for."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Compute (..., N); what a frozen weight does not need is not kept."""
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight if ctx.needs_input_grad[0] else None)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *incoming: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of input, weight and bias."""
        x, weight = ctx.saved_tensors
        (gradient,) = incoming
        rows = gradient.flatten(0, -2)
        of_x = _product(gradient, weight.t()) if ctx.needs_input_grad[0] else None
        of_weight = _product(rows.t(), x.flatten(0, -2).t()) if ctx.needs_input_grad[1] else None
        of_bias = rows.sum(dim=0) if ctx.needs_input_grad[2] else None
        return of_x, of_weight, of_bias


@cache
def _cpu_maker() -> str:
    if not CPU_INFO.exists():
        return ""
    for line in CPU_INFO.read_text("utf-8").splitlines():
        if line.startswith("vendor_id"):
            return line.partition(":")[2].strip()
    return ""
