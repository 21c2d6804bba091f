"""Language balancing against the numbers of the paper's formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_samu.data.sampling import count_drawn, language_probabilities, sample_epoch, sample_stream


def test_probabilities_of_the_worked_example():
    counts = [2000, 1000, 10]
    probabilities = language_probabilities(counts, 0.05)
    assert probabilities.tolist() == pytest.approx([0.3659, 0.3534, 0.2807], abs=5e-5)
    ratios = probabilities * sum(counts) / np.asarray(counts)
    assert ratios.tolist() == pytest.approx([0.5506, 1.0638, 84.497], rel=1e-4)


@pytest.mark.parametrize(("alpha", "expected"), [(1.0, [0.75, 0.25]), (0.0, [0.5, 0.5])])
def test_proportional_and_uniform(alpha, expected):
    assert language_probabilities([3, 1], alpha).tolist() == pytest.approx(expected)


def test_a_language_without_rows_is_never_drawn():
    assert language_probabilities([5, 0, 5], 0.0).tolist() == pytest.approx([0.5, 0.0, 0.5])


def test_quotas_fill_the_epoch():
    for alpha in (0.0, 0.05, 0.5, 1.0):
        assert count_drawn([2000, 1000, 10], alpha, 3010).sum() == 3010


def test_alpha_one_takes_every_row_once():
    ids = np.array([0, 0, 1, 1, 1])
    assert sorted(sample_epoch(ids, 1.0, seed=1, epoch=4)) == [0, 1, 2, 3, 4]


def test_all_rows_of_a_language_come_before_one_repeats():
    ids = np.array([0] * 7 + [1] * 3)
    drawn = [sample_epoch(ids, 0.0, seed=5, epoch=epoch) for epoch in range(1, 8)]
    assert all(len(rows) == 10 for rows in drawn)
    stream = np.concatenate([rows[rows < 7] for rows in drawn])
    for start in range(0, 35, 7):
        assert sorted(stream[start : start + 7]) == list(range(7))


def test_an_epoch_depends_on_its_number_alone():
    ids = np.array([0] * 7 + [1] * 3)
    assert (sample_epoch(ids, 0.3, 5, 6) == sample_epoch(ids, 0.3, 5, 6)).all()
    assert (sample_epoch(ids, 0.3, 5, 6) != sample_epoch(ids, 0.3, 5, 7)).any()


def test_quotas_of_a_given_total():
    assert count_drawn([30, 10], 1.0, 8).tolist() == [6, 2]
    assert count_drawn([30, 10], 0.0, 7).tolist() == [4, 3]
    assert count_drawn([30, 10], 0.5, 1000).tolist() == [634, 366]  # 3^.5 : 1


@pytest.mark.parametrize("total", [0, 1, 3, 7, 16])
def test_epochs_of_any_length_use_all_rows_before_one_repeats(total):
    ids = np.zeros(7, dtype=np.int64)
    drawn = [sample_stream(ids, 1.0, 5, (epoch - 1) * total, total) for epoch in range(1, 15)]
    assert all(len(rows) == total for rows in drawn)
    stream = np.concatenate(drawn)
    for start in range(0, len(stream) - 6, 7):
        assert sorted(stream[start : start + 7]) == list(range(7))


def test_a_given_total_keeps_the_shares_of_languages():
    ids = np.array([0] * 9 + [1] * 3)
    assert np.bincount(ids[sample_stream(ids, 1.0, 5, 8, 8)]).tolist() == [6, 2]
    assert np.bincount(ids[sample_stream(ids, 0.0, 5, 8, 8)]).tolist() == [4, 4]


def test_a_small_language_comes_though_epochs_are_short():
    ids = np.array([0] * 99 + [1])
    drawn = np.concatenate([sample_stream(ids, 1.0, 5, 40 * epoch, 40) for epoch in range(5)])
    assert np.bincount(drawn, minlength=100).tolist() == [2] * 100
    epochs = [sample_stream(np.array([0] * 200 + [1] * 2), 1.0, 5, 20 * epoch, 20) for epoch in range(101)]
    assert (np.bincount(np.concatenate(epochs)) == 10).all()
    assert {len(rows) for rows in epochs} == {20}


COUNTS = st.lists(st.integers(0, 60), min_size=1, max_size=12).filter(sum)
ALPHAS = st.sampled_from([0.0, 0.05, 0.5, 1.0, 2.0])


@settings(max_examples=200, deadline=None)
@given(COUNTS, ALPHAS, st.integers(0, 400))
def test_what_is_drawn_is_what_comes_first(counts, alpha, length):
    drawn = count_drawn(counts, alpha, length)
    assert drawn.sum() == length
    probabilities = language_probabilities(counts, alpha)
    assert not drawn[probabilities == 0].any()
    here = probabilities > 0
    last, following = (drawn[here] - 0.5) / probabilities[here], (drawn[here] + 0.5) / probabilities[here]
    assert last.max() <= following.min() * (1 + 1e-12)


@settings(max_examples=100, deadline=None)
@given(COUNTS, ALPHAS, st.lists(st.integers(0, 90), min_size=2, max_size=6))
def test_cuts_add_up_to_the_stream(counts, alpha, lengths):
    ids = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum([0, *lengths])
    parts = [sample_stream(ids, alpha, 3, start, length) for start, length in zip(starts[:-1], lengths, strict=True)]
    assert [len(part) for part in parts] == lengths
    whole = sample_stream(ids, alpha, 3, 0, sum(lengths))
    assert sorted(np.concatenate(parts)) == sorted(whole)
    if alpha == 1.0:  # all rows come before one repeats, whatever their language
        seen = np.bincount(whole, minlength=len(ids))
        assert seen.min() >= sum(lengths) // len(ids)
        assert seen.max() <= -(-sum(lengths) // len(ids))
