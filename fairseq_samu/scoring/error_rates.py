"""Error rates of a corpus, ``100 (S + D + I) / N`` with unit costs, their resamples, and how JSON holds them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np

from fairseq_samu.scoring.edit_alignment import EditCounts, sum_edits
from fairseq_samu.scoring.paired_bootstrap import NUM_RESAMPLES, SEED, Figure, average, compare, resample

Rates = Mapping[str, Optional[Figure]]
"""Figures in percent by metric; None where the references have no unit of that metric."""


def measure_rate(rows: Sequence[EditCounts], num_resamples: int = NUM_RESAMPLES, seed: int = SEED) -> Optional[Figure]:
    """Error rate of a corpus in percent, counts summed before the division, with resamples of its rows.

    Resamples without any unit of reference are left out: the same ones for every system on the same references.

    Args:
        rows: edits of each row.
        num_resamples: 0 for none.
        seed: of the resampling.

    Returns:
        None where the references have no unit.
    """
    rate = sum_edits(rows).rate
    if rate is None or not num_resamples:
        return None if rate is None else Figure(rate)
    samples = resample([(row.errors, row.reference) for row in rows], _rate_of, num_resamples, seed)
    samples = samples[~np.isnan(samples)]
    return Figure(rate, samples if len(samples) else None)


def average_rates(parts: Mapping[str, Rates]) -> dict[str, Optional[Figure]]:
    """Unweighted mean of each metric over parts of a test set, such as its languages.

    Args:
        parts: figures by name of the part; at least one, all with the same metrics.

    Returns:
        By metric; None where a part has no rate, without resamples where parts had to leave out different ones.
    """
    metrics = next(iter(parts.values()))
    return {metric: _average_of({name: of[metric] for name, of in parts.items()}) for metric in metrics}


def _average_of(figures: Rates) -> Optional[Figure]:
    known = [figure.shuffled(name) for name, figure in figures.items() if figure is not None]
    if len(known) < len(figures):
        return None
    sizes = {len(figure.samples) for figure in known if figure.samples is not None}
    return average(known if len(sizes) == 1 else [Figure(figure.score) for figure in known])


def describe_counts(counts: EditCounts) -> dict[str, int]:
    """Edit counts as JSON."""
    return {**counts._asdict(), "hits": counts.hits, "errors": counts.errors}


def describe_rates(figures: Rates) -> dict[str, Any]:
    """Rates as JSON: percent by metric, null where it is not defined, and ``wer_interval`` and its like."""
    described: dict[str, Any] = {metric: figure.score if figure else None for metric, figure in figures.items()}
    for metric, figure in figures.items():
        interval = figure.interval() if figure else None
        if interval is not None:
            described[f"{metric}_interval"] = list(interval)
    return described


def describe_rate_deltas(system: Rates, baseline: Rates) -> dict[str, Any]:
    """A system against a baseline on the same rows as JSON: ``delta``, ``interval`` and two-sided ``p_value``.

    A metric that is not defined is null; without resamples there is a delta alone.
    """
    return {metric: _describe_delta(figure, baseline[metric]) for metric, figure in system.items()}


def _describe_delta(system: Optional[Figure], baseline: Optional[Figure]) -> Optional[dict[str, Any]]:
    if system is None or baseline is None:
        return None
    comparison = compare(system, baseline)
    if comparison is None:
        return {"delta": system.score - baseline.score}
    return {"delta": comparison.delta, "interval": list(comparison.interval), "p_value": comparison.two_sided}


def _rate_of(sums: Sequence[float]) -> float:
    errors, reference = sums
    return 100.0 * errors / reference if reference else math.nan
