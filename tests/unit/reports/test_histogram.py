"""Distributions: every value in its range, bars of the right height."""

from xml.etree import ElementTree

import pytest

from fairseq_samu.reports.histogram import count_by_range, histogram_svg
from tests.unit.parsed_page import EVIL


@pytest.mark.parametrize(
    ("values", "edges", "counts"),
    [
        ([1, 2, 2.5, 4], [1, 2, 3, 4], [1, 2, 1]),
        ([0, 0.9, 1, 3], [0, 1, 2, 3], [2, 1, 1]),
        ([5, 5], [0, 2, 4, 6], [0, 0, 2]),
    ],
)
def test_values_are_counted(values, edges, counts):
    assert count_by_range(values, 4) == (edges, counts)


def test_no_value_is_lost():
    values = [(i * 37 % 101) / 7 for i in range(500)]
    edges, counts = count_by_range(values)
    assert sum(counts) == 500 and len(edges) == len(counts) + 1 <= 21
    for place, count in enumerate(counts[:-1]):
        assert count == sum(edges[place] <= value < edges[place + 1] for value in values)


def test_bars():
    image = ElementTree.fromstring(histogram_svg([0, 0, 20], EVIL, EVIL))
    bars = {bar.findtext("title"): bar for bar in image.iter("rect")}
    high, low = bars["0 to 2: 2"], bars["18 to 20: 1"]
    # 34 to 184 in all; ten ranges between 52 and 464
    assert (high.get("y"), high.get("height"), low.get("y"), low.get("height")) == ("34.0", "150.0", "109.0", "75.0")
    assert (high.get("x"), low.get("x"), low.get("width")) == ("52.5", "423.3", "40.2")
    assert len(bars) == 10
    assert [text.text for text in image.iter("text")].count(EVIL) == 2
