"""Scores of understanding as JSON: a system over all rows and by language, its concepts, and a test against another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairseq_samu.errors import SamuError, explain
from fairseq_samu.scoring.concept_table import ConceptRow, Detection, detect_entities, tabulate_concepts
from fairseq_samu.scoring.error_rates import describe_counts, describe_rate_deltas, describe_rates
from fairseq_samu.scoring.understanding import UnderstandingPlan, UnderstandingScores, select_rows


@dataclass(frozen=True)
class UnderstandingSummary:
    """Scores of one system on a test set.

    Attributes:
        overall: of all rows.
        languages: of the rows of each language, where it is known.
    """

    overall: UnderstandingScores
    languages: dict[str, UnderstandingScores]


def summarise_understanding(
    scores: UnderstandingScores, languages: Mapping[str, Sequence[int]], plan: UnderstandingPlan
) -> UnderstandingSummary:
    """Take the scores of all rows apart by language.

    Args:
        scores: of all rows.
        languages: places of the rows of each.
        plan: as the scores were computed.
    """
    return UnderstandingSummary(scores, {name: select_rows(scores, rows, plan) for name, rows in languages.items()})


def describe_summary(summary: UnderstandingSummary) -> dict[str, Any]:
    """A system's scores as JSON.

    ``cher``, ``wer``, ``cer``, ``cver`` in percent, null where the references have no such unit, with
    ``cher_interval`` and its like; ``counts`` by metric; ``concepts``, ``confusion`` (null where there is no
    counterpart), ``entity_f1`` and ``label_f1`` of SLUE; ``languages``, each with the scores and counts; ``signature``.
    """
    scores = summary.overall
    table = tabulate_concepts(scores.references, scores.hypotheses)
    return {
        **_describe_scores(scores),
        "signature": dict(scores.signatures),
        "entity_f1": _describe_detection(detect_entities(scores.references, scores.hypotheses)),
        "label_f1": _describe_detection(detect_entities(scores.references, scores.hypotheses, with_values=False)),
        "concepts": [_describe_concept(row) for row in table.rows],
        "confusion": [
            {"reference": first, "hypothesis": second, "count": count}
            for (first, second), count in table.confusion.items()
        ],
        "languages": {name: _describe_scores(part) for name, part in summary.languages.items()},
    }


def describe_comparison(system: UnderstandingSummary, baseline: UnderstandingSummary) -> dict[str, Any]:
    """A system against a baseline as JSON: ``delta``, ``interval`` and two-sided ``p_value`` overall and by language.

    A metric that is not defined is null.

    Raises:
        SamuError: the two were not scored against the same references.
    """
    if system.overall.references != baseline.overall.references:
        rule = "scored against the same references, row by row"
        raise SamuError(explain("", "baseline", rule, "scored against others", "Score both on one test set."))
    return {
        "overall": describe_rate_deltas(system.overall.figures, baseline.overall.figures),
        "languages": {
            name: describe_rate_deltas(part.figures, baseline.languages[name].figures)
            for name, part in system.languages.items()
        },
    }


def _describe_scores(scores: UnderstandingScores) -> dict[str, Any]:
    counts = {metric: describe_counts(total) for metric, total in scores.totals.items()}
    return {**describe_rates(scores.figures), "counts": counts, "rows": len(scores.references)}


def _describe_detection(detection: Detection) -> dict[str, Any]:
    rates = {"f1": detection.f1, "precision": detection.precision, "recall": detection.recall}
    counts = {"found": detection.found, "reference": detection.reference, "hypothesis": detection.hypothesis}
    return {**rates, **counts}


def _describe_concept(row: ConceptRow) -> dict[str, Any]:
    return {
        "concept": row.name,
        "reference": row.detection.reference,
        "hits": row.detection.found,
        "substitutions": row.substitutions,
        "deletions": row.deletions,
        "insertions": row.insertions,
        "hypothesis": row.detection.hypothesis,
        "precision": row.detection.precision,
        "recall": row.detection.recall,
        "f1": row.detection.f1,
        "right_values": row.right_values,
    }
