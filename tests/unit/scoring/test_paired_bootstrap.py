"""Resampling: sacreBLEU's own intervals and p-values, constructed cases, and what equal systems give."""

import random

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest

from fairseq_samu.scoring.paired_bootstrap import Figure, average, compare, resample, subtract
from fairseq_samu.scoring.translation import ScoringPlan, score_translations

WORDS = ["the", "a", "cat", "dog", "house", "runs", "sees", "big", "small", "red"]


def mean_of(sums):
    return sums[0] / sums[1]


def rows_of(values):
    return [[value, 1.0] for value in values]


def corrupt(texts, share, seed):
    draw = random.Random(seed)
    return [" ".join(draw.choice(WORDS) if draw.random() < share else word for word in text.split()) for text in texts]


@pytest.fixture(scope="module")
def references():
    draw = random.Random(1)
    return [" ".join(draw.choice(WORDS) for _ in range(draw.randint(4, 12))) for _ in range(200)]


def test_the_same_seed_gives_the_same_resamples():
    values = rows_of(range(50))
    first = resample(values, mean_of, 100, seed=3)
    assert first.shape == (100,)
    assert np.array_equal(first, resample(values, mean_of, 100, seed=3))
    assert not np.array_equal(first, resample(values, mean_of, 100, seed=4))


def test_the_spread_is_that_of_the_mean():
    values = np.random.default_rng(0).normal(size=400)
    figure = Figure(values.mean(), resample(rows_of(values), mean_of, 4000))
    assert figure.samples.mean() == pytest.approx(values.mean(), abs=0.005)
    assert figure.samples.std() == pytest.approx(values.std() / 20, rel=0.05)
    low, high = figure.interval()
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


def test_intervals_and_p_values_of_sacrebleu(references):
    systems = [("baseline", corrupt(references, 0.36, 3)), ("system", corrupt(references, 0.3, 2))]
    _, theirs = PairedTest(systems, {"bleu": BLEU(), "chrf": CHRF()}, [references], "bs", 1000)()
    base, system = (score_translations(texts, references, plan=ScoringPlan()) for _, texts in systems)
    for metric, name in (("bleu", "BLEU"), ("chrf", "chrF2")):
        low, high = system.figures[metric].interval()
        assert (high - low) / 2 == pytest.approx(theirs[name][1].ci, abs=1e-4)
        assert system.figures[metric].samples.mean() == pytest.approx(theirs[name][1].mean, abs=1e-4)
        found = compare(system.figures[metric], base.figures[metric])
        assert found.delta == pytest.approx(theirs[name][1].score - theirs[name][0].score)
        assert found.p_value == pytest.approx(theirs[name][1].p_value, abs=0.03)


def test_equal_systems_are_not_different(references):
    texts = corrupt(references, 0.3, 2)
    figure = score_translations(texts, references).figures["bleu"]
    same = compare(figure, score_translations(list(texts), references).figures["bleu"])
    assert (same.delta, same.interval) == (0.0, (0.0, 0.0))
    assert same.p_value == pytest.approx(0.5, abs=0.001)
    assert same.two_sided == 1


def test_p_values_of_systems_that_differ_by_chance_only():
    """Two systems with errors of the same kind: p spreads over 0 to .5, and is below .05 in about one of ten pairs."""
    draw = np.random.default_rng(7)
    values = []
    for _ in range(200):
        one, two = draw.normal(size=(2, 60))
        sides = [Figure(side.mean(), resample(rows_of(side), mean_of, 200)) for side in (one, two)]
        values.append(compare(*sides).p_value)
    assert np.mean(values) == pytest.approx(0.25, abs=0.04)
    assert np.mean(np.array(values) < 0.05) == pytest.approx(0.1, abs=0.06)


def test_a_system_that_is_better_in_every_row():
    base = np.random.default_rng(0).normal(size=80)
    figures = [Figure(side.mean(), resample(rows_of(side), mean_of, 1000)) for side in (base + 1, base)]
    better = compare(*figures)
    assert better.delta == pytest.approx(1.0)
    # the same rows are drawn for both, so that what they have in common cancels
    assert better.interval == pytest.approx((1.0, 1.0))
    assert better.p_value == pytest.approx(1 / 1001)
    worse = compare(*reversed(figures))
    assert (worse.delta, worse.p_value) == (pytest.approx(-1.0), better.p_value)


def test_means_and_differences_resample_by_resample():
    one, two = Figure(4.0, np.array([3.0, 5.0])), Figure(1.0, np.array([1.0, 2.0]))
    assert average([one, two]).score == 2.5
    assert average([one, two]).samples.tolist() == [2.0, 3.5]
    assert subtract(one, two).samples.tolist() == [2.0, 3.0]
    assert average([one, Figure(2.0)]).samples is None
    assert subtract(one, Figure(1.0)) == Figure(3.0)
    assert compare(one, Figure(1.0)) is None
    assert Figure(1.0).interval() is None


def test_data_sets_of_equal_size_are_averaged_as_independent_ones():
    """Both draw the same row numbers; without the shuffle, a mean of two would spread as far as one alone."""
    values = np.random.default_rng(0).normal(size=100)
    figure = Figure(values.mean(), resample(rows_of(values), mean_of, 4000))
    mean = average([figure.shuffled("fr-en"), figure.shuffled("de-en")])
    assert mean.samples.std() == pytest.approx(figure.samples.std() / 2**0.5, rel=0.05)
    assert np.array_equal(figure.shuffled("fr-en").samples, figure.shuffled("fr-en").samples)
    assert sorted(figure.shuffled("fr-en").samples) == sorted(figure.samples)
