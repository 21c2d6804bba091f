"""Utterances of the page: which are chosen, what they carry for the filters, whose spans they are."""

import pytest

from fairseq_samu.errors import SamuError
from fairseq_samu.reports.concept_spans import Span
from fairseq_samu.reports.understood_rows import UnderstoodRow, choose_rows, lay_out_rows, require_fitting_spans
from fairseq_samu.scoring.understanding import cut_utterance
from tests.unit.parsed_page import EVIL, Page


def make_row(name="u1", reference="<a> x >", hypothesis="<a> x >", language="fr", spans=None):
    cut = (cut_utterance(reference), cut_utterance(hypothesis))
    return UnderstoodRow(name, language, f"{name}.ogg", 2.0, reference, hypothesis, cut, spans)


def lay_out(rows, total=None):
    looks = {name: place for place, name in enumerate(sorted({n for row in rows for n in row.names}))}
    return Page("".join(lay_out_rows(rows, total or len(rows), looks, lambda spec: b"OggS" + spec.encode())))


def test_kinds_and_names():
    row = make_row(reference="<a> x > <b> y > <d> w >", hypothesis="<a> z > <c> y >")
    assert row.kinds == {"value", "wrong", "missed"} and row.names == {"a", "b", "c", "d"}
    assert make_row().kinds == set()


def test_each_language_and_right_and_wrong_ones_are_chosen():
    rows = [make_row(f"fr{i}") for i in range(50)]
    rows += [make_row("fr-wrong", hypothesis="x"), make_row("it", language="it")]
    chosen = choose_rows(rows, 3)
    assert {(row.language, bool(row.kinds)) for row in chosen} == {("fr", False), ("fr", True), ("it", False)}
    assert choose_rows(rows[::-1], 10) == choose_rows(rows, 10), "whatever the order of the file"
    assert len(choose_rows(rows, 100)) == 52 and choose_rows(rows, 0) == []


def test_articles_carry_what_the_filters_ask_for():
    rows = [make_row(), make_row("u2", hypothesis="<b> x > <c> y >", language="it")]
    page = lay_out(rows)
    articles = [
        (x["data-language"], x["data-kinds"], x["data-concepts"]) for tag, x in page.elements if tag == "article"
    ]
    assert articles == [("fr", "", "0"), ("it", "inserted wrong", "0 1 2")]
    values = [option["value"] for option in page.find("option")]
    assert values == ["", "fr", "it", "", "any", "none", "value", "wrong", "missed", "inserted", "", "0", "1", "2"]
    assert len(page.find("audio")) == 2


def test_one_language_needs_no_choice():
    assert [select["name"] for select in lay_out([make_row()]).find("select")] == ["kind", "concept"]
    assert "1 of 7 utterances" in lay_out([make_row()], 7).text


def test_times_are_shown_where_they_are_known():
    spans = [Span("a", "x", 0.0, 1.0)]
    shown = lay_out([make_row(spans=spans)])
    assert len(shown.find("button")) == 1 and "a click plays" in shown.text
    assert lay_out([make_row()]).find("button") == [] and "a click plays" not in lay_out([make_row()]).text


def test_spans_of_other_hypotheses_are_named_all_at_once():
    spans = [Span("b", "x", 0.0, 1.0)]
    rows = [make_row(spans=spans), make_row(), make_row(spans=[]), make_row(spans=[Span("a", "other", 0.0, 1.0)])]
    with pytest.raises(SamuError) as caught:
        require_fitting_spans(rows, "spans.jsonl")
    faults = str(caught.value).splitlines()
    assert [fault.split(":")[1] for fault in faults] == [" row 0", " row 2"]
    require_fitting_spans(rows[1:2], "spans.jsonl")


def test_nothing_of_a_row_is_markup():
    name = EVIL.replace(" ", "").replace("<", "").replace(">", "")
    row = make_row(EVIL, f"<{name}> \\<b\\> >", f"<{name}> \\<i\\> >", '"><b>', [Span(name, "<i>", 0.0, 1.0)])
    page = lay_out([row])
    known = "section h2 p span em form label select option output article small bdi audio div i button dl dt dd b"
    assert set(page.tags) <= set(known.split())
    assert len(page.find("i")) == 1 and page.find("i")[0] == {"class": "head"}
    (article,) = page.find("article")
    assert article["data-language"] == '"><b>'
