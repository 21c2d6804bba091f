"""Probabilities of references: means over tokens, rows that lack them."""

import pytest

from fairseq_samu.errors import SamuError
from fairseq_samu.scoring.reference_scores import mean_log_probability, read_reference_scores


@pytest.fixture
def output(tmp_path):
    """Two rows with one and three tokens, in the order in which the host wrote them, among its other lines."""
    path = tmp_path / "ref.out"
    path.write_text("S-1\tx\nT-1\ty\nH-1\t-4.0\ty\nP-1\t-3.0 -4.0 -5.0\nT-0\tz\nP-0\t-1.0\n2026 | INFO | done\n")
    return path


def test_sums_and_counts_are_those_of_the_rows(output):
    assert read_reference_scores(output, 2).tolist() == [[-1.0, 1.0], [-12.0, 3.0]]


def test_means_are_over_tokens(output):
    table = read_reference_scores(output, 2)
    assert mean_log_probability(table, [0, 1]).score == pytest.approx(-13 / 4)
    assert mean_log_probability(table, [1]).score == pytest.approx(-4)


def test_resamples_draw_rows_with_their_tokens(output):
    """Two rows drawn twice give one of three sums."""
    samples = set(mean_log_probability(read_reference_scores(output, 2), [0, 1]).samples.round(9).tolist())
    assert samples == {-1.0, -3.25, -4.0}


@pytest.mark.parametrize(("count", "named"), [(3, "without row 2"), (1, "with row 1")])
def test_rows_that_do_not_fit_are_named(output, count, named):
    with pytest.raises(SamuError, match=named):
        read_reference_scores(output, count)
