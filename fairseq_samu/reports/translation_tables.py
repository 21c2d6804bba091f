"""Tables of translation scores: one system by pair, several as in tables III and V of arXiv:2306.00789, and tests."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fairseq_samu.reports.text_table import TextTable, write_csv
from fairseq_samu.scoring.translation import METRICS

COLUMNS = 9
"""Pairs beside each other in one table, as many as the paper's."""


def tabulate_system(result: Mapping[str, Any]) -> list[TextTable]:
    """One system: a row for each pair, group, the mean and the gap; scores with their 95 % intervals.

    Args:
        result: as :func:`fairseq_samu.scoring.translation_summary.describe_summary` gives it.
    """
    metrics = metrics_of(result)
    header = ["pair", "rows", *(METRICS[name][0] for name in metrics)]
    rows = [[name, str(part["rows"]), *_cells(part, metrics)] for name, part in result["pairs"].items()]
    for name, part in result["groups"].items():
        rows.append([_name_group(name, part), "", *_cells(part, metrics)])
    if len(result["pairs"]) > 1:
        rows.append([f"mean of {len(result['pairs'])} pairs", str(result["rows"]), *_cells(result, metrics)])
    if result["trf_gap"]:
        gap = result["trf_gap"]
        rows.append([f"TRFGap ({gap['from']} - {gap['to']})", "", *_cells(gap, metrics)])
    return [TextTable("translation, with 95 % intervals" if _has_intervals(result) else "translation", header, rows)]


def tabulate_systems(results: Mapping[str, Mapping[str, Any]]) -> list[TextTable]:
    """Several systems on one test set: groups with the gap (table III), then pairs (table V), for each metric.

    Args:
        results: by the name of the system, each as ``describe_summary`` gives it.
    """
    first = next(iter(results.values()))
    tables = []
    for metric in metrics_of(first):
        label = METRICS[metric][0]
        columns = [*first["groups"], *(["TRFGap"] if first["trf_gap"] else []), "mean"]
        rows = [[name, *_group_cells(result, metric)] for name, result in results.items()]
        if first["groups"]:
            tables.append(TextTable(f"{label} by group", ["system", *columns], rows))
        pairs = list(first["pairs"])
        for start in range(0, len(pairs), COLUMNS):
            block = pairs[start : start + COLUMNS]
            rows = [
                [name, *(_format(result["pairs"][pair][metric], metric) for pair in block)]
                for name, result in results.items()
            ]
            tables.append(TextTable(f"{label} by pair", ["system", *block], rows))
    return tables


def tabulate_comparison(comparisons: Mapping[str, Mapping[str, Any]]) -> TextTable:
    """Paired bootstrap of systems against a baseline.

    Args:
        comparisons: by the name of the system, each as ``describe_comparison`` gives it, with the ``baseline``'s name.
    """
    rows = []
    for system, comparison in comparisons.items():
        for where, deltas in _places(comparison):
            for metric, values in deltas.items():
                if "p_value" in values:
                    low, high = values["interval"]
                    rows.append(
                        [
                            system,
                            where,
                            METRICS[metric][0],
                            f"{values['delta']:+.2f}",
                            f"{low:+.2f} to {high:+.2f}",
                            f"{values['p_value']:.3f}",
                        ]
                    )
    header = ["system", "on", "metric", "delta", "95 % interval", "p"]
    names = ", ".join(sorted({comparison["baseline"] for comparison in comparisons.values()}))
    return TextTable(f"paired bootstrap against {names}", header, rows)


def list_scores(results: Mapping[str, Mapping[str, Any]]) -> str:
    """All scores as comma-separated values: system, kind, name, metric, score, ends of the interval."""
    rows: list[Sequence[object]] = []
    for system, result in results.items():
        parts = [("pair", name, part) for name, part in result["pairs"].items()]
        parts += [("group", name, part) for name, part in result["groups"].items()]
        parts.append(("mean", "", result))
        if result["trf_gap"]:
            parts.append(("gap", f"{result['trf_gap']['from']}-{result['trf_gap']['to']}", result["trf_gap"]))
        for kind, name, part in parts:
            for metric in metrics_of(result):
                rows.append([system, kind, name, metric, part[metric], *part.get(f"{metric}_interval", ["", ""])])
    return write_csv(["system", "kind", "name", "metric", "score", "low", "high"], rows)


def metrics_of(result: Mapping[str, Any]) -> list[str]:
    """Metrics that a result holds, in the order of tables."""
    return [name for name in METRICS if name in result]


def _places(comparison: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if len(comparison["pairs"]) > 1:
        yield from comparison["pairs"].items()
        yield from comparison["groups"].items()
        if "trf_gap" in comparison:
            yield "TRFGap", comparison["trf_gap"]
        yield "mean", comparison["overall"]
    else:
        yield next(iter(comparison["pairs"])), comparison["overall"]


def _name_group(name: str, part: Mapping[str, Any]) -> str:
    present, missing = len(part["pairs"]), len(part["missing"])
    return f"{name} ({present} of {present + missing})" if missing else f"{name} ({present})"


def _group_cells(result: Mapping[str, Any], metric: str) -> list[str]:
    parts = [*result["groups"].values(), *([result["trf_gap"]] if result["trf_gap"] else []), result]
    return [_format(part[metric], metric) for part in parts]


def _cells(part: Mapping[str, Any], metrics: Sequence[str]) -> list[str]:
    cells = []
    for metric in metrics:
        low, high = part.get(f"{metric}_interval", (None, None))
        interval = f" [{_format(low, metric)}, {_format(high, metric)}]" if low is not None else ""
        cells.append(_format(part[metric], metric) + interval)
    return cells


def _format(value: float, metric: str) -> str:
    return f"{value:.{METRICS[metric][1]}f}"


def _has_intervals(result: Mapping[str, Any]) -> bool:
    return any(f"{name}_interval" in result for name in METRICS)
