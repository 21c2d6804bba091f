"""The floating types that weights are kept in, and the half precision that training may have rounded them to."""

from collections.abc import Mapping

import torch
from torch import Tensor

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "float64": torch.float64}
HALVES = ("bfloat16", "float16")


def find_rounding(state: Mapping[str, Tensor]) -> str | None:
    """Find the half precision that training rounded tensors to; the host then saves them as float32.

    Args:
        state: tensors by name; those of whole numbers are not looked at.

    Returns:
        ``bfloat16`` or ``float16`` where all tensors can be kept in it without any loss.
    """
    floating = [tensor for tensor in state.values() if tensor.is_floating_point()]
    for name in HALVES:
        dtype = DTYPES[name]
        if all(torch.equal(tensor, tensor.to(dtype).to(tensor.dtype)) for tensor in floating):
            return name
    return None


def find_base_dtype(frozen: Mapping[str, Tensor]) -> str | None:
    """Find the type that frozen tensors are hashed in: that of a training's rounding, or their own.

    Args:
        frozen: tensors by name; those of whole numbers are not looked at.

    Returns:
        A key of :data:`DTYPES`; None where they are of several types, or of none of these.
    """
    dtypes = {str(tensor.dtype).removeprefix("torch.") for tensor in frozen.values() if tensor.is_floating_point()}
    if len(dtypes) != 1 or not dtypes <= DTYPES.keys():
        return None
    return find_rounding(frozen) or dtypes.pop()


def convert(state: Mapping[str, Tensor], dtype: str) -> dict[str, Tensor]:
    """Convert floating tensors to a type, a key of :data:`DTYPES`; whole numbers stay as they are."""
    wanted = DTYPES[dtype]
    return {name: tensor.to(wanted) if tensor.is_floating_point() else tensor for name, tensor in state.items()}
