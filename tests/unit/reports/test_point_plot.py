"""Points with intervals as an image: what is drawn, where, and in which colour."""

import re
import xml.etree.ElementTree as ElementTree

from fairseq_samu.reports.point_plot import Point, PointPlot, draw_points

SVG = "{http://www.w3.org/2000/svg}"
GROUPS = {"one": [Point(0, 1, 0.5, 1.5, "a & b"), Point(10, 2, 2, 2)], "two": [Point(5, 3, 3, 3, "c")]}
COLOURS = {"one": "#111111", "two": "#222222"}


def draw(**options):
    plot = PointPlot("Title", ("across", "up"), GROUPS, COLOURS, **options)
    return ElementTree.fromstring(draw_points(plot))


def circles(image):
    return [(float(one.get("cx")), float(one.get("cy")), one.get("fill")) for one in image.iter(f"{SVG}circle")]


def test_points_keep_their_order_and_colours():
    (x1, y1, one), (x2, y2, same), (x3, y3, other) = circles(draw())
    assert x1 < x3 < x2 and y1 > y2 > y3, "up is less"
    assert (one, same, other) == ("#111111", "#111111", "#222222")
    assert abs((x1 + x2) / 2 - x3) < 0.11


def test_intervals_have_the_scale_of_the_points():
    image = draw()
    ends = [re.findall(r"[\d.]+", path.get("d")) for path in image.iter(f"{SVG}path") if path.get("stroke-opacity")]
    low, high = float(ends[0][1]), float(ends[0][2])
    (_, y1, _), (_, y2, _), _ = circles(image)
    assert abs((low - high) - (y1 - y2)) < 0.21, "an interval of 1 is as long as a step of 1"
    assert ends[1][1] == ends[1][2]


def test_lines_and_labels():
    assert list(draw().iter(f"{SVG}polyline")) == []
    image = draw(joined=True, to_the_left=("two",))
    assert len(list(image.iter(f"{SVG}polyline"))) == 2
    sides = {text.text: text.get("text-anchor") for text in image.iter(f"{SVG}text") if text.text in ("a & b", "c")}
    assert sides == {"a & b": "start", "c": "end"}


def test_figures_beside_the_axes():
    texts = [text.text for text in draw(digits=(1, 2)).iter(f"{SVG}text")]
    assert "5.0" in texts and "1.75" in texts


def test_nothing_to_draw():
    assert draw_points(PointPlot("Title", ("across", "up"), {"one": []}, COLOURS)) == ""
