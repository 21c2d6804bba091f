"""What was forgotten: means by kind, verdicts by the interval of the paired difference, and what a row lost."""

import numpy as np
import pytest

from fairseq_samu.errors import SamuError
from fairseq_samu.scoring.error_rates import average_rates
from fairseq_samu.scoring.forgetting import Change, compare_languages, count_losses, describe_forgetting
from fairseq_samu.scoring.paired_bootstrap import Figure
from fairseq_samu.scoring.recognition import RecognitionPlan, score_recognition


def figure(score, spread=1.0, seed=0):
    return Figure(score, score + spread * np.random.default_rng(seed).normal(size=200))


def change(before, after, metric="wer", changed=3, **options):
    return Change({metric: figure(before, **options)}, {metric: figure(after, **options)}, 10, changed)


def verdict_of(one, metric="wer"):
    found = describe_forgetting(compare_languages({"ro": one}, []))
    return found["languages"]["ro"]["change"][metric]["verdict"]


@pytest.mark.parametrize(
    ("before", "after", "metric", "verdict"),
    [
        (20, 25, "wer", "worse"),
        (20, 15, "cer", "better"),
        (20, 25, "bleu", "better"),
        (20, 15, "chrf", "worse"),
    ],
)
def test_a_shift_of_every_resample_is_shown(before, after, metric, verdict):
    assert verdict_of(change(before, after, metric), metric) == verdict


def test_an_interval_that_holds_zero_shows_nothing():
    one = Change({"wer": figure(20, seed=1)}, {"wer": figure(20.5, seed=2)}, 10, 3)
    assert verdict_of(one) == "not shown"


def test_the_same_texts_are_said_to_be_the_same():
    assert verdict_of(change(20, 20, changed=0)) == "same output"


def test_without_resamples_there_is_no_verdict():
    one = Change({"wer": Figure(20.0)}, {"wer": Figure(25.0)}, 10, 3)
    described = describe_forgetting(compare_languages({"ro": one}, []))["languages"]["ro"]
    assert described["change"] == {"wer": {"delta": 5.0, "verdict": ""}}
    assert described["before"] == {"wer": 20.0} and described["after"] == {"wer": 25.0}


def test_an_undefined_rate_stays_undefined():
    changes = {"ro": Change({"wer": None}, {"wer": None}, 1, 0), "ca": change(20, 25)}
    described = describe_forgetting(compare_languages(changes, []))
    assert described["languages"]["ro"]["change"] == {"wer": None}
    assert described["means"]["not tuned"]["change"] == {"wer": None}


def test_kinds_are_averaged_apart_and_what_was_not_tuned_comes_first():
    changes = {"be": change(50, 30), "ro": change(20, 24), "ca": change(10, 12)}
    described = describe_forgetting(compare_languages(changes, ["be"]))
    assert list(described["languages"]) == ["ro", "ca", "be"]
    assert [part["tuned"] for part in described["languages"].values()] == [False, False, True]
    means = described["means"]
    assert means["not tuned"]["change"]["wer"]["delta"] == pytest.approx(3)
    assert means["tuned"]["change"]["wer"]["delta"] == pytest.approx(-20)
    assert (means["not tuned"]["rows"], means["not tuned"]["changed"]) == (20, 6)
    assert means["not tuned"]["before"]["wer"] == pytest.approx(15)


@pytest.mark.parametrize(("tuned", "left"), [(["fr"], ["en-es"]), (["en"], None), (["fr-en"], ["en-es"]), (["xx"], 2)])
def test_a_pair_is_tuned_where_it_or_one_of_its_languages_is_named(tuned, left):
    changes = {"fr-en": change(20, 30), "en-es": change(20, 30)}
    if left is None:
        with pytest.raises(SamuError, match="`languages` must be some that were not tuned"):
            compare_languages(changes, tuned)
        return
    found = compare_languages(changes, tuned)
    untuned = [name for name in found.languages if name not in found.tuned]
    assert untuned == left if isinstance(left, list) else len(untuned) == left


def test_the_difference_is_paired():
    """Nearly all of the spread is that of the rows, which both sides share."""
    references = ["a b c d e f g h"] * 30 + ["x"] * 30
    before = ["a b c d e f g h"] * 30 + ["y"] * 30
    after = [text.replace("h", "q") for text in before]
    plan = RecognitionPlan(num_resamples=200)
    sides = [score_recognition(texts, references, plan).figures for texts in (before, after)]
    described = describe_forgetting(compare_languages({"ro": Change(*sides, 60, 30)}, []))["languages"]["ro"]
    low, high = described["change"]["wer"]["interval"]
    widths = [part["wer_interval"][1] - part["wer_interval"][0] for part in (described["before"], described["after"])]
    assert 0 < low < described["change"]["wer"]["delta"] < high
    assert high - low < max(widths) / 2
    assert described["change"]["wer"]["verdict"] == "worse"


def test_what_rows_lost():
    assert count_losses(["abcd", "abcd", ""], ["abcd", "xx", "a"], ["abxd", "abcd", ""]) == [1, -4, -1]


def test_resamples_are_averaged_only_where_all_parts_have_as_many():
    whole, short = figure(10), Figure(20.0, np.ones(7))
    assert average_rates({"a": {"wer": whole}, "b": {"wer": short}}) == {"wer": Figure(15.0)}
    assert average_rates({"a": {"wer": whole}, "b": {"wer": None}}) == {"wer": None}
    mean = average_rates({"a": {"wer": whole}, "b": {"wer": figure(20, seed=1)}})["wer"]
    assert mean.score == 15 and len(mean.samples) == 200
