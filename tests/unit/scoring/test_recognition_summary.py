"""The JSON of scores of recognition: by language, means over languages, tests, and null where nothing is defined."""

import json

import numpy as np
import pytest

from fairseq_samu.errors import SamuError
from fairseq_samu.scoring.paired_bootstrap import resample
from fairseq_samu.scoring.recognition import METRICS, RecognitionPlan, score_recognition
from fairseq_samu.scoring.recognition_summary import describe_comparison, describe_summary, summarise_recognition

REFERENCES = ["un deux trois", "uno due"] * 20
GOOD = ["un deux trois", "uno tre"] * 20
POOR = ["un dix", "tre"] * 20
LANGUAGES = {"fr": range(0, 40, 2), "it": range(1, 40, 2)}
PLAN = RecognitionPlan(num_resamples=100)


def summary(hypotheses, references=REFERENCES, languages=LANGUAGES, plan=PLAN):
    return summarise_recognition(score_recognition(hypotheses, references, plan), languages, plan)


def test_a_system():
    described = describe_summary(summary(POOR))
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert described["wer"] == pytest.approx(100 * (40 + 40) / 100)
    assert described["counts"]["wer"] == {
        "substitutions": 40,
        "deletions": 40,
        "insertions": 0,
        "reference": 100,
        "hits": 20,
        "errors": 80,
    }
    low, high = described["wer_interval"]
    assert low <= described["wer"] <= high
    assert described["rows"] == 40
    assert set(described["signature"]) == set(METRICS)
    assert described["notes"] == []


def test_languages_and_their_mean():
    described = describe_summary(summary(POOR))
    french, italian = described["languages"]["fr"], described["languages"]["it"]
    assert (french["wer"], italian["wer"]) == (pytest.approx(200 / 3), 100)
    assert (french["rows"], italian["rows"]) == (20, 20)
    assert described["mean"]["wer"] == pytest.approx((200 / 3 + 100) / 2)
    assert describe_summary(summary(POOR, languages={}))["mean"] is None
    assert describe_summary(summary(POOR, languages={"fr": range(40)}))["mean"] is None


def test_the_interval_of_a_mean_is_that_of_independent_languages():
    hypotheses = [
        one
        for row in range(200)
        for one in ("un deux trois" if row % 3 else "x deux trois", "uno due" if row % 4 else "x due")
    ]
    languages = {"fr": range(0, 400, 2), "it": range(1, 400, 2)}
    plan = RecognitionPlan(num_resamples=1000)
    found = summary(hypotheses, REFERENCES * 10, languages, plan).mean["wer"]
    spread = [
        np.std(resample([((row % each == 0), size) for row in range(200)], lambda sums: 100 * sums[0] / sums[1]))
        for each, size in ((3, 3), (4, 2))
    ]
    assert np.std(found.samples) == pytest.approx(np.hypot(*spread) / 2, rel=0.08)


def test_a_system_against_another():
    better, worse = summary(GOOD), summary(POOR)
    compared = describe_comparison(better, worse)
    assert compared["overall"]["wer"]["delta"] == pytest.approx(20 - 80)
    assert compared["overall"]["wer"]["p_value"] < 0.05
    assert compared["languages"]["it"]["wer"]["delta"] == -50
    assert compared["mean"]["wer"]["delta"] == pytest.approx((0 + 50) / 2 - (200 / 3 + 100) / 2)
    same = describe_comparison(better, summary(list(GOOD)))
    assert {values["p_value"] for values in same["overall"].values()} == {1}
    assert {values["delta"] for values in same["mean"].values()} == {0}
    with pytest.raises(SamuError, match="the same references"):
        describe_comparison(better, summary(GOOD, GOOD))


def test_without_resamples_there_are_scores_alone():
    plan = RecognitionPlan(num_resamples=0)
    better, worse = summary(GOOD, plan=plan), summary(POOR, plan=plan)
    assert not [key for key in describe_summary(better) if key.endswith("_interval")]
    assert describe_comparison(better, worse)["mean"]["wer"].keys() == {"delta"}


def test_what_a_reader_must_know_is_noted():
    silent = describe_summary(summary(["", "uno"], ["", "uno"], {"fr": [0], "it": [1]}))
    assert silent["notes"] == ["1 of 2 references have no words"]
    assert (silent["languages"]["fr"]["wer"], silent["mean"]["wer"]) == (None, None)
    thai = describe_summary(summary(["สวัสดี", "uno"], ["สวัสดี", "uno"], {"th": [0], "it": [1]}))
    assert thai["notes"] == ["th: in a script that is mostly written without spaces; trust CER, not WER"]


def test_a_mean_without_all_resamples_has_no_interval():
    references, languages = ["un", "", "", "uno"], {"fr": [0, 1, 2], "it": [3]}
    described = describe_summary(summary(["x", "", "", "uno"], references, languages))
    assert described["mean"] == {"wer": 50, "cer": 50}
