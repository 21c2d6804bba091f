"""The curves of a log of gradients: cosines, norms and their ratios by module, weights, and what measuring cost."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Optional

from fairseq_samu.reports.consistency_log import MODULES, TASKS, Measurement, drop_of, means_by_part, weights_of
from fairseq_samu.reports.line_panel import (
    Line,
    Mark,
    Panel,
    Point,
    choose_log_ticks,
    choose_ticks,
    colour_class,
    draw_panel,
)

MAIN = "ST"
NUM_WINDOWS = 16
MOST_ARMS = 7  # as many as there are colours

_DASHES = {"asr": "", "mt": " dashed", "": " dotted"}
_ALONE = {"asr": 1, "mt": 5, "": 3}  # colours of the tasks where one arm is drawn
_WIDTH, _HEIGHT = 324, 230

Read = Callable[[Measurement], Optional[float]]


@dataclass(frozen=True)
class Arm:
    """One training, of those that are put side by side.

    Attributes:
        name: that a reader sees.
        log: as `read_consistency_log` gives it.
        elapsed: update and seconds of training that had passed by it, in order; empty where that is not known.
    """

    name: str
    log: Sequence[Measurement]
    elapsed: Sequence[Point] = field(default_factory=tuple)


def split_windows(updates: Iterable[int], most: int = NUM_WINDOWS) -> list[list[int]]:
    """Split updates into at most ``most`` runs of neighbours whose sizes differ by one at most."""
    distinct = sorted(set(updates))
    count = min(most, len(distinct))
    ends = [len(distinct) * i // count for i in range(count + 1)] if count else []
    return [distinct[start:end] for start, end in pairwise(ends)]


def mean_by_window(points: Sequence[Point]) -> list[Point]:
    """Mean of both coordinates of the points of each window, points one to an update."""
    found = dict(points)
    windows = split_windows(int(x) for x, _ in points)
    return [(sum(window) / len(window), sum(found[x] for x in window) / len(window)) for window in windows]


def draw_curves(arms: Sequence[Arm]) -> dict[str, dict[str, str]]:
    """Draw all curves.

    Args:
        arms: `MOST_ARMS` at most.

    Returns:
        SVG images by the names of their sections (``cosine``, ``ratio``, ``norm``, ``weight``, ``cost``) and of what
        they show; what was not measured is left out.
    """
    return {
        "cosine": _by_module(arms, "Cosine with ST", lambda measured: measured.cosine, base=0.0),
        "ratio": _by_module(arms, "Norm over that of ST", lambda measured: measured.ratio or None, base=1.0, log=True),
        "norm": _by_module(
            arms, "Norm", lambda measured: measured.norm or None, log=True, main=lambda measured: measured.main_norm
        ),
        "weight": _weights(arms),
        "cost": _costs(arms),
    }


def share_of_cost(arm: Arm) -> list[Point]:
    """Share of the training time that measuring took, in per cent, at the updates where both are known."""
    shares = []
    for update, elapsed in arm.elapsed:
        spent = [measured.seconds for measured in arm.log if measured.update <= update]
        if elapsed > 0:
            shares.append((update, 100 * max(spent, default=0.0) / elapsed))
    return shares


def _by_module(
    arms: Sequence[Arm],
    title: str,
    read: Read,
    base: Optional[float] = None,
    log: bool = False,
    main: Optional[Read] = None,
) -> dict[str, str]:
    """One panel a module, with the same axis where they have a base."""
    lines = {module: _lines(arms, module, read, main) for module in MODULES}
    lines = {module: found for module, found in lines.items() if found}
    ticks = {module: _ticks(found, base, log) for module, found in lines.items()}
    if base is not None and lines:
        ticks = dict.fromkeys(lines, _ticks([line for found in lines.values() for line in found], base, log))
    return {
        module: _panel(f"{title}: {MODULES[module].lower()}", found, _span(arms), ticks[module], base, log)
        for module, found in lines.items()
    }


def _span(arms: Sequence[Arm]) -> tuple[int, int]:
    """First and last update of all, so that all panels have one axis."""
    updates = [measured.update for arm in arms for measured in arm.log]
    return min(updates), max(updates)


def _lines(arms: Sequence[Arm], module: str, read: Read, main: Optional[Read]) -> list[Line]:
    found = []
    for place, arm in enumerate(arms):
        of_module = {task: log for (task, name), log in means_by_part(arm.log).items() if name == module}
        for task, log in of_module.items():
            found += _line(log, read, _look(arms, place, task), _name(arms, arm, TASKS[task]))
        if main is not None:
            every = [measured for log in of_module.values() for measured in log]
            found += _line(every, main, _look(arms, place, ""), _name(arms, arm, MAIN))
    return found


def _line(log: Sequence[Measurement], read: Read, look: str, name: str) -> list[Line]:
    """A line; where it has many points, its means by window, and itself faintly below them."""
    values = {measured.update: value for measured in log if (value := read(measured)) is not None}
    points: list[Point] = sorted(values.items())
    if not points:
        return []
    if len(points) <= 2 * NUM_WINDOWS:
        return [Line(points, look, name)]
    return [Line(points, f"{look.split()[0]} faint"), Line(mean_by_window(points), look, name)]


def _ticks(lines: Sequence[Line], base: Optional[float], log: bool) -> list[float]:
    values = [y for line in lines for _, y in line.points] + ([] if base is None else [base])
    return choose_log_ticks(min(values), max(values)) if log else choose_ticks(min(values), max(values))


def _panel(
    title: str,
    lines: Sequence[Line],
    span: Sequence[float],
    ticks: Sequence[float],
    base: Optional[float],
    log: bool,
) -> str:
    ends = ", ".join(f"{line.name} {line.points[-1][1]:.3g}" for line in lines if line.name)
    label = f"{title} over {len({x for line in lines for x, _ in line.points})} points; last: {ends}"
    return draw_panel(Panel(title, lines, label, "update", span, ticks, base, log, width=_WIDTH, height=_HEIGHT))


def _weights(arms: Sequence[Arm]) -> dict[str, str]:
    lines, marks = [], []
    for place, arm in enumerate(arms):
        for task in TASKS:
            steps = weights_of(arm.log, task)
            if not steps:
                continue
            look, name = _look(arms, place, task), _name(arms, arm, TASKS[task])
            # a weight holds until the next change
            bends = [((x, before), (x, after)) for (_, before), (x, after) in pairwise(steps)]
            lines.append(Line([steps[0], *chain.from_iterable(bends)], look, name))
            dropped = drop_of(arm.log, task)
            if dropped is not None:
                marks.append(Mark(dropped, f"{name} dropped at {dropped}", look.split()[0]))
    if not lines:
        return {}
    ends = ", ".join(f"{line.name} {line.points[-1][1]:.3g}" for line in lines)
    ticks = choose_ticks(0.0, max(y for line in lines for _, y in line.points))
    label = f"Weights over updates; last: {ends}"
    panel = Panel("Weight of the task", lines, label, "update", _span(arms), ticks, marks=marks, width=700)
    return {"weight": draw_panel(panel)}


def _costs(arms: Sequence[Arm]) -> dict[str, str]:
    spent, shares = [], []
    for place, arm in enumerate(arms):
        look, name = _look(arms, place, "asr"), arm.name if len(arms) > 1 else ""
        points = sorted({measured.update: measured.seconds for measured in arm.log}.items())
        spent.append(Line(points, look, name))
        if share := share_of_cost(arm):
            shares.append(Line(share, look, name))
    images = {}
    for key, title, lines in (("seconds", "Seconds spent on measuring", spent), ("share", "Share of time, %", shares)):
        if lines:
            ticks = choose_ticks(0.0, max(y for line in lines for _, y in line.points))
            ends = ", ".join(f"{line.name} {line.points[-1][1]:.3g}".strip() for line in lines)
            images[key] = draw_panel(Panel(title, lines, f"{title}, at the end: {ends}", "update", _span(arms), ticks))
    return images


def _look(arms: Sequence[Arm], place: int, task: str) -> str:
    """Colours tell arms apart where there are several, else tasks; dashes tell tasks apart always."""
    return colour_class(place if len(arms) > 1 else _ALONE[task]) + _DASHES[task]


def _name(arms: Sequence[Arm], arm: Arm, task: str) -> str:
    return f"{arm.name}: {task}" if len(arms) > 1 else task
