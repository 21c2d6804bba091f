"""Two plots of the study as SVG: understanding against what is retained, and error by the amount of data."""

from pathlib import Path

from measured_runs import Run
from study_measures import Measures

from fairseq_samu.reports.point_plot import Point, PointPlot, draw_points

COLOURS = {"dual": "#16609a", "sequential": "#b4500f", "tagging": "#55595e"}
PAPER_WEIGHT = 5.0
TO_THE_LEFT = ("tagging",)
"""Arms whose labels stand to the left of their points, where others' stand to the right."""


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
    return _draw("Concept errors against retained retrieval, French", axes, groups)


def draw_shares(measures: Measures) -> str:
    """Concept error rate in Spanish by the share of its training rows."""
    groups: dict[str, list[Point]] = {}
    for run in sorted(measures.rates, key=lambda run: run.share or 0):
        if run.share is not None:
            groups.setdefault(run.arm, []).append(_point(100 * run.share, measures, run, ""))
    for arm, points in groups.items():
        points[-1] = points[-1]._replace(label=arm)
    return _draw("Spanish after French and Italian", ("training rows used, %", "CER, %"), groups, joined=True)


def _point(x: float, measures: Measures, run: Run, label: str) -> Point:
    (figures,) = measures.rates[run].values()
    figure = figures["cer"]
    low, high = figure.interval() or (figure.score, figure.score)
    return Point(x, figure.score, low, high, label)


def _draw(title: str, axes: tuple[str, str], groups: dict[str, list[Point]], joined: bool = False) -> str:
    return draw_points(PointPlot(title, axes, groups, COLOURS, joined, to_the_left=TO_THE_LEFT))
