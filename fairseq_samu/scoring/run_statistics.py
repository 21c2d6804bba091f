"""Figures of several trainings: means over seeds and test sets, and one way of training against another."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, Optional

from fairseq_samu.scoring.paired_bootstrap import Comparison, Figure, average, compare

Measured = tuple[str, Figure]
"""A name of the rows, such as their language, and the figure on them."""


class Contrast(NamedTuple):
    """A way of training against another.

    Attributes:
        comparison: of the means over the runs that both have.
        num_runs: how many those are.
    """

    comparison: Comparison
    num_runs: int

    @property
    def detectable(self) -> float:
        """Half the interval: the smallest difference that this test would call shown."""
        low, high = self.comparison.interval
        return (high - low) / 2

    def verdict(self, lower_is_better: bool = False) -> str:
        """``not shown`` where the interval holds zero, else ``shown`` or ``the reverse``."""
        low, high = self.comparison.interval
        if low <= 0 <= high:
            return "not shown"
        return "shown" if (self.comparison.delta < 0) == lower_is_better else "the reverse"


def average_runs(figures: Iterable[Measured]) -> Figure:
    """Mean over trainings and test sets.

    Figures on the same rows are averaged resample by resample, because the rows were drawn alike; other rows are other
    draws, whose resamples are independent.

    Args:
        figures: of every run, each with the name of its rows; at least one.
    """
    by_rows: dict[str, list[Figure]] = {}
    for rows, figure in figures:
        by_rows.setdefault(rows, []).append(figure)
    return average([average(members).shuffled(rows) for rows, members in sorted(by_rows.items())])


def contrast_runs(
    system: Mapping[Hashable, Sequence[Measured]], baseline: Mapping[Hashable, Sequence[Measured]]
) -> Optional[Contrast]:
    """Compare two ways of training over the runs that both have, such as a language with a seed.

    Args:
        system: figures by run.
        baseline: figures by run, on the same rows.

    Returns:
        None where no run is common, or there are no resamples.
    """
    common = [run for run in system if run in baseline]
    if not common:
        return None
    means = [average_runs(figure for run in common for figure in side[run]) for side in (system, baseline)]
    compared = compare(*means)
    return None if compared is None else Contrast(compared, len(common))
