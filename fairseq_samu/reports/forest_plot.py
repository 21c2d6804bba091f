"""Differences with their intervals, one below the other beside the line of no difference."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

WIDTH, LEFT, RIGHT, TOP, LINE, BOTTOM = 640, 150, 24, 34, 22, 40


class Difference(NamedTuple):
    """A line of the plot.

    Attributes:
        label: before it.
        value: the difference.
        low: lower end of its interval.
        high: upper end; equal to the lower one for none.
        kind: class of its marks, by which a page colours them.
    """

    label: str
    value: float
    low: float
    high: float
    kind: str


def draw_forest(title: str, axis: str, differences: Sequence[Difference]) -> str:
    """Draw differences.

    Args:
        title: above.
        axis: what is across, and which side is worse.
        differences: from top to bottom.

    Returns:
        An SVG image whose marks have the classes ``axis``, ``grid`` and the kinds; empty where there is none.
    """
    if not differences:
        return ""
    ends = [end for one in differences for end in (one.low, one.high)]
    margin = 0.05 * (max(*ends, 0.0) - min(*ends, 0.0)) or 1.0
    span = (min(*ends, 0.0) - margin, max(*ends, 0.0) + margin)
    return "\n".join([*_frame(title, axis, len(differences), span), *_lines(differences, span), "</svg>"]) + "\n"


def _across(value: float, span: tuple[float, float]) -> float:
    return LEFT + (value - span[0]) / (span[1] - span[0]) * (WIDTH - LEFT - RIGHT)


def _frame(title: str, axis: str, count: int, span: tuple[float, float]) -> Iterator[str]:
    height = TOP + count * LINE + BOTTOM
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    yield f' role="img" font-family="sans-serif" font-size="12"><title>{escape(title)}</title>'
    yield f'<text x="{LEFT}" y="20" font-weight="600">{escape(title)}</text>'
    floor = TOP + count * LINE
    yield f'<path class="axis" d="M{LEFT} {floor}H{WIDTH - RIGHT}"/>'
    zero = _across(0.0, span)
    yield f'<path class="grid" d="M{zero:.1f} {TOP - 4}V{floor}"/>'
    figures = {zero: "0", **{_across(end, span): f"{end:+.1f}" for end in span if abs(_across(end, span) - zero) > 40}}
    for x, figure in figures.items():
        yield f'<text x="{x:.1f}" y="{floor + 15}" text-anchor="middle">{figure}</text>'
    yield f'<text class="quiet" x="{LEFT}" y="{height - 8}">{escape(axis)}</text>'


def _lines(differences: Sequence[Difference], span: tuple[float, float]) -> Iterator[str]:
    for place, one in enumerate(differences):
        y = TOP + (place + 0.5) * LINE
        yield f'<text x="{LEFT - 10}" y="{y + 4:.0f}" text-anchor="end">{escape(one.label)}</text>'
        low, high = _across(one.low, span), _across(one.high, span)
        yield f'<path class="{one.kind}" d="M{low:.1f} {y:.0f}H{high:.1f}" fill="none" stroke-width="2"/>'
        yield f'<circle class="{one.kind}" cx="{_across(one.value, span):.1f}" cy="{y:.0f}" r="4"/>'
