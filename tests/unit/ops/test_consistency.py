"""Isolated gradients against `.backward()`, cosines and weight rules against literal values and loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fairseq_samu.ops.consistency import (
    cosine_of,
    decay_by_consistency,
    decay_by_norms,
    isolated_gradients,
    mean_of,
    products_with_first,
    ratio_of,
)


def test_gradients_are_those_of_one_loss_alone():
    a, b = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0], requires_grad=True)
    shared = a * b
    first, second = shared.sum(), (shared**2).sum()
    assert [found.tolist() for found in isolated_gradients(first, [a, b])] == [[3.0, 3.0], [3.0]]
    assert [found.tolist() for found in isolated_gradients(second, [a, b])] == [[18.0, 36.0], [30.0]]


def test_grad_and_graph_stay_as_they_are():
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    a.grad = torch.tensor([7.0, 8.0])
    loss = (a**2).sum()
    isolated_gradients(loss, [a])
    assert a.grad.tolist() == [7.0, 8.0]
    loss.backward()
    assert a.grad.tolist() == [9.0, 12.0]


def test_what_is_frozen_or_not_reached_has_no_gradient():
    used, unused = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    frozen = torch.ones(2)
    found = isolated_gradients((used * frozen).sum(), [frozen, unused, used])
    assert found[:2] == [None, None]
    assert found[2].tolist() == [1.0, 1.0]
    assert isolated_gradients((used * frozen).sum(), [frozen]) == [None]
    assert isolated_gradients((used * frozen).sum(), []) == []
    assert isolated_gradients(torch.tensor(1.0), [used]) == [None]


def test_the_pass_ends_at_the_lowest_parameter():
    visited = []

    class Mark(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, name):
            ctx.name = name
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            visited.append(ctx.name)
            return gradient, None

    below, probed = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    loss = Mark.apply(Mark.apply(below, "below") * probed, "above").sum()
    isolated_gradients(loss, [probed])
    assert visited == ["above"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_inner_products_equal_loops(dtype):
    rows = torch.randn(3, 17, generator=torch.Generator().manual_seed(3)).to(dtype)
    lists = rows.double().tolist()
    expected = [
        [math.fsum(x * x for x in row), math.fsum(x * y for x, y in zip(row, lists[0], strict=True))] for row in lists
    ]
    found = products_with_first(rows)
    assert found.dtype == torch.float64
    for one, other in zip(found.tolist(), expected, strict=True):
        assert one == pytest.approx(other, rel=1e-12, abs=1e-12)


def test_squares_of_small_gradients_do_not_vanish():
    assert products_with_first(torch.full((1, 4), 1e-30)).tolist() == [[pytest.approx(4e-60)] * 2]
    tiny = torch.full((1, 4), 6e-8, dtype=torch.float16)  # the smallest that float16 knows
    assert products_with_first(tiny)[0, 0].item() == pytest.approx(4 * 2.0**-48)
    large = torch.full((1, 4), 60000.0, dtype=torch.float16)
    assert products_with_first(large)[0, 0].item() == pytest.approx(4 * 60000.0**2)


@pytest.mark.parametrize(
    ("product", "norm", "other", "expected"),
    [
        (6.0, 2.0, 3.0, 1.0),
        (-6.0, 2.0, 3.0, -1.0),
        (0.0, 2.0, 3.0, 0.0),
        (1.5, 1.0, 3.0, 0.5),
        (6.0000001, 2.0, 3.0, 1.0),  # rounding does not leave the range
        (0.0, 0.0, 3.0, None),
        (0.0, 2.0, 0.0, None),
        (math.nan, 2.0, 3.0, None),
        (1.0, math.inf, 3.0, None),
        (math.inf, 2.0, 3.0, None),
    ],
)
def test_cosines(product, norm, other, expected):
    assert cosine_of(product, norm, other) == expected


@pytest.mark.parametrize(
    ("norm", "main", "expected"),
    [
        (1.0, 2.0, 0.5),
        (0.0, 2.0, 0.0),
        (1.0, 0.0, None),
        (0.0, 0.0, None),
        (None, 2.0, None),
        (1.0, None, None),
        (math.nan, 1.0, None),
        (1.0, math.nan, None),
        (math.inf, 1.0, None),
        (math.inf, math.inf, None),
    ],
)
def test_ratios(norm, main, expected):
    assert ratio_of(norm, main) == expected


def test_means_are_of_what_is_known():
    assert mean_of([1.0, None, 4.0]) == 2.5
    assert mean_of([0.0]) == 0.0
    assert mean_of([None, None]) is None
    assert mean_of([]) is None


@pytest.mark.parametrize(
    ("weight", "ratios", "exponent", "expected"),
    [
        (1.0, [0.5], 1.0, 0.5),  # the first change of ASR
        (0.5, [0.5], 2.0, 0.125),  # the second
        (1.0, [0.25], 0.5, 0.5),  # the first of MT
        (1.0, [0.25, 0.81], 0.5, 0.9),  # the module that it still moves most decides
        (0.8, [3.0], 4.0, 0.8),  # never grows
        (0.8, [1e300], 300.0, 0.8),
        (0.8, [None, 0.25], 0.5, 0.4),
        (0.8, [None], 1.0, 0.8),  # nothing to measure
        (0.8, [], 1.0, 0.8),
        (0.8, [0.0], 1.0, 0.0),
    ],
)
def test_decay_by_norms(weight, ratios, exponent, expected):
    assert decay_by_norms(weight, ratios, exponent) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("weight", "cosine", "rate", "expected"),
    [
        (0.8, 1.0, 0.5, 0.8),
        (0.8, 0.0, 0.5, 0.4),
        (0.8, 0.5, 0.5, 0.6),
        (0.8, -0.5, 0.5, 0.2),  # against the main task: faster
        (0.8, -1.0, 0.5, 0.0),
        (0.8, -1.0, 1.0, 0.0),  # never below zero
        (0.8, -1.0, 0.0, 0.8),
        (0.8, None, 0.5, 0.8),
    ],
)
def test_decay_by_consistency(weight, cosine, rate, expected):
    assert decay_by_consistency(weight, cosine, rate) == pytest.approx(expected)


known = st.one_of(st.none(), st.floats(min_value=0, allow_nan=False, allow_infinity=False))


@given(
    weight=st.floats(0, 10),
    ratios=st.lists(known, max_size=4),
    exponent=st.floats(0, 100),
    cosine=st.one_of(st.none(), st.floats(-1, 1)),
    rate=st.floats(0, 1),
)
def test_weights_never_grow_and_never_turn_negative(weight, ratios, exponent, cosine, rate):
    assert 0 <= decay_by_norms(weight, ratios, exponent) <= weight
    assert 0 <= decay_by_consistency(weight, cosine, rate) <= weight
