"""Cosines by layer over training as a heat map in SVG: layers down, updates to the right."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple, Optional

from fairseq_samu.reports.colours import step_of
from fairseq_samu.reports.consistency_log import Measurement
from fairseq_samu.reports.consistency_plots import split_windows
from fairseq_samu.reports.heat_grid import Box, draw_cell, draw_scale
from fairseq_samu.reports.line_panel import choose_ticks

_CELL_WIDTH, _CELL_HEIGHT, _GAP = 48, 22, 2
_LEFT, _TOP, _RIGHT, _BOTTOM = 90, 64, 12, 52

Layers = Mapping[int, Sequence[Measurement]]


class Cell(NamedTuple):
    """Cosines of one layer in one window of updates.

    Attributes:
        mean: of those that are known; None where none is.
        number: how many are known.
    """

    mean: Optional[float]
    number: int


def tabulate_layers(layers: Layers) -> tuple[list[list[int]], dict[int, list[Cell]]]:
    """Take the mean of cosines in windows of neighbouring updates.

    Args:
        layers: measurements by the number of the layer.

    Returns:
        Updates of each window, and a cell a window for each layer.
    """
    windows = split_windows(measured.update for log in layers.values() for measured in log)
    rows = {}
    for layer, log in layers.items():
        known = {measured.update: measured.cosine for measured in log if measured.cosine is not None}
        found = [[known[update] for update in window if update in known] for window in windows]
        rows[layer] = [Cell(sum(part) / len(part) if part else None, len(part)) for part in found]
    return windows, rows


def common_scale(maps: Iterable[Layers]) -> tuple[float, float]:
    """Choose a least and a greatest value of the colours, for maps that are laid side by side; 0 is between them."""
    means = [cell.mean for layers in maps for row in tabulate_layers(layers)[1].values() for cell in row]
    known = [mean for mean in means if mean is not None]
    ticks = choose_ticks(min([0.0, *known]), max([0.0, *known]), most=10)
    return ticks[0], ticks[-1]


def layer_map_svg(layers: Layers, title: str, scale: tuple[float, float]) -> str:
    """Draw the cosines of a task with the main one.

    Args:
        layers: measurements by the number of the layer, one at least.
        title: above the map.
        scale: least and greatest value of the colours.

    Returns:
        An SVG image for a page that brings ``heat_grid.heat_map_style()``.
    """
    windows, rows = tabulate_layers(layers)
    width = _LEFT + max(len(windows), 3) * _CELL_WIDTH + _RIGHT
    bottom = _TOP + len(rows) * _CELL_HEIGHT
    label = f"{title}; {len(rows)} layers by {len(windows)} windows of updates"
    parts = [
        f'<svg class="heat" viewBox="0 0 {width} {bottom + _BOTTOM}" width="{width}" height="{bottom + _BOTTOM}"'
        f' role="img" aria-label="{escape(label)}" font-size="12">',
        f'<text x="10" y="20" font-weight="600" font-size="13">{escape(title)}</text>',
        *_axes(windows, rows),
    ]
    low, high = scale
    # the uppermost layer of the model on top
    for place, layer in enumerate(sorted(rows, reverse=True)):
        for column, cell in enumerate(rows[layer]):
            box = Box(
                _LEFT + column * _CELL_WIDTH, _TOP + place * _CELL_HEIGHT, _CELL_WIDTH - _GAP, _CELL_HEIGHT - _GAP
            )
            parts.append(_cell(box, layer, windows[column], cell, scale))
    figures = (f"{low:.3g}", f"{(low + high) / 2:.3g}", f"{high:.3g}")
    parts += draw_scale(_LEFT, bottom + 12, min(width - _LEFT - _RIGHT, 320), figures)
    parts.append(f'<text class="quiet" x="{_LEFT - 10}" y="{bottom + 21}" text-anchor="end">framed: &lt; 0</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(windows: Sequence[Sequence[int]], rows: Mapping[int, Sequence[Cell]]) -> Iterator[str]:
    yield f'<text class="quiet" x="{_LEFT - 10}" y="{_TOP - 10}" text-anchor="end">layer, up to</text>'
    for column, window in enumerate(windows):
        x = _LEFT + column * _CELL_WIDTH + (_CELL_WIDTH - _GAP) / 2
        yield f'<text class="quiet" x="{x:g}" y="{_TOP - 10}" text-anchor="middle">{window[-1]}</text>'
    for place, layer in enumerate(sorted(rows, reverse=True)):
        y = _TOP + place * _CELL_HEIGHT + _CELL_HEIGHT / 2 + 3
        yield f'<text x="{_LEFT - 10}" y="{y:g}" text-anchor="end">{layer}</text>'


def _cell(box: Box, layer: int, window: Sequence[int], cell: Cell, scale: tuple[float, float]) -> str:
    span = str(window[0]) if len(window) == 1 else f"{window[0]} to {window[-1]}"
    if cell.mean is None:
        return draw_cell(box, f"layer {layer}, update {span}: not known", "–", None)
    title = f"layer {layer}, update {span}: {cell.mean:.4f}, mean of {cell.number}"
    low, high = scale
    step = step_of(100 * (cell.mean - low) / (high - low))
    return draw_cell(box, title, f"{cell.mean:.2f}", step, framed=cell.mean < 0)
