"""Verdicts on concepts."""

import pytest

from fairseq_samu.concepts import extract_concepts
from fairseq_samu.reports.concept_verdicts import KINDS, MARKS, judge


def kinds(reference, hypothesis):
    expected, given = judge(extract_concepts(reference), extract_concepts(hypothesis))
    return [(x.kind, x.other) for x in expected], [(x.kind, x.other) for x in given]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected", "given"),
    [
        ("", "", [], []),
        ("<a> x >", "<a> x >", [("right", "a")], [("right", "a")]),
        ("<a> x >", "<a> y >", [("value", "a")], [("value", "a")]),
        ("<a> x >", "<b> x >", [("wrong", "b")], [("wrong", "a")]),
        ("<a> x >", "x", [("missed", "")], []),
        ("x", "<a> x >", [], [("inserted", "")]),
        (
            "<a> x > <b> y > <c> z >",
            "<b> y > <c> w > <d> v >",
            [("missed", ""), ("right", "b"), ("value", "c")],
            [("right", "b"), ("value", "c"), ("inserted", "")],
        ),
    ],
)
def test_each_kind(reference, hypothesis, expected, given):
    assert kinds(reference, hypothesis) == (expected, given)


def test_every_kind_has_a_sign_of_its_own():
    assert set(KINDS) == set(MARKS)
    assert len(set(MARKS.values())) == len(MARKS)
