"""Points with their intervals as an SVG image that stands alone, joined by lines or not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 520, 320, 58, 96, 34, 48


class Point(NamedTuple):
    """A point of a plot.

    Attributes:
        x: across.
        y: up.
        low: lower end of its interval.
        high: upper end; equal to the lower one for none.
        label: text beside it.
    """

    x: float
    y: float
    low: float
    high: float
    label: str = ""


@dataclass(frozen=True)
class PointPlot:
    """What to draw.

    Attributes:
        title: above.
        axes: what is across and what is up.
        groups: points by name.
        colours: of the groups, as SVG writes them.
        joined: draw lines between the points of a group.
        digits: decimals of the figures beside the axes.
        to_the_left: groups whose labels stand to the left of their points, where others' stand to the right.
    """

    title: str
    axes: tuple[str, str]
    groups: Mapping[str, Sequence[Point]]
    colours: Mapping[str, str]
    joined: bool = False
    digits: tuple[int, int] = (0, 0)
    to_the_left: Sequence[str] = ()


def draw_points(plot: PointPlot) -> str:
    """Draw points with their intervals.

    Args:
        plot: what to draw.

    Returns:
        An SVG image; empty where there is no point.
    """
    points = [point for members in plot.groups.values() for point in members]
    if not points:
        return ""
    spans = _span([point.x for point in points]), _span([end for point in points for end in (point.low, point.high)])
    return "\n".join([*_frame(plot, spans), *_marks(plot, spans), "</svg>"]) + "\n"


Spans = tuple[tuple[float, float], tuple[float, float]]


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.12 * (high - low) or 1.0
    return low - margin, high + margin


def _place(x: float, y: float, spans: Spans) -> tuple[float, float]:
    (left, right), (low, high) = spans
    across = LEFT + (x - left) / (right - left) * (WIDTH - LEFT - RIGHT)
    return across, HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _frame(plot: PointPlot, spans: Spans) -> Iterator[str]:
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    yield ' role="img" font-family="sans-serif" font-size="12" fill="#222">'
    yield f'<title>{escape(plot.title)}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    yield f'<text x="{LEFT}" y="20" font-weight="600">{escape(plot.title)}</text>'
    yield f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#888"/>'
    for share in (0.0, 0.5, 1.0):
        across, up = ((1 - share) * low + share * high for low, high in spans)
        x, y = _place(across, up, spans)
        figures = [f"{value:.{digits}f}" for value, digits in zip((across, up), plot.digits, strict=True)]
        yield f'<text x="{x:.0f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{figures[0]}</text>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{figures[1]}</text>'
    yield f'<text x="{LEFT}" y="{HEIGHT - 12}">{escape(plot.axes[0])}</text>'
    yield f'<text x="14" y="{TOP + 60}" transform="rotate(-90 14 {TOP + 60})">{escape(plot.axes[1])}</text>'


def _marks(plot: PointPlot, spans: Spans) -> Iterator[str]:
    for group, points in plot.groups.items():
        colour = plot.colours[group]
        places = [_place(point.x, point.y, spans) for point in points]
        if plot.joined:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}"/>'
        for point, (x, y) in zip(points, places, strict=True):
            ends = [_place(point.x, end, spans)[1] for end in (point.low, point.high)]
            yield f'<path d="M{x:.1f} {ends[0]:.1f}V{ends[1]:.1f}" stroke="{colour}" stroke-opacity=".5"/>'
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
            side = ("end", -7) if group in plot.to_the_left else ("start", 7)
            place = f'x="{x + side[1]:.1f}" y="{y + 4:.1f}" text-anchor="{side[0]}"'
            yield f'<text {place} fill="{colour}">{escape(point.label)}</text>'
