"""Cosine, contrastive loss and nearest neighbours against loops and hand-computed cases."""

import math

import pytest
import torch

from fairseq_samu.ops.similarity import contrastive_loss, cosine, is_nearest, unit_rows


def test_cosine_of_known_angles():
    a = torch.tensor([[2.0, 0.0], [1.0, 0.0], [3.0, 0.0], [1.0, 1.0]])
    b = torch.tensor([[5.0, 0.0], [0.0, 4.0], [-1.0, 0.0], [1.0, 0.0]])
    assert cosine(a, b).tolist() == pytest.approx([1.0, 0.0, -1.0, math.sqrt(0.5)])


def test_cosine_is_wide_inside():
    a = torch.full((1, 512), 100.0, dtype=torch.float16)
    assert cosine(a, a).dtype == torch.float32
    assert cosine(a, a).item() == pytest.approx(1.0, abs=1e-6)


def test_unit_rows_leave_zeros():
    assert unit_rows(torch.zeros(1, 3)).tolist() == [[0.0, 0.0, 0.0]]


def contrast_by_loops(queries, targets, temperature):
    def cos(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))

    size = len(queries)
    losses = []
    for i in range(size):
        same = {j for j in range(size) if j != i and cos(targets[i], targets[j]) > 1 - 1e-6}
        rows = [math.exp(cos(queries[i], targets[j]) / temperature) for j in range(size) if j not in same]
        columns = [math.exp(cos(queries[j], targets[i]) / temperature) for j in range(size) if j not in same]
        own = math.exp(cos(queries[i], targets[i]) / temperature)
        losses.append((-math.log(own / sum(rows)) - math.log(own / sum(columns))) / 2)
    return losses


def test_contrastive_loss_equals_loops_and_leaves_twins_out():
    generator = torch.Generator().manual_seed(1)
    queries = torch.randn(5, 4, generator=generator)
    targets = torch.randn(5, 4, generator=generator)
    targets[3] = targets[1] * 2
    loss = contrastive_loss(queries, targets, 0.2)
    assert loss.tolist() == pytest.approx(contrast_by_loops(queries.tolist(), targets.tolist(), 0.2), rel=1e-4)


def test_contrastive_loss_of_one_row_is_zero():
    assert contrastive_loss(torch.randn(1, 3), torch.randn(1, 3), 0.1).item() == 0.0


def test_is_nearest_counts_ties_against_the_model():
    queries = torch.eye(3)
    assert is_nearest(queries, torch.eye(3), torch.tensor([0, 1, 2])).tolist() == [True] * 3
    assert is_nearest(queries, torch.eye(3), torch.tensor([1, 2, 0])).tolist() == [False] * 3
    twins = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    assert is_nearest(queries[:1], twins, torch.tensor([0])).tolist() == [False]


def test_is_nearest_among_the_allowed():
    candidates = torch.tensor([[1.0, 0.1], [1.0, 0.0]])
    allowed = torch.tensor([[True, False]])
    assert is_nearest(torch.tensor([[1.0, 0.0]]), candidates, torch.tensor([0])).tolist() == [False]
    assert is_nearest(torch.tensor([[1.0, 0.0]]), candidates, torch.tensor([0]), allowed).tolist() == [True]
