"""The heat map of retrieval: language of the speech by language of the text, as SVG.

The scale always runs from 0 to 100 per cent, so that maps of different models can be laid side by side; its order
shows without colour too, and every figure stands in its cell.
"""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fairseq_samu.errors import SamuError, explain
from fairseq_samu.reports.colours import step_of
from fairseq_samu.reports.heat_grid import Box, draw_cell, draw_scale, heat_map_rules
from fairseq_samu.reports.language_names import name_language
from fairseq_samu.reports.svg_file import as_svg_file

MEASURES = {
    "r1": "Recall at 1",
    "r5": "Recall at 5",
    "r10": "Recall at 10",
    "mrr": "Mean reciprocal rank",
}
"""Key of a pair's figures to its name; all are in per cent."""

# Pixels of the user's coordinate system.
_CELL_WIDTH, _CELL_HEIGHT, _GAP = 84, 46, 3
_LEFT, _TOP, _RIGHT, _BOTTOM = 118, 92, 20, 62


def heat_map_svg(pairs: Mapping[str, Mapping[str, Any]], measure: str = "r1", inline: bool = False) -> str:
    """Draw one measure of every language pair.

    Args:
        pairs: ``"fr-en"`` (language of the speech, language of the text) to figures in per cent by name (``MEASURES``;
            also ``pool``, the number of texts searched, and ``chance_r1``, for the tooltip).
        measure: which figure, a key of ``MEASURES``.
        inline: leave out what a file of its own needs: the name space, the style sheet and the background. The page
            then brings ``heat_grid.heat_map_style()``.

    Returns:
        The text of an SVG image, light or dark as its reader prefers.

    Raises:
        SamuError: no pair, a pair whose name or figure cannot be read, or an unknown measure.
    """
    cells = _read_cells(pairs, measure)
    rows = list(dict.fromkeys(speech for speech, _ in cells))
    columns = list(dict.fromkeys(text for _, text in cells))
    # The same order in both directions, so that a language meets itself on the diagonal.
    rows.sort()
    columns.sort()
    width = _LEFT + len(columns) * _CELL_WIDTH + _RIGHT
    height = _TOP + len(rows) * _CELL_HEIGHT + _BOTTOM
    parts = [*_opening(measure, width, height, cells), *_axes(rows, columns)]
    for i, speech in enumerate(rows):
        for j, text in enumerate(columns):
            x, y = _LEFT + j * _CELL_WIDTH, _TOP + i * _CELL_HEIGHT
            figures = pairs.get(f"{speech}-{text}", {})
            parts.append(_cell(x, y, speech, text, cells.get((speech, text)), _tooltip(figures, measure)))
    parts += [*_legend(_TOP + len(rows) * _CELL_HEIGHT + 22, width), "</svg>"]
    image = "\n".join(parts) + "\n"
    return image if inline else as_svg_file(image, *heat_map_rules())


def split_pair(name: str) -> tuple[str, str]:
    """Split ``"fr-en"`` into the language of the query and that of the candidates.

    Raises:
        SamuError: it is not two names joined by one hyphen.
    """
    query, hyphen, candidate = name.partition("-")
    if not (query and hyphen and candidate) or "-" in candidate:
        mend = "Write the results again by `fairseq-samu retrieve`."
        raise SamuError(explain("pairs", name[:80], "two language codes joined by one hyphen", name[:80], mend))
    return query, candidate


def _read_cells(pairs: Mapping[str, Mapping[str, Any]], measure: str) -> dict[tuple[str, str], float]:
    if measure not in MEASURES:
        raise SamuError(explain("heat map", "measure", f"one of {', '.join(MEASURES)}", measure, ""))
    mend = "Write the results again by `fairseq-samu retrieve`."
    if not pairs:
        raise SamuError(explain("heat map", "pairs", "at least one pair of languages", "empty", mend))
    cells = {}
    for name, figures in pairs.items():
        value = figures.get(measure)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
            raise SamuError(explain(f"pairs.{name[:80]}", measure, "a figure from 0 to 100 (per cent)", value, mend))
        cells[split_pair(name)] = float(value)
    return cells


def _opening(measure: str, width: int, height: int, cells: Mapping[tuple[str, str], float]) -> Iterator[str]:
    name = MEASURES[measure]
    mean = sum(cells.values()) / len(cells)
    label = f"{name} in per cent by language of the speech and of the text; mean of {len(cells)} pairs {mean:.1f}"
    yield f'<svg class="heat" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
    yield f' aria-label="{escape(label)}" font-size="14">'
    middle = _LEFT + (width - _LEFT - _RIGHT) / 2
    yield f'<text x="{middle:g}" y="24" text-anchor="middle" font-size="16" font-weight="600">{escape(name)}, %</text>'


def _axes(rows: list[str], columns: list[str]) -> Iterator[str]:
    yield f'<text class="quiet" x="{_LEFT - 12}" y="52" text-anchor="end" font-size="12">speech ↓ text →</text>'
    for j, code in enumerate(columns):
        x = _LEFT + (j + 0.5) * _CELL_WIDTH - _GAP / 2
        yield f'<text x="{x:g}" y="64" text-anchor="middle">{escape(name_language(code))}</text>'
        yield f'<text class="quiet" x="{x:g}" y="81" text-anchor="middle" font-size="12">{escape(code)}</text>'
    for i, code in enumerate(rows):
        y = _TOP + (i + 0.5) * _CELL_HEIGHT - _GAP / 2
        yield f'<text x="{_LEFT - 12}" y="{y:g}" text-anchor="end">{escape(name_language(code))}</text>'
        yield (
            f'<text class="quiet" x="{_LEFT - 12}" y="{y + 15:g}" text-anchor="end" font-size="12">'
            f"{escape(code)}</text>"
        )


def _cell(x: int, y: int, speech: str, text: str, value: float | None, figures: str) -> str:
    title = f"{name_language(speech)} speech, {name_language(text)} text: {figures}"
    box = Box(x, y, _CELL_WIDTH - _GAP, _CELL_HEIGHT - _GAP)
    if value is None:
        return draw_cell(box, title, "–", None)
    return draw_cell(box, title, f"{value:.1f}", step_of(value), framed=speech == text)


def _tooltip(figures: Mapping[str, Any], measure: str) -> str:
    if measure not in figures:
        return "not measured"
    parts = [f"{MEASURES[measure].lower()} {float(figures[measure]):.1f} %"]
    if "pool" in figures:
        parts.append(f"{figures['pool']} texts searched")
    if "chance_r1" in figures and measure == "r1":
        parts.append(f"chance {figures['chance_r1']} %")
    return ", ".join(parts)


def _legend(y: int, width: int) -> Iterator[str]:
    yield from draw_scale(_LEFT, y, min(width - _LEFT - _RIGHT - _GAP, 420))
    yield f'<text class="quiet" x="{_LEFT - 12}" y="{y + 9}" text-anchor="end" font-size="12">framed: same</text>'
    yield f'<text class="quiet" x="{_LEFT - 12}" y="{y + 24}" text-anchor="end" font-size="12">language</text>'
