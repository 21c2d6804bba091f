"""Scores of understanding and spans, and what is said where they are malformed."""

import json

import pytest

from fairseq_samu.errors import SamuError
from fairseq_samu.reports.concept_spans import Span
from fairseq_samu.reports.understanding_inputs import read_spans, read_understanding
from fairseq_samu.scoring.understanding import UnderstandingPlan, score_understanding
from fairseq_samu.scoring.understanding_summary import describe_summary, summarise_understanding

HYPOTHESES, REFERENCES = ["<a> x >", "<b> y >"], ["<a> x >", "<a> y >"]


@pytest.fixture
def scores():
    plan = UnderstandingPlan(num_resamples=50)
    return describe_summary(summarise_understanding(score_understanding(HYPOTHESES, REFERENCES, plan), {}, plan))


def read(tmp_path, value):
    path = tmp_path / "score.json"
    path.write_text(json.dumps(value))
    return read_understanding(path)


def test_what_the_scorer_writes_is_read(tmp_path, scores):
    assert read(tmp_path, scores) == json.loads(json.dumps(scores))
    assert scores["cer"] == 50.0 and "cer_interval" in scores


def test_rates_without_reference_are_null(tmp_path, scores):
    scores["cer"] = None
    del scores["cer_interval"]
    assert read(tmp_path, scores)["cer"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cer": "x"}, "`cer`"),
        ({"wer": True}, "`wer`"),
        ({"wer": -1}, "`wer`"),
        ({"cver": float("nan")}, "`cver`"),
        ({"cer_interval": [1]}, "`cer_interval`"),
        ({"cer_interval": [1, "2"]}, "`cer_interval`"),
        ({"counts": None}, "`counts.cher`"),
        ({"counts": {"cher": {"substitutions": 1}}}, "`counts.cher`"),
        ({"signature": "x"}, "`signature`"),
        ({"notes": [3]}, "`notes`"),
    ],
)
def test_malformed_scores_are_named(tmp_path, scores, change, message):
    with pytest.raises(SamuError, match=rf"score\.json: {message}"):
        read(tmp_path, {**scores, **change})


def test_all_faults_come_together(tmp_path):
    with pytest.raises(SamuError) as caught:
        read(tmp_path, {})
    assert len(str(caught.value).splitlines()) == 8  # rate and counts of four metrics


CONCEPT = {"concept": "a", "value": "x", "start": 0.5, "end": 1}


def test_spans_are_read_by_row(tmp_path):
    path = tmp_path / "spans.jsonl"
    rows = [{"row": 2, "id": "i", "text": "t", "concepts": [CONCEPT]}, {"row": 0, "concepts": []}]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    assert read_spans(path) == {2: [Span("a", "x", 0.5, 1.0)], 0: []}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "[" * 100_000,
        '{"row": -1, "concepts": []}',
        '{"row": true, "concepts": []}',
        '{"row": 1}',
        '{"row": 1, "concepts": [3]}',
        *(
            json.dumps({"row": 1, "concepts": [{**CONCEPT, **change}]})
            for change in ({"concept": 3}, {"value": None}, {"start": "0"}, {"start": 2}, {"end": float("inf")})
        ),
    ],
)
def test_malformed_lines_are_all_named(tmp_path, line):
    path = tmp_path / "spans.jsonl"
    path.write_text(f'{{"row": 0, "concepts": []}}\n{line}\n{line}\n')
    with pytest.raises(SamuError) as caught:
        read_spans(path)
    faults = str(caught.value).splitlines()
    assert [fault.split(": ")[0] for fault in faults] == [f"{path}:2", f"{path}:3"]


def test_a_row_that_comes_twice_is_named(tmp_path):
    path = tmp_path / "spans.jsonl"
    path.write_text('{"row": 4, "concepts": []}\n' * 2)
    with pytest.raises(SamuError, match=r"spans\.jsonl:2: `row`.*'4'"):
        read_spans(path)
