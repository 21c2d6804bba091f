"""Lines over a common axis as SVG: what draws every curve of the pages, one panel for each figure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple, Optional

from fairseq_samu.reports.colours import to_hex
from fairseq_samu.reports.concept_colours import DARK_EDGES, LIGHT_EDGES, NUM_COLOURS

Point = tuple[float, float]

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 34, 36
_LETTER = 6.2  # of 12 pixels' height, on average
_SAMPLE, _ROW = 26, 17  # of the legend: pixels of a line, with the gap behind it, and from row to row


class Line(NamedTuple):
    """One line of a panel.

    Attributes:
        points: x and y, in the order in which they are joined.
        look: classes of its style; see :func:`line_rules`.
        name: in the legend; none where it is empty.
    """

    points: Sequence[Point]
    look: str = ""
    name: str = ""


class Mark(NamedTuple):
    """A moment, drawn as a line from top to bottom.

    Attributes:
        x: where.
        text: what happened, beside the line.
        look: classes of its style.
    """

    x: float
    text: str
    look: str = ""


@dataclass(frozen=True)
class Panel:
    """One figure over one axis.

    Attributes:
        title: above it.
        lines: with one point at least in all.
        label: what a reader who does not see it is told.
        unit: of the axis to the right, in one word.
        span: least and greatest value of that axis; those of the points where it is empty.
        ticks: values with a line across and their figure; none marks the highest and the lowest value alone.
        base: the value of `ticks` whose line is drawn as an axis; None for none.
        logarithmic: the axis upwards; all values are then above 0.
        marks: moments.
        caption: below it, one line.
        width: pixels.
        height: pixels, without the legend.
    """

    title: str
    lines: Sequence[Line]
    label: str
    unit: str = "epoch"
    span: Sequence[float] = ()
    ticks: Sequence[float] = ()
    base: Optional[float] = None
    logarithmic: bool = False
    marks: Sequence[Mark] = field(default_factory=tuple)
    caption: str = ""
    width: int = 340
    height: int = 220


def draw_panel(panel: Panel) -> str:
    """Draw a panel as an SVG image for a page that brings ``page.css``, and :func:`line_rules` for looks."""
    place = _Place(panel)
    legend, rows = _legend(panel)
    height = panel.height + rows * _ROW
    parts = [
        f'<svg viewBox="0 0 {panel.width} {height}" width="{panel.width}" height="{height}" role="img" font-size="12"'
        f' aria-label="{escape(panel.label)}">',
        f'<text x="{_LEFT}" y="18" font-weight="600">{escape(panel.title)}</text>',
        *_axes(panel, place),
        *(f'<polyline class="{line.look}" points="{place.points(line)}"/>' for line in panel.lines),
        *_marks(panel, place),
        *legend,
        "</svg>",
    ]
    return "".join(parts)


def choose_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Choose round values that hold a range between the first and the last.

    Args:
        low: least value.
        high: greatest value.
        most: how many at most, 3 or more.

    Returns:
        Multiples of 1, 2 or 5 times a power of ten, in order; two at least.
    """
    if low == high:
        low, high = (min(low, 0.0), max(high, 0.0)) if low else (0.0, 1.0)
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (power * factor for factor in (1, 2, 5, 10, 20, 50)):
        # a value that rounding put beside a multiple is that multiple
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first < most:
            break
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]


def choose_log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Choose values of a logarithmic axis: powers of ten, and where these are few also 2 and 5 times them.

    Args:
        low: least value, above 0.
        high: greatest value.
        most: how many at most, 3 or more.

    Returns:
        In order, two at least; they hold the range.
    """
    for factors in ((1, 2, 5), (1,)):
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1
        ticks = [float(f"{factor}e{power}") for power in range(first, last + 1) for factor in factors]
        start = max(i for i, tick in enumerate(ticks) if tick <= low * (1 + 1e-9))
        end = min(i for i, tick in enumerate(ticks) if tick >= high * (1 - 1e-9) and i > start)
        ticks = ticks[start : end + 1]
        if len(ticks) <= most:
            return ticks
    stride = math.ceil((len(ticks) - 1) / (most - 1))
    power = round(math.log10(ticks[0]))
    return [float(f"1e{power + stride * i}") for i in range(math.ceil((len(ticks) - 1) / stride) + 1)]


def line_rules() -> tuple[str, str]:
    """Write the CSS of looks, on light and on dark ground: ``c0`` to ``c6`` colours, ``dashed``, ``dotted``, ``faint``.

    The colours are told apart by every eye, and stand out from a card by a contrast of 3 at least.
    """
    both = ".mark{stroke-width:1.5;stroke-dasharray:2 3}.faint{stroke-width:1;stroke-opacity:.45}"
    both += "polyline.dashed{stroke-dasharray:7 4}polyline.dotted{stroke-dasharray:2 4}"
    light, dark = (
        "".join(f".c{i}{{stroke:{to_hex(colour)}}}" for i, colour in enumerate(edges))
        for edges in (LIGHT_EDGES, DARK_EDGES)
    )
    return both + light, dark


def colour_class(number: int) -> str:
    """Name the class of the colour of the line ``number``, counted from 0; colours come again after the seventh."""
    return f"c{number % NUM_COLOURS}"


class _Place:
    """Where values of a panel lie, in pixels."""

    def __init__(self, panel: Panel) -> None:
        xs = panel.span or [x for line in panel.lines for x, _ in line.points]
        ys = [y for line in panel.lines for _, y in line.points] + list(panel.ticks)
        self.panel = panel
        self.low_x, self.high_x, self.low_y, self.high_y = min(xs), max(xs), min(ys), max(ys)

    def across(self, x: float) -> float:
        share = (x - self.low_x) / (self.high_x - self.low_x or 1)
        return _LEFT + share * (self.panel.width - _LEFT - _RIGHT)

    def down(self, y: float) -> float:
        low, high = self.low_y, self.high_y
        if self.panel.logarithmic:
            y, low, high = math.log10(y), math.log10(low), math.log10(high)
        share = (y - low) / (high - low or 1)
        return self.panel.height - _BOTTOM - share * (self.panel.height - _TOP - _BOTTOM)

    def points(self, line: Line) -> str:
        return " ".join(f"{self.across(x):.1f},{self.down(y):.1f}" for x, y in line.points)


def _axes(panel: Panel, place: _Place) -> Iterator[str]:
    right, bottom = panel.width - _RIGHT, panel.height - _BOTTOM
    yield f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>'
    if panel.ticks:
        for value in panel.ticks:
            y = place.down(value)
            look = "axis" if value == panel.base else "grid"
            yield f'<path class="{look}" d="M{_LEFT} {y:.1f}H{right}"/>'
            yield f'<text class="quiet" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>'
    else:
        for value, y in ((place.high_y, _TOP + 4), (place.low_y, bottom)):
            yield f'<text class="quiet" x="{_LEFT - 6}" y="{y}" text-anchor="end">{value:.4g}</text>'
    below = f'class="quiet" y="{bottom + 18}"'
    yield f'<text {below} x="{_LEFT}">{escape(panel.unit)} {place.low_x:g}</text>'
    yield f'<text {below} x="{right}" text-anchor="end">{place.high_x:g}</text>'
    if panel.caption:
        yield f'<text class="quiet" x="{_LEFT}" y="{bottom + 33}">{escape(panel.caption)}</text>'


def _marks(panel: Panel, place: _Place) -> Iterator[str]:
    for number, mark in enumerate(panel.marks):
        x = place.across(mark.x)
        yield f'<path class="mark {mark.look}" fill="none" d="M{x:.1f} {_TOP}V{panel.height - _BOTTOM}"/>'
        # on the side that has more room, each a row lower than the one before
        side = ("end", -5) if x > panel.width / 2 else ("start", 5)
        y = _TOP + 12 + 14 * number
        yield f'<text class="quiet" x="{x + side[1]:.1f}" y="{y}" text-anchor="{side[0]}">{escape(mark.text)}</text>'


def _legend(panel: Panel) -> tuple[list[str], int]:
    """Samples of the lines that have names, in rows below the panel; and how many rows these are."""
    parts: list[str] = []
    x, row = float(_LEFT), 0
    for line in (line for line in panel.lines if line.name):
        width = _SAMPLE + len(line.name) * _LETTER + 14
        if x > _LEFT and x + width > panel.width:
            x, row = float(_LEFT), row + 1
        y = panel.height + row * _ROW + 10
        parts.append(f'<polyline class="{line.look}" points="{x:.1f},{y - 4} {x + 20:.1f},{y - 4}"/>')
        parts.append(f'<text x="{x + _SAMPLE:.1f}" y="{y}">{escape(line.name)}</text>')
        x += width
    return parts, row + 1 if parts else 0
