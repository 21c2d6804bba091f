"""Losses of CTC, one a row."""

import itertools
import math

import pytest
import torch

from fairseq_samu.ops.ctc_losses import ctc_losses


def collapse(path):
    merged = [label for label, _ in itertools.groupby(path)]
    return [label for label in merged if label != 0]


def exhaustive(logits, labels):
    """Minus the logarithm of the sum over every path of labels, one by one."""
    probs = torch.softmax(logits.double(), dim=-1)
    total = 0.0
    for path in itertools.product(range(logits.size(1)), repeat=logits.size(0)):
        if collapse(path) == labels:
            total += math.prod(float(probs[t, label]) for t, label in enumerate(path))
    return -math.log(total)


def test_equals_the_sum_over_all_paths_whatever_stands_in_padding():
    torch.manual_seed(0)
    logits = torch.randn(2, 5, 3, dtype=torch.float64)
    mask = torch.tensor([[False] * 5, [False] * 4 + [True]])
    labels = torch.tensor([[1, 1, 2], [2, 7, 7]])
    found, fits = ctc_losses(logits, mask, labels, torch.tensor([3, 1]))
    assert fits.tolist() == [True, True]
    assert found.tolist() == pytest.approx([exhaustive(logits[0], [1, 1, 2]), exhaustive(logits[1, :4], [2])])
    logits[1, 4] = 99.0
    assert torch.equal(found, ctc_losses(logits, mask, labels, torch.tensor([3, 1]))[0])


def test_what_does_not_fit_costs_nothing_and_is_named():
    logits = torch.zeros(2, 2, 3, requires_grad=True)
    mask = torch.zeros(2, 2, dtype=torch.bool)
    found, fits = ctc_losses(logits, mask, torch.tensor([[1, 1], [1, 2]]), torch.tensor([2, 2]))
    assert fits.tolist() == [False, True]
    found.sum().backward()
    assert found.tolist() == pytest.approx([0.0, math.log(9)]) and not logits.grad[0].any() and logits.grad[1].any()


def test_half_precision_gives_float32_of_the_same_logits():
    logits = torch.randn(1, 6, 5).bfloat16()
    mask = torch.zeros(1, 6, dtype=torch.bool)
    labels, lengths = torch.tensor([[3, 2]]), torch.tensor([2])
    half, wide = (ctc_losses(x, mask, labels, lengths)[0] for x in (logits, logits.float()))
    assert half.dtype == torch.float32 and torch.equal(half, wide)
