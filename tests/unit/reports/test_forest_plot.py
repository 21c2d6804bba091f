"""Differences beside the line of none: where marks stand, labels, and that nothing becomes markup."""

from xml.etree import ElementTree

import pytest

from fairseq_samu.reports.forest_plot import LEFT, RIGHT, WIDTH, Difference, draw_forest
from tests.unit.parsed_page import EVIL

SVG = "{http://www.w3.org/2000/svg}"


def parse(*differences):
    return ElementTree.fromstring(draw_forest("title", "axis", differences))


def places(image):
    """Place of the line of no difference, and by line start, middle and end of the marks."""
    paths = image.findall(f"{SVG}path")
    (zero,) = [float(path.get("d")[1:].split()[0]) for path in paths if path.get("class") == "grid"]
    spans = [path.get("d") for path in paths if path.get("class") not in ("axis", "grid")]
    ends = [(float(d[1:].split()[0]), float(d.partition("H")[2])) for d in spans]
    middles = [float(circle.get("cx")) for circle in image.findall(f"{SVG}circle")]
    return zero, [(low, middle, high) for (low, high), middle in zip(ends, middles, strict=True)]


@pytest.mark.parametrize("sign", [1, -1])
def test_marks_stand_on_their_side_of_zero_and_within_the_image(sign):
    zero, found = places(parse(*(Difference("ro", sign * 3.0, *sorted((sign * 2.0, sign * 9.0)), "other"),) * 2))
    for marks in found:
        assert list(marks) == sorted(marks)
        assert all((mark - zero) * sign > 0 for mark in marks)
        assert all(LEFT <= mark <= WIDTH - RIGHT for mark in (*marks, zero))


def test_distances_are_in_proportion():
    zero, (first, second) = places(parse(Difference("a", 1, -1, 2, "other"), Difference("b", -4, -6, -4, "tuned")))
    unit = first[1] - zero
    assert first[0] - zero == pytest.approx(-unit, abs=0.2) and first[2] - zero == pytest.approx(2 * unit, abs=0.2)
    assert second[0] - zero == pytest.approx(-6 * unit, abs=0.6) and second[1] == second[2]


def test_a_single_difference_of_zero():
    zero, ((low, middle, high),) = places(parse(Difference("fr", 0, 0, 0, "other")))
    assert zero == low == middle == high


def test_labels_are_text():
    image = parse(Difference(EVIL, 1, 0, 2, "tuned"))
    assert EVIL in [text.text for text in image.findall(f"{SVG}text")]
    assert [circle.get("class") for circle in image.findall(f"{SVG}circle")] == ["tuned"]


def test_nothing_to_draw():
    assert draw_forest("title", "axis", []) == ""
