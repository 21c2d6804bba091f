"""Batches keep every row within the limits."""

import numpy as np
import pytest

from fairseq_samu.data.batching import make_batches, order_by_length, padding_share
from fairseq_samu.errors import ConfigError


@pytest.mark.parametrize("count", [1, 7, 8, 23, 24, 25])
def test_no_row_is_lost_whatever_the_count(count):
    batches = make_batches(range(count), [5] * count, None, 8)
    assert [row for batch in batches for row in batch] == list(range(count))


def test_limits_hold_with_padding():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 100, 200)
    second = rng.integers(1, 30, 200)
    batches = make_batches(range(200), lengths, 400, 10, second, 90)
    for batch in batches:
        assert len(batch) <= 10
        assert len(batch) == 1 or (lengths[batch].max() * len(batch) <= 400 and second[batch].max() * len(batch) <= 90)
    assert [row for batch in batches for row in batch] == list(range(200))


def test_a_row_over_the_limit_stands_alone():
    assert make_batches([0, 1, 2], [5, 100, 5], 20, None) == [[0], [1], [2]]


def test_batches_are_filled_greedily():
    assert make_batches([0, 1, 2, 3], [1, 2, 2, 4], 6, None) == [[0, 1, 2], [3]]


@pytest.mark.parametrize(("tokens", "sentences"), [(None, None), (0, 3), (5, -1)])
def test_impossible_limits_are_refused(tokens, sentences):
    with pytest.raises(ConfigError, match="must be"):
        make_batches([0], [1], tokens, sentences)


def test_buckets_leave_little_padding_and_still_shuffle():
    lengths = np.random.default_rng(1).integers(16000, 160000, 500)
    rows = np.arange(500)
    first = order_by_length(rows, lengths, np.random.default_rng([1, 1]))
    second = order_by_length(rows, lengths, np.random.default_rng([1, 2]))
    assert sorted(first) == list(range(500))
    assert (first != second).any()
    assert padding_share(make_batches(first, lengths[first], None, 16), lengths) < 0.12
    unsorted_share = padding_share(make_batches(rows, lengths, None, 16), lengths)
    assert unsorted_share > 0.3


def test_order_without_draws_is_stable():
    assert order_by_length(np.array([4, 5, 6]), np.array([2, 1, 2]), None).tolist() == [5, 4, 6]
