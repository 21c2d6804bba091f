"""Scores of recognition as JSON: a system over all rows, by language and on average, and a test against another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from fairseq_samu.errors import SamuError, explain
from fairseq_samu.scoring.error_rates import average_rates, describe_counts, describe_rate_deltas, describe_rates
from fairseq_samu.scoring.paired_bootstrap import Figure
from fairseq_samu.scoring.recognition import RecognitionPlan, RecognitionScores, select_rows
from fairseq_samu.scoring.tokenisers import looks_unspaced

Figures = dict[str, Optional[Figure]]


@dataclass(frozen=True)
class RecognitionSummary:
    """Scores of one system on a test set.

    Attributes:
        overall: of all rows.
        languages: of the rows of each language, where it is known.
        mean: unweighted mean over languages, by metric; empty where there are not several.
    """

    overall: RecognitionScores
    languages: dict[str, RecognitionScores]
    mean: Figures


def summarise_recognition(
    scores: RecognitionScores, languages: Mapping[str, Sequence[int]], plan: RecognitionPlan
) -> RecognitionSummary:
    """Take the scores of all rows apart by language.

    Args:
        scores: of all rows.
        languages: places of the rows of each.
        plan: as the scores were computed.
    """
    parts = {name: select_rows(scores, rows, plan) for name, rows in languages.items()}
    mean = average_rates({name: part.figures for name, part in parts.items()}) if len(parts) > 1 else {}
    return RecognitionSummary(scores, parts, mean)


def describe_summary(summary: RecognitionSummary) -> dict[str, Any]:
    """A system's scores as JSON.

    ``wer`` and ``cer`` in percent over all rows, null where the references have no such unit, with ``wer_interval`` and
    its like; ``counts`` by metric; ``rows``; ``signature``; ``languages``, each with the scores and counts; ``mean``
    over the languages, null where there are not several; ``notes`` for the reader.
    """
    return {
        **_describe_scores(summary.overall),
        "signature": dict(summary.overall.signatures),
        "languages": {name: _describe_scores(part) for name, part in summary.languages.items()},
        "mean": describe_rates(summary.mean) if summary.mean else None,
        "notes": _notes_of(summary),
    }


def describe_comparison(system: RecognitionSummary, baseline: RecognitionSummary) -> dict[str, Any]:
    """A system against a baseline as JSON: ``delta``, ``interval``, two-sided ``p_value`` by place.

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
        "mean": describe_rate_deltas(system.mean, baseline.mean) if system.mean else None,
    }


def _describe_scores(scores: RecognitionScores) -> dict[str, Any]:
    counts = {metric: describe_counts(total) for metric, total in scores.totals.items()}
    return {**describe_rates(scores.figures), "counts": counts, "rows": len(scores.references)}


def _notes_of(summary: RecognitionSummary) -> list[str]:
    notes = []
    empty = sum(not text for text in summary.overall.references)
    if empty:
        notes.append(f"{empty} of {len(summary.overall.references)} references have no words")
    parts = summary.languages or {"the texts": summary.overall}
    unspaced = [name for name, part in parts.items() if looks_unspaced(part.references)]
    if unspaced:
        notes.append(f"{', '.join(unspaced)}: in a script that is mostly written without spaces; trust CER, not WER")
    return notes
