"""The half precision that training has rounded weights to is found by their values."""

import pytest
import torch

from fairseq_samu.checkpoints.rounding import convert, find_base_dtype, find_rounding

FINE = torch.tensor([1.0 + 2**-20])  # in neither half precision
BRAIN = torch.tensor([2.0**40])  # beyond float16
HALF = torch.tensor([1.0 + 2**-10])  # finer than bfloat16


@pytest.mark.parametrize(
    ("tensors", "rounding"),
    [([BRAIN], "bfloat16"), ([HALF], "float16"), ([BRAIN, HALF], None), ([FINE], None), ([HALF, FINE], None)],
)
def test_rounding(tensors, rounding):
    state = {str(place): tensor for place, tensor in enumerate(tensors)} | {"count": torch.tensor(3_000_000_001)}
    assert find_rounding(state) == rounding
    assert find_base_dtype(state) == (rounding or "float32")


def test_types_of_a_base():
    assert find_base_dtype({"a": FINE.double()}) == "float64"
    assert find_base_dtype({"a": FINE.half()}) in ("float16", "bfloat16")
    assert find_base_dtype({"a": FINE, "b": FINE.double()}) is None
    assert find_base_dtype({"a": torch.tensor(1)}) is None


def test_whole_numbers_are_not_converted():
    state = convert({"a": FINE, "count": torch.tensor(3)}, "bfloat16")
    assert state["a"].dtype == torch.bfloat16 and state["a"] == 1.0
    assert state["count"].dtype == torch.int64
