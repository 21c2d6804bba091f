"""The confusion of concepts as SVG: what stands in the reference by what stands in the hypothesis."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Optional

from fairseq_samu.reports.colours import step_of
from fairseq_samu.reports.heat_grid import Box, draw_cell, draw_scale

Cell = tuple[Optional[str], Optional[str]]

MOST_CONCEPTS = 40
LONGEST_NAME = 24
"""Characters of a name that are shown; the tooltip has all of it."""
OTHERS = "all others"
MISSED, INSERTED = "missed", "inserted"

# Pixels of the user's coordinate system.
_NARROWEST, _WIDEST, _CELL_HEIGHT, _GAP, _APART = 30, 42, 26, 2, 8
_PAGE = 1000  # what fits on a screen without scrolling
_LETTER = 8  # of 13 pixels' height, on average
_LEAST_LEFT = 130


def confusion_svg(confusion: Mapping[Cell, int], names: Sequence[str]) -> str:
    """Draw how often each concept stood for each.

    A cell is filled by its share of its concept in the reference, in the row of insertions by their number as a share
    of the concept in the reference too.

    Args:
        confusion: names in reference and hypothesis, None where there is none, to how often; hits included.
        names: all concepts, the most important first; those beyond ``MOST_CONCEPTS`` are drawn as one.

    Returns:
        An SVG image for a page that brings ``heat_grid.heat_map_style()``.
    """
    cells, shown = _fold(confusion, names)
    totals = {name: sum(count for (first, _), count in cells.items() if first == name) for name in shown}
    grid = _Grid(shown)
    parts = [*_opening(grid, cells), *_axes(grid)]
    for first, y in grid.rows:
        for second, x in grid.columns:
            if first is None and second is None:
                continue
            box = Box(x, y, grid.cell_width - _GAP, _CELL_HEIGHT - _GAP)
            parts.append(_cell(box, first, second, cells.get((first, second), 0), totals))
    scale = draw_scale(grid.left, grid.bottom + 14, min(grid.right - grid.left, 320))
    place = f'x="{grid.left - 10:g}" y="{grid.bottom + 24:g}"'
    note = f'<text class="quiet" {place} text-anchor="end" font-size="12">share</text>'
    return "\n".join([*parts, *scale, note, "</svg>"]) + "\n"


class _Grid:
    """Where rows and columns lie; what is missed or inserted comes first, a little apart."""

    def __init__(self, names: Sequence[Optional[str]]) -> None:
        longest = max((len(_shorten(name or "")) for name in names), default=0) * _LETTER
        self.left = max(_LEAST_LEFT, longest + 20)
        self.top = max(longest * 0.71 + 20, 60)  # names lean by 45 degrees
        self.cell_width = max(_NARROWEST, min(_WIDEST, (_PAGE - self.left) / (len(names) + 1)))
        self.columns = _places(names, self.left, self.cell_width)
        self.rows = _places(names, self.top, _CELL_HEIGHT)
        self.right = self.columns[-1][1] + self.cell_width
        self.bottom = self.rows[-1][1] + _CELL_HEIGHT
        self.width = self.right + max(longest * 0.71 - self.cell_width / 2, 0) + 4


def _fold(confusion: Mapping[Cell, int], names: Sequence[str]) -> tuple[dict[Cell, int], list[Optional[str]]]:
    """Put what is beyond the most important concepts under one name."""
    if len(names) <= MOST_CONCEPTS:
        return dict(confusion), list(names)
    kept = set(names[: MOST_CONCEPTS - 1])
    folded: Counter[Cell] = Counter()
    for (first, second), count in confusion.items():
        folded[
            first if first is None or first in kept else OTHERS, second if second is None or second in kept else OTHERS
        ] += count
    return dict(folded), [*names[: MOST_CONCEPTS - 1], OTHERS]


def _places(names: Sequence[Optional[str]], start: float, size: float) -> list[tuple[Optional[str], float]]:
    return [(None, start), *((name, start + _APART + place * size) for place, name in enumerate(names, 1))]


def _opening(grid: _Grid, cells: Mapping[Cell, int]) -> Iterator[str]:
    right = sum(count for (first, second), count in cells.items() if first == second)
    label = f"Concepts of the references by concepts of the hypotheses; {right} of {sum(cells.values())} agree"
    width, height = f"{grid.width:g}", f"{grid.bottom + 50:g}"
    yield f'<svg class="heat" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
    yield f' aria-label="{escape(label)}" font-size="13">'


def _axes(grid: _Grid) -> Iterator[str]:
    corner = f'x="{grid.left - 10:g}" text-anchor="end" font-size="12"'
    yield f'<text class="quiet" {corner} y="{grid.top - 26:g}">hypothesis →</text>'
    yield f'<text class="quiet" {corner} y="{grid.top - 10:g}">reference ↓</text>'
    for name, x in grid.columns:
        place = f"translate({x + grid.cell_width / 2:g} {grid.top - 8:g}) rotate(-45)"
        yield f'<text transform="{place}"{_style(name)}>{_label(name, MISSED)}</text>'
    for name, y in grid.rows:
        place = f'x="{grid.left - 10:g}" y="{y + _CELL_HEIGHT / 2 + 4:g}" text-anchor="end"'
        yield f"<text {place}{_style(name)}>{_label(name, INSERTED)}</text>"


def _cell(
    box: Box, first: Optional[str], second: Optional[str], count: int, totals: Mapping[Optional[str], int]
) -> str:
    total = totals.get(second if first is None else first, 0)
    if first is None:
        title = f"{second} inserted {count} times ({total} in the references)"
    elif second is None:
        title = f"{first} missed {count} times of {total}"
    elif first == second:
        title = f"{first}, {count} of {total} right" if first != OTHERS else f"{first}: {count} of {total}"
    else:
        title = f"{first} taken for {second} {count} times of {total}"
    if not count:
        return draw_cell(box, title, "", None)
    step = step_of(100 * count / total if total else 100)
    return draw_cell(box, title, str(count), step, framed=first == second)


def _style(name: Optional[str]) -> str:
    return "" if name else ' class="quiet" font-style="italic"'


def _label(name: Optional[str], instead: str) -> str:
    title = f"<title>{escape(name)}</title>" if name and len(name) > LONGEST_NAME else ""
    return title + escape(_shorten(name or instead))


def _shorten(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
