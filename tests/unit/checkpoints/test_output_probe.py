"""Outputs are the same where rounding explains the difference, and at no other time."""

import pytest
import torch

from fairseq_samu.checkpoints.output_probe import find_output_fault

OUTPUT = torch.tensor([[0.0, -4.0], [1.0, 2.0]])


@pytest.mark.parametrize("found", [OUTPUT, OUTPUT + 0.0039, OUTPUT - 0.0039])
def test_the_same(found):
    assert find_output_fault("model", "hidden", OUTPUT, found) is None


@pytest.mark.parametrize(
    ("expected", "found", "fault"),
    [
        (OUTPUT, OUTPUT + 0.0041, "equal to 0.001 of its largest value, 4, but is 'off by 0.0041"),
        (OUTPUT, OUTPUT * float("nan"), "off by nan"),
        (OUTPUT * float("nan"), OUTPUT, "off by nan"),
        (OUTPUT, OUTPUT[:1], "of the same shape"),
        (None, OUTPUT, "of the same shape"),
        (OUTPUT, None, "of the same shape"),
    ],
)
def test_others(expected, found, fault):
    said = find_output_fault("model", "hidden", expected, found)
    assert said is not None and said.startswith("model: `hidden` must be ") and fault in said
