"""The figures of a log of gradients as rows of tables: what stands beside the curves."""

from collections.abc import Callable, Iterator, Sequence
from typing import Optional

from fairseq_samu.reports.consistency_log import MODULES, TASKS, Measurement, drop_of, means_by_part, weights_of
from fairseq_samu.reports.consistency_plots import Arm, share_of_cost

COSINE_HEADER = ("Training", "Task", "Module", "Measured", "Mean", "First quarter", "Last quarter", "Below 0")
NORM_HEADER = ("Training", "Task", "Module", "Norm", "Norm of ST", "Ratio", "First quarter", "Last quarter")
WEIGHT_HEADER = ("Training", "Task", "First weight", "Last weight", "Dropped at update", "Last measured at")
COST_HEADER = ("Training", "Updates measured", "Seconds", "Seconds each", "Share of training time")

UNKNOWN = "–"


def cosine_rows(arms: Sequence[Arm]) -> Iterator[list[str]]:
    """Cosines of every training, task and module: how many, their means, and the share of those below 0."""
    for arm, task, module, log in _parts(arms):
        known = [measured.cosine for measured in log if measured.cosine is not None]
        below = f"{100 * sum(cosine < 0 for cosine in known) / len(known):.0f} %" if known else UNKNOWN
        means = (_show(mean, ".3f") for mean in _means(log, lambda measured: measured.cosine))
        yield [arm.name, task, module, str(len(known)), *means, below]


def norm_rows(arms: Sequence[Arm]) -> Iterator[list[str]]:
    """Norms of every training, task and module: means, and the mean ratio to that of the main task."""
    for arm, task, module, log in _parts(arms):
        norms = [_mean([read(measured) for measured in log]) for read in (_norm_of, _main_norm_of)]
        ratios = _means(log, lambda measured: measured.ratio)
        yield [arm.name, task, module, *(_show(figure, ".3g") for figure in (*norms, *ratios))]


def weight_rows(arms: Sequence[Arm]) -> Iterator[list[str]]:
    """Weights of every training and task: the first, the last, and when the task was dropped."""
    for arm in arms:
        for task, name in TASKS.items():
            weights = weights_of(arm.log, task)
            if weights:
                dropped = drop_of(arm.log, task)
                shown = UNKNOWN if dropped is None else str(dropped)
                yield [arm.name, name, f"{weights[0][1]:.3g}", f"{weights[-1][1]:.3g}", shown, str(weights[-1][0])]


def cost_rows(arms: Sequence[Arm]) -> Iterator[list[str]]:
    """What measuring cost in every training."""
    for arm in arms:
        count, seconds = len({measured.update for measured in arm.log}), max(measured.seconds for measured in arm.log)
        shares = share_of_cost(arm)
        share = f"{shares[-1][1]:.2f} %" if shares else UNKNOWN
        yield [arm.name, str(count), f"{seconds:.4g}", f"{seconds / count:.3g}", share]


def _parts(arms: Sequence[Arm]) -> Iterator[tuple[Arm, str, str, list[Measurement]]]:
    for arm in arms:
        for (task, module), log in means_by_part(arm.log).items():
            yield arm, TASKS[task], MODULES[module], log


def _means(log: Sequence[Measurement], read: Callable[[Measurement], Optional[float]]) -> list[Optional[float]]:
    """Mean of all that is known, of its first quarter and of its last."""
    known = [value for value in map(read, log) if value is not None]
    quarter = -(-len(known) // 4)
    return [_mean(part) for part in (known, known[:quarter], known[len(known) - quarter :])]


def _mean(values: Sequence[Optional[float]]) -> Optional[float]:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _norm_of(measured: Measurement) -> Optional[float]:
    return measured.norm


def _main_norm_of(measured: Measurement) -> Optional[float]:
    return measured.main_norm


def _show(value: Optional[float], form: str) -> str:
    return UNKNOWN if value is None else format(value, form)
