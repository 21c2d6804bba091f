"""Two plots of the study as SVG: understanding against what is retained, and error by the amount of data."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from measured_runs import Run
from study_measures import Measures

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 520, 320, 58, 96, 34, 48
COLOURS = {"dual": "#16609a", "sequential": "#b4500f", "tagging": "#55595e"}
PAPER_WEIGHT = 5.0
TO_THE_LEFT = ("tagging",)
"""Arms whose labels stand to the left of their points, where others' stand to the right."""


class Point(NamedTuple):
    """A point of a plot.

    Attributes:
        x: across.
        y: up, in percent.
        low: lower end of its interval.
        high: upper end.
        label: text beside it.
    """

    x: float
    y: float
    low: float
    high: float
    label: str = ""


def write_plots(measures: Measures, folder: Path) -> None:
    """Write lambda.svg and portability.svg where there is anything to draw."""
    plots = {"lambda.svg": draw_weights(measures), "portability.svg": draw_shares(measures)}
    for name, plot in plots.items():
        if plot:
            (folder / name).write_text(plot, encoding="utf-8")


def draw_weights(measures: Measures) -> str:
    """Concept error rate against recall at 1 after training, by weight of tagging, French."""
    points = []
    for weight, run in measures.by_weight(PAPER_WEIGHT):
        if run in measures.recall:
            label = f"λ {weight}" if weight[0].isdigit() else weight
            points.append(_point(measures.recall[run].score, measures, run, label))
    sequential = next((run for run in measures.recall if run.folder.name == "sequential-fr-1"), None)
    groups = {"dual": [point for point in points if point.label.startswith("λ")]}
    groups["tagging"] = [point for point in points if not point.label.startswith("λ")]
    if sequential:
        groups["sequential"] = [_point(measures.recall[sequential].score, measures, sequential, "sequential")]
    before = measures.recall_before.get("fr")
    axes = (f"recall at 1 after training, % (before: {before.score:.1f})" if before else "recall at 1, %", "CER, %")
    return plot_svg("Concept errors against retained retrieval, French", axes, groups)


def draw_shares(measures: Measures) -> str:
    """Concept error rate in Spanish by the share of its training rows."""
    groups: dict[str, list[Point]] = {}
    for run in sorted(measures.rates, key=lambda run: run.share or 0):
        if run.share is not None:
            groups.setdefault(run.arm, []).append(_point(100 * run.share, measures, run, ""))
    for arm, points in groups.items():
        points[-1] = points[-1]._replace(label=arm)
    return plot_svg("Spanish after French and Italian", ("training rows used, %", "CER, %"), groups, joined=True)


def _point(x: float, measures: Measures, run: Run, label: str) -> Point:
    (figures,) = measures.rates[run].values()
    figure = figures["cer"]
    low, high = figure.interval() or (figure.score, figure.score)
    return Point(x, figure.score, low, high, label)


def plot_svg(title: str, axes: tuple[str, str], groups: dict[str, list[Point]], joined: bool = False) -> str:
    """Draw points with their intervals.

    Args:
        title: above.
        axes: what is across and what is up.
        groups: points by arm.
        joined: draw lines between the points of an arm.

    Returns:
        An SVG image; empty where there is no point.
    """
    points = [point for members in groups.values() for point in members]
    if not points:
        return ""
    spans = _span([point.x for point in points]), _span([end for point in points for end in (point.low, point.high)])
    return "\n".join([*_frame(title, axes, spans), *_marks(groups, spans, joined), "</svg>"]) + "\n"


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.12 * (high - low) or 1.0
    return low - margin, high + margin


def _place(x: float, y: float, spans: tuple[tuple[float, float], tuple[float, float]]) -> tuple[float, float]:
    (left, right), (low, high) = spans
    across = LEFT + (x - left) / (right - left) * (WIDTH - LEFT - RIGHT)
    return across, HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _frame(title: str, axes: tuple[str, str], spans: tuple[tuple[float, float], tuple[float, float]]) -> Iterator[str]:
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    yield ' role="img" font-family="sans-serif" font-size="12" fill="#222">'
    yield f'<title>{escape(title)}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    yield f'<text x="{LEFT}" y="20" font-weight="600">{escape(title)}</text>'
    yield f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#888"/>'
    for share in (0.0, 0.5, 1.0):
        across, up = ((1 - share) * low + share * high for low, high in spans)
        x, y = _place(across, up, spans)
        yield f'<text x="{x:.0f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{across:.0f}</text>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{up:.0f}</text>'
    yield f'<text x="{LEFT}" y="{HEIGHT - 12}">{escape(axes[0])}</text>'
    yield f'<text x="14" y="{TOP + 60}" transform="rotate(-90 14 {TOP + 60})">{escape(axes[1])}</text>'


def _marks(
    groups: dict[str, list[Point]], spans: tuple[tuple[float, float], tuple[float, float]], joined: bool
) -> Iterator[str]:
    for arm, points in groups.items():
        colour = COLOURS[arm]
        places = [_place(point.x, point.y, spans) for point in points]
        if joined:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}"/>'
        for point, (x, y) in zip(points, places, strict=True):
            ends = [_place(point.x, end, spans)[1] for end in (point.low, point.high)]
            yield f'<path d="M{x:.1f} {ends[0]:.1f}V{ends[1]:.1f}" stroke="{colour}" stroke-opacity=".5"/>'
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
            side = ("end", -7) if arm in TO_THE_LEFT else ("start", 7)
            place = f'x="{x + side[1]:.1f}" y="{y + 4:.1f}" text-anchor="{side[0]}"'
            yield f'<text {place} fill="{colour}">{escape(point.label)}</text>'
