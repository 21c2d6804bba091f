"""Tables of understanding: error rates of one system or several, by language, by concept, confusions, and tests."""

from collections.abc import Iterator, Mapping

from fairseq_samu.reports.rate_tables import (
    NOTHING,
    Result,
    format_rate,
    tabulate_counts,
    tabulate_deltas,
    tabulate_rates,
)
from fairseq_samu.reports.text_table import TextTable
from fairseq_samu.scoring.understanding import METRICS

MOST_CONCEPTS = 40
MOST_CONFUSIONS = 10


def tabulate_system(result: Result) -> list[TextTable]:
    """One system: its error rates with counts, languages, concepts, confusions.

    Args:
        result: as :func:`fairseq_samu.scoring.understanding_summary.describe_summary` gives it.
    """
    title = f"understanding, {result['rows']} utterances"
    tables = [tabulate_counts(result, METRICS, title), _tabulate_entities(result)]
    if len(result["languages"]) > 1:
        tables.append(tabulate_systems(result["languages"], "by language", "language"))
    if result["concepts"]:
        tables.append(_tabulate_concepts(result))
    confusions = _tabulate_confusions(result)
    return [*tables, confusions] if confusions.rows else tables


def tabulate_systems(results: Mapping[str, Result], title: str = "understanding", first: str = "system") -> TextTable:
    """Several systems on one test set, or one on the parts of it.

    Args:
        results: by name.
        title: of the table.
        first: heading of the names.
    """
    return tabulate_rates(results, METRICS, title, first)


def tabulate_comparison(comparisons: Mapping[str, Result]) -> TextTable:
    """Paired bootstrap of systems against a baseline.

    Args:
        comparisons: by the name of the system, each as ``describe_comparison`` gives it, with the ``baseline``'s name.
    """
    return tabulate_deltas(comparisons, METRICS, _places)


def _places(comparison: Result) -> Iterator[tuple[str, Result]]:
    if len(comparison["languages"]) > 1:
        yield from comparison["languages"].items()
    yield "all", comparison["overall"]


def _tabulate_entities(result: Result) -> TextTable:
    rows = []
    for key, label in (("entity_f1", "name and value"), ("label_f1", "name only")):
        part = result[key]
        rates = [format_rate(part[name]) for name in ("f1", "precision", "recall")]
        rows.append([label, *rates, *(str(part[name]) for name in ("found", "reference", "hypothesis"))])
    header = ["concepts in any order", "F1", "precision", "recall", "right", "reference", "hypothesis"]
    return TextTable("entity F1 as of SLUE", header, rows)


def _tabulate_concepts(result: Result) -> TextTable:
    rows = []
    for part in result["concepts"][:MOST_CONCEPTS]:
        counts = ("reference", "hits", "substitutions", "deletions", "insertions")
        rates = [format_rate(part[name]) for name in ("precision", "recall", "f1")]
        rows.append([part["concept"], *(str(part[name]) for name in counts), *rates, str(part["right_values"])])
    rest = len(result["concepts"]) - MOST_CONCEPTS
    title = f"by concept, the {MOST_CONCEPTS} most frequent ({rest} more)" if rest > 0 else "by concept"
    header = ["concept", "reference", "hits", "S", "D", "I", "precision", "recall", "F1", "right values"]
    return TextTable(title, header, rows)


def _tabulate_confusions(result: Result) -> TextTable:
    cells = [cell for cell in result["confusion"] if cell["reference"] != cell["hypothesis"]]
    cells.sort(key=lambda cell: -cell["count"])
    rows = [
        [cell["reference"] or NOTHING, cell["hypothesis"] or NOTHING, str(cell["count"])]
        for cell in cells[:MOST_CONFUSIONS]
    ]
    return TextTable("most frequent confusions", ["reference", "hypothesis", "times"], rows)
