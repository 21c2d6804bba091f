"""The drawer of curves: points lie where they belong, axes are round, lines are told apart, texts are no markup."""

from xml.etree import ElementTree

import pytest

from fairseq_samu.reports.colours import contrast
from fairseq_samu.reports.concept_colours import DARK_CARD, DARK_EDGES, LIGHT_CARD, LIGHT_EDGES
from fairseq_samu.reports.line_panel import (
    Line,
    Mark,
    Panel,
    choose_log_ticks,
    choose_ticks,
    colour_class,
    draw_panel,
    line_rules,
)
from tests.unit.parsed_page import EVIL


def parsed(panel):
    return ElementTree.fromstring(draw_panel(panel))


def points(image):
    return [line.get("points") for line in image.iter("polyline")]


def test_points_lie_between_the_margins():
    # plot area: 52 to 340 - 16 = 324 across, 220 - 36 = 184 up to 34
    panel = Panel("Loss", [Line([(1, 9.5), (2, 8.5), (5, 7.5)])], "a label")
    assert points(parsed(panel)) == ["52.0,34.0 120.0,109.0 324.0,184.0"]


def test_ticks_widen_the_axis_and_the_base_is_drawn_as_one():
    image = parsed(Panel("x", [Line([(0, 0.25), (10, 0.5)])], "", ticks=(-1.0, 0.0, 1.0), base=0.0))
    # from -1 at 184 to 1 at 34: 75 pixels for 1
    assert points(image) == ["52.0,90.2 324.0,71.5"]
    across = {path.get("d"): path.get("class") for path in image.iter("path")}
    assert across["M52 109.0H324"] == "axis"
    assert across["M52 184.0H324"] == across["M52 34.0H324"] == "grid"


def test_a_logarithmic_axis():
    image = parsed(Panel("x", [Line([(0, 0.1), (1, 1.0), (2, 10.0)])], "", ticks=(0.1, 1.0, 10.0), logarithmic=True))
    assert points(image) == ["52.0,184.0 188.0,109.0 324.0,34.0"]


def test_a_span_is_the_axis_to_the_right():
    image = parsed(Panel("x", [Line([(5, 1.0), (10, 3.0)])], "", unit="update", span=(0, 20)))
    assert points(image) == ["120.0,184.0 188.0,34.0"]
    assert {"update 0", "20"} <= {text.text for text in image.iter("text")}


def test_one_point_and_equal_values_are_drawn():
    assert points(parsed(Panel("x", [Line([(3, 2.0)])], ""))) == ["52.0,184.0"]


def test_a_mark_stands_at_its_moment_with_its_text_on_the_roomy_side():
    marks = [Mark(1, "early", "c2"), Mark(9, "late")]
    image = parsed(Panel("x", [Line([(0, 0.0), (10, 1.0)])], "", marks=marks))
    paths = [path.get("d") for path in image.iter("path") if "mark" in path.get("class")]
    assert paths == ["M79.2 34V184", "M296.8 34V184"]
    anchors = {text.text: text.get("text-anchor") for text in image.iter("text")}
    assert anchors["early"] == "start" and anchors["late"] == "end"


def test_the_legend_names_lines_that_have_a_name_and_makes_room_for_itself():
    lines = [Line([(0, 0.0), (1, 1.0)], "c1", "first"), Line([(0, 1.0), (1, 0.0)], "c1 faint")]
    image = parsed(Panel("x", lines, ""))
    assert image.get("height") == "237" and image.get("viewBox") == "0 0 340 237"
    samples = [line.get("class") for line in image.iter("polyline")]
    assert samples == ["c1", "c1 faint", "c1"]
    many = parsed(Panel("x", [Line([(0, 1.0)], name="n" * 30) for _ in range(4)], ""))
    assert int(many.get("height")) == 220 + 4 * 17


def test_texts_are_no_markup():
    panel = Panel(EVIL, [Line([(0, 1.0)], name=EVIL)], EVIL, unit=EVIL, marks=[Mark(0, EVIL)], caption=EVIL)
    image = parsed(panel)
    assert image.get("aria-label") == EVIL
    assert sum(EVIL in (text.text or "") for text in image.iter("text")) == 5


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (-0.1, 0.4, [-0.1, 0.0, 0.1, 0.2, 0.3, 0.4]),
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 0.37, [0, 0.1, 0.2, 0.3, 0.4]),
        (0, 0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (3, 3, [0, 1, 2, 3]),
        (-0.5, -0.5, [-0.5, -0.4, -0.3, -0.2, -0.1, 0]),
        (0, 12345, [0, 5000, 10000, 15000]),
    ],
)
def test_ticks_are_round_and_hold_the_range(low, high, ticks):
    assert choose_ticks(low, high) == ticks


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.9, 1.1, [0.5, 1, 2]),
        (1, 10, [1, 2, 5, 10]),
        (0.02, 3, [0.01, 0.1, 1, 10]),
        (1, 1, [1, 2]),
        (2e-9, 9e9, [1e-9, 1e-5, 1e-1, 1e3, 1e7, 1e11]),
    ],
)
def test_logarithmic_ticks_are_round_and_hold_the_range(low, high, ticks):
    assert choose_log_ticks(low, high) == ticks


def test_every_colour_has_its_rule_and_stands_out():
    light, dark = line_rules()
    for number in range(len(LIGHT_EDGES)):
        assert f".{colour_class(number)}{{stroke:#" in light and f".{colour_class(number)}{{stroke:#" in dark
    assert colour_class(len(LIGHT_EDGES)) == colour_class(0)
    assert min(contrast(edge, LIGHT_CARD) for edge in LIGHT_EDGES) >= 3
    assert min(contrast(edge, DARK_CARD) for edge in DARK_EDGES) >= 3
