"""Tables of error rates in percent, whatever they count: with counts, of several systems or parts, and of tests."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional

from fairseq_samu.reports.text_table import TextTable

NOTHING = "-"
"""What stands in a table for a figure that is not defined, and for the missing side of a confusion."""

Result = Mapping[str, Any]
Labels = Mapping[str, str]


def tabulate_counts(result: Result, metrics: Labels, title: str) -> TextTable:
    """One system: its error rates with counts.

    Args:
        result: holds the rates by metric, ``wer_interval`` and its like, and ``counts``.
        metrics: label of each metric.
        title: of the table.
    """
    rows = []
    for metric, label in metrics.items():
        counts = result["counts"][metric]
        edits = [counts[name] for name in ("substitutions", "deletions", "insertions", "reference")]
        rows.append(
            [label, format_rate(result[metric]), format_interval(result.get(f"{metric}_interval")), *map(str, edits)]
        )
    return TextTable(title, ["metric", "%", "95 % interval", "S", "D", "I", "N"], rows)


def tabulate_rates(results: Mapping[str, Result], metrics: Labels, title: str, first: str) -> TextTable:
    """Several systems on one test set, or one on the parts of it.

    Args:
        results: by name, each with the rates by metric; ``rows`` where they are of known rows.
        metrics: label of each metric.
        title: of the table.
        first: heading of the names.
    """
    rows = [
        [name, str(result.get("rows", "")), *(_with_interval(result, metric) for metric in metrics)]
        for name, result in results.items()
    ]
    intervals = any(f"{metric}_interval" in result for result in results.values() for metric in metrics)
    title = f"{title}, with 95 % intervals" if intervals else title
    return TextTable(title, [first, "utterances", *metrics.values()], rows)


def tabulate_deltas(
    comparisons: Mapping[str, Result], metrics: Labels, places: Callable[[Result], Iterable[tuple[str, Result]]]
) -> TextTable:
    """Paired bootstrap of systems against a baseline.

    Args:
        comparisons: by the name of the system, with the ``baseline``'s name.
        metrics: label of each metric.
        places: of a comparison: what was compared, such as ``all``, and the deltas by metric.
    """
    rows = []
    for system, comparison in comparisons.items():
        for where, deltas in places(comparison):
            for metric, values in deltas.items():
                if values is not None and "p_value" in values:
                    figures = [f"{values['delta']:+.2f}", format_interval(values["interval"], "+.2f")]
                    rows.append([system, where, metrics[metric], *figures, f"{values['p_value']:.3f}"])
    names = ", ".join(sorted({comparison["baseline"] for comparison in comparisons.values()}))
    header = ["system", "on", "metric", "delta", "95 % interval", "p (two-sided)"]
    return TextTable(f"paired bootstrap against {names}, less is better", header, rows)


def format_rate(value: Optional[float]) -> str:
    """Percent with two decimals."""
    return NOTHING if value is None else f"{value:.2f}"


def format_interval(ends: Optional[list[float]], form: str = ".2f") -> str:
    """``1.20 to 3.40``."""
    return f"{ends[0]:{form}} to {ends[1]:{form}}" if ends else NOTHING


def _with_interval(result: Result, metric: str) -> str:
    interval = result.get(f"{metric}_interval")
    ends = f" [{format_rate(interval[0])}, {format_rate(interval[1])}]" if interval else ""
    return format_rate(result[metric]) + ends
