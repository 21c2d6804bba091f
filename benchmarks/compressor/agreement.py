"""Whether the arms compute the same function: asked before any of them is timed."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from benchmarks.compressor.sizes import Sizes
from benchmarks.compressor.systems import build_compressor
from benchmarks.compressor.work import make_batch
from benchmarks.compressor.worker import Arm

CHECKED_FRAMES, CHECKED_ROWS = 60, 3
EXACT = 1e-9  # in double precision
NORMS = ("output", "gradient", "weight_gradient")
TOLERANCE = {"float32": 1e-4, "bfloat16": 3e-2}


def check_functions(arms: Sequence[Arm], sizes: Sizes) -> float:
    """Compare outputs, masks and all gradients of arms, number by number, in double precision.

    Args:
        arms: of one function.
        sizes: of the compressors.

    Returns:
        The largest difference, relative to the largest number of a tensor where that is above 1.

    Raises:
        ValueError: arms compute different functions.
    """
    expected: dict[str, torch.Tensor] = {}
    largest = 0.0
    for arm in arms:
        found = _compute(arm, sizes)
        expected = expected or found
        if found.keys() != expected.keys():
            raise ValueError(f"{arm.name} has other results than {arms[0].name}: {sorted(found)}, {sorted(expected)}")
        for name, tensor in found.items():
            if tensor.shape != expected[name].shape:
                raise ValueError(f"{arm.name}: {name} is {tuple(tensor.shape)}, not {tuple(expected[name].shape)}")
            # where the true gradient is zero (the bias of the keys), rounding is all there is to see
            scale = max(1.0, float(expected[name].abs().max()))
            largest = max(largest, float((tensor - expected[name]).abs().max()) / scale)
            if not largest <= EXACT:
                raise ValueError(f"{arm.name} computes another {name} than {arms[0].name}: {largest:.2g} off")
    return largest


def _compute(arm: Arm, sizes: Sizes) -> dict[str, torch.Tensor]:
    batch = make_batch(CHECKED_FRAMES, CHECKED_ROWS, sizes.dim, sizes.labels, seed=2)
    compressor = build_compressor(arm, sizes).double()
    frames = batch.frames.double().requires_grad_()
    found, outside = compressor(frames, batch.logits.double(), batch.padding_mask)
    found.backward(batch.incoming.double())
    assert frames.grad is not None
    gradients = {
        name.removeprefix("compressor."): weight.grad
        for name, weight in compressor.named_parameters()
        if weight.grad is not None
    }
    output = found.detach().masked_fill(outside[:, :, None], 0.0)
    return {"output": output, "mask": outside.double(), "gradient of the frames": frames.grad, **gradients}


def check_norms(arms: Sequence[Arm], results: Mapping[str, dict[str, Any]]) -> None:
    """Compare what was measured: number of segments, norms of outputs and gradients.

    Args:
        arms: that were measured.
        results: of each, by its name, as the worker reports them.

    Raises:
        ValueError: arms did different work.
    """
    expected = results[arms[0].name]
    for arm in arms:
        found = results[arm.name]
        close = all(abs(found[n] - expected[n]) <= TOLERANCE[arm.dtype] * abs(expected[n]) for n in NORMS)
        if found["segments"] != expected["segments"] or not close:
            raise ValueError(f"{arm.name} did other work than {arms[0].name}: {found}, {expected}")
