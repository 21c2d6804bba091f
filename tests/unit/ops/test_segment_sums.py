"""Sums and softmax over segments against loops."""

import pytest
import torch

from fairseq_samu.ops.segment_sums import softmax_by_segment, sum_by_segment

SEGMENT_OF = torch.tensor([0, 0, 1, 3, 3, 3])
COUNT = 5


def members(values, segment):
    return values[(segment == SEGMENT_OF).nonzero().flatten()]


def test_sums_equal_loops():
    values = torch.randn(6, 2, 3, dtype=torch.float64)
    sums = sum_by_segment(values, SEGMENT_OF, COUNT)
    for segment in range(COUNT):
        torch.testing.assert_close(sums[segment], members(values, segment).sum(dim=0), rtol=0, atol=1e-12)


def test_softmax_equals_loops_and_survives_extremes():
    scores = torch.randn(6, 2, dtype=torch.float64)
    scores[3:] -= 2000.0
    scores[2] += 2000.0
    weights = softmax_by_segment(scores, SEGMENT_OF, COUNT)
    for segment in (0, 1, 3):
        expected = members(scores, segment).softmax(dim=0)
        torch.testing.assert_close(members(weights, segment), expected, rtol=0, atol=1e-12)


def test_gradients_are_those_of_a_softmax():
    scores = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: softmax_by_segment(x, SEGMENT_OF, COUNT), scores)
    assert torch.autograd.gradcheck(lambda x: sum_by_segment(x, SEGMENT_OF, COUNT), scores)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened(dtype):
    values = torch.ones(3000, 1, dtype=dtype)
    segment_of = torch.zeros(3000, dtype=torch.long)
    assert sum_by_segment(values, segment_of, 1).item() == 3000.0
    weights = softmax_by_segment(values, segment_of, 1)
    torch.testing.assert_close(weights, torch.full((3000, 1), 1 / 3000))
