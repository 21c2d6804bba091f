"""Annotated text as spans, and spans on the strip of times."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_samu.concepts import escape, extract_concepts, strip_tags
from fairseq_samu.reports.concept_spans import Span, annotated_html, chip, cut_pieces, strip_html
from fairseq_samu.reports.concept_verdicts import Verdict, judge
from tests.unit.parsed_page import EVIL, Page

PARTS = st.lists(
    st.sampled_from(["<a>", "<b-c>", ">", " ", "x", "y z", "\\<", "\\", "<", "<s>", "é", "_"]), max_size=12
)


@settings(max_examples=300, deadline=None)
@given(PARTS.map("".join))
def test_pieces_hold_what_the_scorer_reads(text):
    pieces = cut_pieces(text)
    concepts = [(name, words) for name, words in pieces if name is not None]
    assert concepts == [(concept.name, concept.value) for concept in extract_concepts(text)]
    assert " ".join(" ".join(words for _, words in pieces).split()) == strip_tags(text)


def test_pieces_by_hand():
    text = "je veux <nombre> deux > chambres <type> a \\< b"
    assert cut_pieces(text) == [(None, "je veux"), ("nombre", "deux"), (None, "chambres"), ("type", "a < b")]
    assert cut_pieces("") == cut_pieces(" > ") == []


def show(reference, hypothesis):
    sides = judge(extract_concepts(reference), extract_concepts(hypothesis))
    looks = {"a": 3, "b": 4}
    return [
        Page(annotated_html(text, verdicts, looks, is_reference=place == 0))
        for place, (text, verdicts) in enumerate(zip((reference, hypothesis), sides, strict=True))
    ]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "kinds", "texts"),
    [
        ("<a> x >", "<a> x >", ["is-right", "is-right"], ["a x", "a x"]),
        ("<a> x >", "<a> y >", ["is-value", "is-value"], ["a x ≠ other value", "a y ≠ other value"]),
        ("<a> x >", "<b> x >", ["is-wrong", "is-wrong"], ["a x ✗ taken for b", "b x ✗ should be a"]),
        ("<a> x >", "x", ["is-missed"], ["a x − missed", "x"]),
        ("", "so <a> x >", ["is-inserted"], ["nothing", "so a x + inserted"]),
        ("<a> x >", "<a> >", ["is-value", "is-value"], ["a x ≠ other value", "a empty ≠ other value"]),
    ],
)
def test_verdicts_are_written_and_marked(reference, hypothesis, kinds, texts):
    pages = show(reference, hypothesis)
    spans = [span for page in pages for span in page.find("span", "concept")]
    assert [span["class"].split()[-1] for span in spans] == kinds
    assert [page.text for page in pages] == texts


def test_looks_are_by_name():
    (reference, _) = show("<a> x > <b> y >", "")
    assert [span["class"].split()[1] for span in reference.find("span", "concept")] == ["k3", "k4"]


def test_nothing_of_the_text_is_markup():
    name = "<img/src=x>"
    text = f"{escape(EVIL)} <a&\"'> {escape(name)} > {name}"
    concepts = extract_concepts(text)
    looks = {concept.name: 0 for concept in concepts}
    page = Page(annotated_html(text, judge(concepts, [])[0], looks, is_reference=True))
    assert set(page.tags) <= {"bdi", "b", "em", "span"}
    assert EVIL in page.text and name in page.text
    assert Page(chip(EVIL, 1)).tags == ["span", "b", "bdi"]


def test_the_strip_is_to_scale():
    spans = [Span("a", "x", 0.5, 1.0), Span("b", EVIL, 1.5, 9.0)]
    page = Page(strip_html(spans, [Verdict("right", "a"), Verdict("wrong", "a")], {"a": 1, "b": 2}, 2.0))
    one, other = page.find("button")
    assert (one["style"], one["data-start"], one["data-end"]) == ("left:25.00%;width:25.00%", "0.500", "1.000")
    assert other["style"] == "left:75.00%;width:25.00%", "beyond the end of the recording"
    assert one["title"] == "a: x, 0.50 to 1.00 s" and other["aria-label"] == f"Play b: {EVIL}, 1.50 to 9.00 s"
    assert "is-wrong" in other["class"] and "✗" in page.text
    assert page.tags == ["div", "i", "button", "bdi", "button", "em", "bdi"]
