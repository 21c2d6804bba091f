"""Tables of recognition: error rates of one system or several, by language and on average, and tests."""

from collections.abc import Iterator, Mapping

from fairseq_samu.reports.rate_tables import Result, tabulate_counts, tabulate_deltas, tabulate_rates
from fairseq_samu.reports.text_table import TextTable
from fairseq_samu.scoring.recognition import METRICS


def tabulate_system(result: Result) -> list[TextTable]:
    """One system: its error rates with counts, then by language where there are several.

    Args:
        result: as :func:`fairseq_samu.scoring.recognition_summary.describe_summary` gives it.
    """
    tables = [tabulate_counts(result, METRICS, f"recognition, {result['rows']} utterances")]
    if len(result["languages"]) > 1:
        tables.append(tabulate_rates(_parts(result), METRICS, "by language", "language"))
    return tables


def tabulate_systems(results: Mapping[str, Result]) -> list[TextTable]:
    """Several systems on one test set: over all rows, then on each language and on average.

    Args:
        results: by the name of the system, each as ``describe_summary`` gives it.
    """
    tables = [tabulate_rates(results, METRICS, "recognition", "system")]
    first = next(iter(results.values()))
    for place in _parts(first) if len(first["languages"]) > 1 else ():
        parts = {name: _parts(result)[place] for name, result in results.items()}
        tables.append(tabulate_rates(parts, METRICS, f"on {place}", "system"))
    return tables


def tabulate_comparison(comparisons: Mapping[str, Result]) -> TextTable:
    """Paired bootstrap of systems against a baseline.

    Args:
        comparisons: by the name of the system, each as ``describe_comparison`` gives it, with the ``baseline``'s name.
    """
    return tabulate_deltas(comparisons, METRICS, _places)


def _parts(result: Result) -> dict[str, Result]:
    parts = dict(result["languages"])
    return {**parts, f"mean of {len(parts)}": result["mean"]} if result["mean"] else parts


def _places(comparison: Result) -> Iterator[tuple[str, Result]]:
    if comparison["mean"]:
        yield from comparison["languages"].items()
        yield f"mean of {len(comparison['languages'])}", comparison["mean"]
    yield "all", comparison["overall"]
