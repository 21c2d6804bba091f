"""A distribution as SVG: how many items lie in each of equally wide ranges."""

from collections.abc import Iterator, Sequence
from html import escape

from fairseq_samu.reports.line_panel import choose_ticks

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 480, 230, 52, 16, 34, 46


def count_by_range(values: Sequence[float], most: int = 20) -> tuple[list[float], list[int]]:
    """Count values in ranges between round figures.

    Args:
        values: one at least.
        most: ranges, at most.

    Returns:
        Edges of the ranges, one more than there are ranges, and the counts. A range holds its lower edge, the last
        one both.
    """
    edges = choose_ticks(min(values), max(values), most)
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[next((i for i, edge in enumerate(edges[1:-1]) if value < edge), len(counts) - 1)] += 1
    return edges, counts


def histogram_svg(values: Sequence[float], title: str, unit: str) -> str:
    """Draw a distribution.

    Args:
        values: one at least.
        title: above it.
        unit: what the axis to the right says.

    Returns:
        An SVG image for a page that brings a rule for the class ``bars``.
    """
    edges, counts = count_by_range(values)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" font-size="12"'
        f' aria-label="{escape(f"{title}: {len(values)} values from {min(values):.4g} to {max(values):.4g}")}">',
        f'<text x="{_LEFT}" y="18" font-weight="600">{escape(title)}</text>',
        *_bars(edges, counts),
        *_axes(edges, max(counts), unit),
    ]
    return "".join([*parts, "</svg>"])


def _bars(edges: Sequence[float], counts: Sequence[int]) -> Iterator[str]:
    step = (_WIDTH - _LEFT - _RIGHT) / len(counts)
    for place, count in enumerate(counts):
        height = count / max(counts) * (_HEIGHT - _TOP - _BOTTOM)
        title = f"{edges[place]:g} to {edges[place + 1]:g}: {count}"
        box = f'x="{_LEFT + place * step + 0.5:.1f}" y="{_HEIGHT - _BOTTOM - height:.1f}" width="{step - 1:.1f}"'
        yield f'<rect class="bars" {box} height="{height:.1f}"><title>{title}</title></rect>'


def _axes(edges: Sequence[float], highest: int, unit: str) -> Iterator[str]:
    bottom = _HEIGHT - _BOTTOM
    yield f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{_WIDTH - _RIGHT}"/>'
    for value, y in ((highest, _TOP + 4), (0, bottom)):
        yield f'<text class="quiet" x="{_LEFT - 6}" y="{y}" text-anchor="end">{value}</text>'
    step = (_WIDTH - _LEFT - _RIGHT) / (len(edges) - 1)
    every = -(-len(edges) // 8)
    for place in range(0, len(edges), every):
        x = _LEFT + place * step
        yield f'<text class="quiet" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{edges[place]:g}</text>'
    yield f'<text class="quiet" x="{_LEFT}" y="{bottom + 36}">{escape(unit)}</text>'
