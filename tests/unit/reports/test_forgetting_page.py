"""The page of forgetting: tables, plots, rows that lost most, escaped texts."""

import pytest

from fairseq_samu.reports.forgetting_page import LostRow, build_page, choose_losses, draw_changes
from fairseq_samu.reports.forgetting_tables import HEADER, list_changes, tabulate_forgetting
from tests.unit.parsed_page import EVIL, Page


def part(before, delta, verdict="worse", tuned=False, metric="wer"):
    change = {"delta": delta, "interval": [delta - 1, delta + 1], "p_value": 0.01, "verdict": verdict}
    scores = {
        "before": {metric: before, f"{metric}_interval": [before - 1, before + 1]},
        "after": {metric: before + delta},
    }
    return {"tuned": tuned, "rows": 10, "changed": 4, **scores, "change": {metric: change}}


RESULT = {
    "languages": {"ro": part(20, 3), "ca": part(10, 0.5, "not shown"), "be": part(50, -20, "better", tuned=True)},
    "means": {"not tuned": {**part(15, 1.75), "rows": 20}, "tuned": part(50, -20, "better")},
}


def row(language="ro", loss=1, **fields):
    return LostRow(
        **{"id": "u1", "language": language, "reference": "r", "before": "b", "after": "a", **fields}, loss=loss
    )


def test_cells_of_every_language_and_mean():
    lines = list(list_changes(RESULT, "wer"))
    assert [line[0] for line in lines] == ["ro", "ca", "mean of 2 not tuned", "be (tuned)"]
    expected = ["ro", "10", "4", "20.00 [19.00, 21.00]", "23.00", "+3.00 [+2.00, +4.00]", "0.010", "worse"]
    assert lines[0] == expected
    (table,) = tabulate_forgetting({"adapters": RESULT})
    assert table.title == "adapters: WER before and after" and table.header == HEADER
    assert len(table.as_text().splitlines()) == 6


def test_what_is_not_known_is_a_dash():
    bare = {**part(20, 3), "change": {"wer": {"delta": 3.0, "verdict": ""}}}
    undefined = {**part(20, 3), "before": {"wer": None}, "after": {"wer": None}, "change": {"wer": None}}
    lines = list(list_changes({"languages": {"ro": bare, "ca": undefined}, "means": {"not tuned": bare}}, "wer"))
    assert lines[0][-3:] == ["+3.00", "-", "-"]
    assert lines[1][-5:] == ["-"] * 5
    assert draw_changes({"languages": {"ca": undefined}}, "wer") == ""


@pytest.mark.parametrize(("metric", "rule"), [("wer", "above 0 is worse"), ("chrf", "below 0 is worse")])
def test_the_plot_says_which_way_is_worse(metric, rule):
    image = draw_changes({"languages": {"ro": part(20, 3, metric=metric)}}, metric)
    assert rule in image and ">ro<" in image


def test_rows_that_lost_most_in_turn_of_each_language():
    rows = [row(loss=2), row(loss=9), row("ca", loss=5), row("ca", loss=0), row(loss=-3)]
    assert [(one.language, one.loss) for one in choose_losses(rows, 9)] == [("ro", 9), ("ca", 5), ("ro", 2)]
    assert len(choose_losses(rows, 1)) == 1 and choose_losses(rows, 0) == []


def test_the_whole_page():
    losses = {"one": [row(loss=9, reference=EVIL, before=EVIL, after="after", id=EVIL)]}
    page = Page(build_page({"one": RESULT, EVIL: RESULT}, losses, {"wer": "norm:none"}, EVIL))
    assert "script" not in page.tags
    assert page.text.count(EVIL) == 5, "note, heading, title, reference, before"
    assert len(page.find("svg")) == 2 and len(page.find("article")) == 1 and len(page.find("details")) == 1
    assert "mean of 2 not tuned" in page.text and "norm:none" in page.text
    assert page.addresses == []
