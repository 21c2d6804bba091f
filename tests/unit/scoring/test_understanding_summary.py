"""The JSON of scores of understanding: finite, complete, and null where nothing is defined."""

import json

import pytest

from fairseq_samu.errors import SamuError
from fairseq_samu.scoring.understanding import METRICS, UnderstandingPlan, score_understanding
from fairseq_samu.scoring.understanding_summary import describe_comparison, describe_summary, summarise_understanding

REFERENCES = ["<a> x > <b> y >", "<a> x >", "rien", "<c> z >"] * 10
GOOD = ["<a> x > <b> y >", "<a> w >", "rien", "<c> z >"] * 10
POOR = ["<b> y >", "<b> w >", "<d> rien >", "<c> z >"] * 10
PLAN = UnderstandingPlan(num_resamples=100)


def summary(hypotheses, references=REFERENCES, plan=PLAN, languages=None):
    rows = range(len(references))
    languages = {"fr": list(rows[::2]), "it": list(rows[1::2])} if languages is None else languages
    return summarise_understanding(score_understanding(hypotheses, references, plan), languages, plan)


def test_a_system():
    described = describe_summary(summary(POOR))
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert described["cer"] == pytest.approx(100 * 3 / 4)
    assert described["cver"] == pytest.approx(100 * 3 / 4)
    assert described["counts"]["cer"] == {
        "substitutions": 10,
        "deletions": 10,
        "insertions": 10,
        "reference": 40,
        "hits": 20,
        "errors": 30,
    }
    for metric in METRICS:
        low, high = described[f"{metric}_interval"]
        assert low <= described[metric] <= high
    assert described["rows"] == 40
    assert [part["concept"] for part in described["concepts"]] == ["a", "b", "c", "d"]
    assert {"reference": "a", "hypothesis": "b", "count": 10} in described["confusion"]
    assert {"reference": None, "hypothesis": "d", "count": 10} in described["confusion"]
    assert described["entity_f1"]["found"] == 20
    assert described["label_f1"]["f1"] == 50
    assert set(described["signature"]) == set(METRICS)


def test_languages_are_scored_apart():
    described = describe_summary(summary(POOR))
    french, italian = described["languages"]["fr"], described["languages"]["it"]
    assert (french["rows"], italian["rows"]) == (20, 20)
    assert (french["cer"], italian["cer"]) == (100, 50)
    assert described["cer"] == pytest.approx((french["cer"] + italian["cer"]) / 2)
    assert french["cer_interval"][0] <= 100 <= french["cer_interval"][1]
    assert describe_summary(summary(POOR, languages={}))["languages"] == {}


def test_what_is_not_defined_is_null():
    plain = summary(["<a> x >", "y"], ["bonjour", "merci"], languages={})
    described = describe_summary(plain)
    assert (described["cer"], described["cver"]) == (None, None)
    assert "cer_interval" not in described
    assert described["wer"] == 100
    assert described["counts"]["cer"]["insertions"] == 1
    assert (described["concepts"][0]["recall"], described["concepts"][0]["precision"]) == (None, 0)
    assert describe_comparison(plain, plain)["overall"]["cer"] is None
    json.dumps(described, allow_nan=False)


def test_without_resamples_there_are_no_intervals():
    plan = UnderstandingPlan(num_resamples=0)
    one, two = summary(GOOD, plan=plan), summary(POOR, plan=plan)
    assert not any("interval" in key for key in describe_summary(one))
    assert describe_comparison(one, two)["overall"]["cer"] == {"delta": -75}


def test_a_test_against_a_baseline():
    compared = describe_comparison(summary(GOOD), summary(POOR))
    found = compared["overall"]["cer"]
    assert found["delta"] == -75
    assert found["interval"][0] < -75 < found["interval"][1] < 0
    assert found["p_value"] == pytest.approx(2 / 101)
    assert compared["languages"]["it"]["cer"]["delta"] == -50
    same = describe_comparison(summary(GOOD), summary(list(GOOD)))
    assert {values["p_value"] for values in same["overall"].values()} == {1}


def test_systems_of_other_references_are_not_compared():
    with pytest.raises(SamuError, match="same references"):
        describe_comparison(summary(GOOD), summary(POOR, references=POOR))
