"""Means over runs, and ways of training against each other: what is paired, and what a verdict says."""

import numpy as np
import pytest

from fairseq_samu.scoring.paired_bootstrap import Figure, resample
from fairseq_samu.scoring.run_statistics import average_runs, contrast_runs


def figure(score, noise, seed=0):
    return Figure(score, score + noise * np.random.default_rng(seed).standard_normal(1000))


def test_same_rows_are_averaged_draw_by_draw():
    errors = np.random.default_rng(1).integers(0, 2, 50)
    samples = [resample([(e, 1) for e in row], lambda sums: 100 * sums[0] / sums[1]) for row in (errors, 1 - errors)]
    two = [Figure(float(sample.mean()), sample) for sample in samples]
    together = average_runs([("rows", two[0]), ("rows", two[1])])
    assert together.interval() == pytest.approx((50, 50)), "what one run gets wrong the other gets right"
    low, high = average_runs([("rows", two[0]), ("other rows", two[1])]).interval()
    assert high - low > 5, "other rows are other draws"


def test_only_common_runs_are_compared():
    system = {("fr", 1): [("fr", figure(10, 1))], ("fr", 2): [("fr", figure(50, 1))]}
    baseline = {("fr", 1): [("fr", figure(12, 1))], ("it", 1): [("it", figure(90, 1))]}
    found = contrast_runs(system, baseline)
    assert found.num_runs == 1
    assert found.comparison.delta == pytest.approx(-2)
    assert found.comparison.interval == pytest.approx((-2, -2)), "the same draws"
    assert contrast_runs(system, {("it", 1): baseline["it", 1]}) is None
    assert contrast_runs({1: [("fr", Figure(1.0))]}, {1: [("fr", Figure(2.0))]}) is None, "no resamples"


@pytest.mark.parametrize(
    ("delta", "lower_is_better", "verdict"),
    [
        (-9, True, "shown"),
        (-9, False, "the reverse"),
        (9, False, "shown"),
        (9, True, "the reverse"),
        (0.5, True, "not shown"),
        (-0.5, False, "not shown"),
    ],
)
def test_verdicts(delta, lower_is_better, verdict):
    found = contrast_runs({1: [("fr", figure(50 + delta, 1, seed=1))]}, {1: [("fr", figure(50, 1, seed=2))]})
    low, high = found.comparison.interval
    assert found.detectable == pytest.approx((high - low) / 2)
    assert found.verdict(lower_is_better) == verdict
