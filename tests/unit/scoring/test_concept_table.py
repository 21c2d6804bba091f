"""Concepts found, missed and confused, and F1 in any order, by hand and by a second way of counting."""

import random
from collections import Counter

import pytest

from fairseq_samu.scoring.concept_table import Detection, detect_entities, tabulate_concepts
from fairseq_samu.scoring.understanding import UnderstandingPlan, cut_utterance, score_understanding


def cut(*texts):
    return [cut_utterance(text) for text in texts]


REFERENCES = cut("<a> x > <b> y >", "<a> x > <c> z >", "rien")
HYPOTHESES = cut("<a> w > <c> y >", "<c> z >", "<d> v >")


def test_a_table_by_hand():
    table = tabulate_concepts(REFERENCES, HYPOTHESES)
    found = {
        row.name: (
            row.detection.reference,
            row.detection.found,
            row.substitutions,
            row.deletions,
            row.insertions,
            row.right_values,
        )
        for row in table.rows
    }
    assert found == {
        "a": (2, 1, 0, 1, 0, 0),
        "b": (1, 0, 1, 0, 0, 0),
        "c": (1, 1, 0, 0, 0, 1),
        "d": (0, 0, 0, 0, 1, 0),
    }
    assert list(found) == ["a", "b", "c", "d"]
    assert table.confusion == {("a", "a"): 1, ("a", None): 1, ("b", "c"): 1, ("c", "c"): 1, (None, "d"): 1}
    a, _, c, d = (row.detection for row in table.rows)
    assert (a.precision, a.recall, a.f1) == pytest.approx((100, 50, 200 / 3))
    assert (c.precision, c.recall, c.f1) == pytest.approx((50, 100, 200 / 3))
    assert (d.precision, d.recall, d.f1) == (0, None, 0)


def draw_side(draw, rows):
    concepts = ["<a> x >", "<a> y >", "<b> x >", "<c> >"]
    return cut(*(" ".join(draw.choices(concepts, k=draw.randint(0, 5))) for _ in range(rows)))


def test_rows_and_cells_add_up_to_the_counts_of_the_error_rates():
    draw = random.Random(2)
    references, hypotheses = draw_side(draw, 300), draw_side(draw, 300)
    table = tabulate_concepts(references, hypotheses)
    texts = [
        [" ".join(f"<{c.name}> {c.value} >" for c in one.concepts) for one in side] for side in (hypotheses, references)
    ]
    total = score_understanding(*texts, UnderstandingPlan(num_resamples=0)).totals["cer"]
    assert sum(row.substitutions for row in table.rows) == total.substitutions
    assert sum(row.deletions for row in table.rows) == total.deletions
    assert sum(row.insertions for row in table.rows) == total.insertions
    assert sum(row.detection.found for row in table.rows) == total.hits
    names = Counter(concept.name for one in hypotheses for concept in one.concepts)
    assert {row.name: row.detection.hypothesis for row in table.rows} == names
    assert sum(table.confusion.values()) == total.reference + total.insertions
    assert all(0 < row.right_values <= row.detection.found for row in table.rows)


def test_f1_in_any_order():
    references = cut("<a> x > <b> y > <a> x >", "<c> z >")
    hypotheses = cut("<b> y > <a> x > <a> w >", "")
    assert detect_entities(references, hypotheses) == Detection(2, 4, 3)
    assert detect_entities(references, hypotheses, with_values=False) == Detection(3, 4, 3)
    # one that stands twice must be found twice, and gives no more than it takes
    assert detect_entities(cut("<a> x >"), cut("<a> x > <a> x >")) == Detection(1, 1, 2)


def test_f1_is_the_harmonic_mean():
    detection = Detection(2, 4, 3)
    assert (detection.precision, detection.recall) == pytest.approx((200 / 3, 50))
    assert detection.f1 == pytest.approx(2 * detection.precision * detection.recall / (detection.precision + 50))
    assert (Detection(0, 0, 0).precision, Detection(0, 0, 0).recall, Detection(0, 0, 0).f1) == (None, None, None)
    assert Detection(0, 3, 0).f1 == 0


def test_f1_counts_in_every_row_for_itself():
    assert detect_entities(cut("<a> x >", ""), cut("", "<a> x >")).found == 0


def test_no_concepts_make_an_empty_table():
    table = tabulate_concepts(cut("bonjour", ""), cut("", "merci"))
    assert (table.rows, table.confusion) == ([], {})
