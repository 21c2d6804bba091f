"""Cells and scale of a heat map, as SVG: the figure stands in its cell, colour only repeats it."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple, Optional

from fairseq_samu.reports.colours import DARK_STOPS, LIGHT_STOPS, NUM_STEPS, scale_rules


class Box(NamedTuple):
    """Place of a cell in pixels.

    Attributes:
        x: left side.
        y: upper side.
        width: to the right.
        height: downwards.
    """

    x: float
    y: float
    width: float
    height: float


def draw_cell(box: Box, title: str, text: str, step: Optional[int], framed: bool = False) -> str:
    """Draw one cell.

    Args:
        box: where.
        title: what a pointer on it shows.
        text: the figure.
        step: of the scale, 0 to ``NUM_STEPS``; None for a cell without a figure.
        framed: draw a frame inside.
    """
    x, y, width, height = box
    radius = 5 if height > 30 else 3
    centre = f'x="{x + width / 2:g}" y="{y + height / 2 + 5:g}" text-anchor="middle"'
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}"'
    heading = f"<title>{escape(title)}</title>"
    if step is None:
        return f'<g>{heading}<rect class="empty" {place}/><text class="quiet" {centre}>{escape(text)}</text></g>'
    own = ""
    if framed:
        inner = f'x="{x + 1:g}" y="{y + 1:g}" width="{width - 2:g}" height="{height - 2:g}" rx="{radius - 1}"'
        own = f'<rect class="own" {inner}/>'
    return (
        f'<g>{heading}<rect class="q{step}" {place}/>{own}'
        f'<text class="v{step}" {centre} font-weight="600">{escape(text)}</text></g>'
    )


def draw_scale(left: float, y: float, length: float, figures: Sequence[str] = ("0", "50", "100 %")) -> Iterator[str]:
    """Draw the scale of colours, 32 pixels high with its figures.

    Args:
        left: where it begins.
        y: upper side.
        length: in pixels.
        figures: at its beginning, middle and end.
    """
    step = length / (NUM_STEPS + 1)
    for i in range(NUM_STEPS + 1):
        yield f'<rect class="q{i}" x="{left + i * step:.2f}" y="{y:g}" width="{step + 0.3:.2f}" height="8"/>'
    for share, anchor, figure in zip((0.0, 0.5, 1.0), ("start", "middle", "end"), figures, strict=True):
        x = left + share * length
        place = f'x="{x:g}" y="{y + 24:g}" text-anchor="{anchor}"'
        yield f'<text class="quiet" {place} font-size="12">{escape(figure)}</text>'


def heat_map_rules() -> tuple[str, str]:
    """CSS of the cells, on light and on dark ground."""
    return scale_rules(LIGHT_STOPS), scale_rules(DARK_STOPS)


def heat_map_style() -> str:
    """CSS of the cells for light and dark, for a page that holds heat maps inline."""
    light, dark = heat_map_rules()
    return f"{light}@media(prefers-color-scheme:dark){{{dark}}}"
