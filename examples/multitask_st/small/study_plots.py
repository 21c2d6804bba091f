"""Plots of the study as SVG: cosines of gradients over updates, and validation loss over seconds."""

from collections.abc import Sequence
from pathlib import Path

from gradients import read_log
from training_time import curve
from translated_runs import Run

from fairseq_samu.reports.consistency_log import MODULES, TASKS, means_by_part
from fairseq_samu.reports.point_plot import Point, PointPlot, draw_points

COLOURS = ("#16609a", "#b4500f", "#2e7d32", "#7b3fa0", "#55595e", "#a3122f")
MEASURED = "fixed"
"""Arm whose gradients are drawn: its weights do not change, so that nothing but the tasks does."""
TIMED = ("base", "fixed", "apart", "constant")


def write_plots(runs: Sequence[Run], folder: Path) -> None:
    """Write cosines.svg and time.svg where there is anything to draw."""
    plots = {"cosines.svg": draw_cosines(runs), "time.svg": draw_time(runs)}
    for name, plot in plots.items():
        if plot:
            (folder / name).write_text(plot, encoding="utf-8")


def draw_cosines(runs: Sequence[Run]) -> str:
    """Mean over seeds of the cosine with ST's gradient by update, for each task and module."""
    values: dict[str, dict[int, list[float]]] = {}
    for log in (read_log(run) for run in runs if run.arm == MEASURED):
        for (task, module), measured in means_by_part(log).items():
            updates = values.setdefault(f"{TASKS[task]} {MODULES[module].split()[0].lower()}", {})
            for one in measured:
                if one.cosine is not None:
                    updates.setdefault(one.update, []).append(one.cosine)
    groups = {
        name: [_point(update, sum(found) / len(found)) for update, found in sorted(updates.items())]
        for name, updates in values.items()
        if updates
    }
    title = f"Cosine of each task's gradient with ST's, arm {MEASURED}"
    return _draw(title, ("update", "cosine"), groups, digits=(0, 2))


def draw_time(runs: Sequence[Run]) -> str:
    """Validation loss by seconds of training updates, first seed."""
    chosen = {run.arm: run for run in runs if run.seed == 1 and run.arm in TIMED}
    groups = {arm: [_point(*point) for point in curve(chosen[arm])] for arm in TIMED if arm in chosen}
    axes = ("seconds of training", "bits a token, validation")
    return _draw("Validation loss by training time, seed 1", axes, groups, digits=(0, 2))


def _point(x: float, y: float) -> Point:
    return Point(x, y, y, y)


def _draw(title: str, axes: tuple[str, str], groups: dict[str, list[Point]], digits: tuple[int, int]) -> str:
    named = {name: [*points[:-1], points[-1]._replace(label=name)] for name, points in groups.items() if points}
    colours = dict(zip(named, COLOURS, strict=False))
    return draw_points(PointPlot(title, axes, named, colours, joined=True, digits=digits))
