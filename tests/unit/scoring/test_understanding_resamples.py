"""Intervals and tests of understanding: given by the seed, as wide as they must be, fair to equal systems."""

import random

import numpy as np
import pytest

from fairseq_samu.scoring.paired_bootstrap import compare
from fairseq_samu.scoring.understanding import METRICS, UnderstandingPlan, score_understanding, select_rows


def corpus(share, seed, rows=300):
    draw, errors = random.Random(1), random.Random(seed)
    references, hypotheses = [], []
    for _ in range(rows):
        concepts = [f"<{draw.choice('abc')}> {draw.choice(['x', 'y', 'z'])} >" for _ in range(draw.randint(1, 4))]
        references.append(" ".join(concepts))
        hypotheses.append(" ".join("<d> w >" if errors.random() < share else concept for concept in concepts))
    return hypotheses, references


def test_intervals_are_given_by_the_seed_and_hold_the_score():
    texts = corpus(0.2, seed=2)
    first, again, other = (score_understanding(*texts, UnderstandingPlan(seed=seed)) for seed in (5, 5, 6))
    for metric in METRICS:
        low, high = first.figures[metric].interval()
        assert low < first.figures[metric].score < high
        assert (low, high) == again.figures[metric].interval()
        assert (low, high) != other.figures[metric].interval()


def test_the_interval_has_the_width_of_the_binomial():
    references = ["<a> x >"] * 400
    hypotheses = ["<b> x >"] * 80 + ["<a> x >"] * 320
    low, high = score_understanding(hypotheses, references).figures["cer"].interval()
    assert high - low == pytest.approx(2 * 1.96 * 100 * (0.2 * 0.8 / 400) ** 0.5, rel=0.1)


def test_a_system_is_tested_against_another_on_the_same_rows():
    good, references = corpus(0.1, seed=2)
    poor, _ = corpus(0.4, seed=3)
    better, worse = (score_understanding(texts, references).figures for texts in (good, poor))
    for metric in METRICS:
        same = compare(better[metric], score_understanding(list(good), references).figures[metric])
        assert (same.delta, same.interval, same.two_sided) == (0, (0, 0), 1)
        found = compare(better[metric], worse[metric])
        assert found.delta < 0
        assert found.interval[1] < 0
        assert found.two_sided == pytest.approx(2 / 1001)
        assert compare(worse[metric], better[metric]).two_sided == found.two_sided


def test_systems_that_differ_by_chance_are_rarely_different():
    _, references = corpus(0, seed=0, rows=80)
    plan = UnderstandingPlan(num_resamples=100)
    values = []
    for seed in range(60):
        pair = [score_understanding(corpus(0.3, 2 * seed + one, 80)[0], references, plan) for one in (0, 1)]
        values.append(compare(*(scores.figures["cer"] for scores in pair)).two_sided)
    assert np.mean(np.array(values) < 0.05) < 0.15
    assert np.mean(values) == pytest.approx(0.5, abs=0.12)


def test_resamples_without_any_concept_are_left_out():
    references = ["<a> x >", "bonjour", "merci"]
    figure = score_understanding(["<b> x >", "bonjour", "merci"], references).figures["cer"]
    # about (2/3)**3 of the resamples have not the only row with a concept
    assert len(figure.samples) == pytest.approx(1000 * (1 - 8 / 27), rel=0.1)
    assert figure.interval() == (100, 100)


def test_rows_of_a_part_are_scored_as_if_alone():
    plan = UnderstandingPlan(num_resamples=60)
    hypotheses, references = corpus(0.3, seed=4, rows=50)
    rows = [3, 7, 20, 41]
    part = select_rows(score_understanding(hypotheses, references, plan), rows, plan)
    alone = score_understanding([hypotheses[row] for row in rows], [references[row] for row in rows], plan)
    assert part.counts == alone.counts
    assert part.references == alone.references
    for metric in METRICS:
        assert part.figures[metric].interval() == alone.figures[metric].interval()
