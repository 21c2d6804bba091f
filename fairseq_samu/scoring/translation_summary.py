"""From scores of pairs of languages to groups, means and transfer gap; a system against a baseline; both as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from fairseq_samu.errors import SamuError, explain
from fairseq_samu.scoring.paired_bootstrap import Figure, average, compare, subtract
from fairseq_samu.scoring.resource_groups import Groups, assign_pairs, gap_ends, missing_members
from fairseq_samu.scoring.signature import join_signatures
from fairseq_samu.scoring.translation import PairScores

Figures = dict[str, Figure]


@dataclass(frozen=True)
class TranslationSummary:
    """Scores of one system on a test set.

    Attributes:
        pairs: scores of each pair of languages.
        overall: by metric: the only pair's score, or the unweighted mean over pairs, as the paper averages.
        groups: by group and metric: mean over the group's pairs.
        members: pairs of each group that has any.
        missing: languages of each group that no pair stands for.
        gap: by metric: first group less the last one (TRFGap); None where one of them is empty.
        gap_ends: names of these two.
    """

    pairs: dict[str, PairScores]
    overall: Figures
    groups: dict[str, Figures]
    members: dict[str, list[str]]
    missing: dict[str, list[str]]
    gap: Optional[Figures]
    gap_ends: Optional[tuple[str, str]]


def summarise_translations(pairs: Mapping[str, PairScores], groups: Groups) -> TranslationSummary:
    """Average pairs over groups and over all.

    Args:
        pairs: scores by pair, such as ``fr-en``; all with the same metrics.
        groups: source languages or pairs by group; may be empty.
    """
    assigned = assign_pairs(list(pairs), groups)
    filled = {name: members for name, members in assigned.items() if members}
    means = {name: _average_pairs(pairs, members) for name, members in filled.items()}
    ends = gap_ends(assigned)
    gap = None
    if ends:
        gap = {metric: subtract(means[ends[0]][metric], means[ends[1]][metric]) for metric in means[ends[0]]}
    missing = {name: missing_members(groups[name], members) for name, members in filled.items()}
    return TranslationSummary(dict(pairs), _average_pairs(pairs, list(pairs)), means, filled, missing, gap, ends)


def _average_pairs(pairs: Mapping[str, PairScores], names: Sequence[str]) -> Figures:
    if len(names) == 1:
        return pairs[names[0]].figures
    metrics = pairs[names[0]].figures
    return {metric: average([pairs[name].figures[metric].shuffled(name) for name in names]) for metric in metrics}


def describe_summary(summary: TranslationSummary) -> dict[str, Any]:
    """A system's scores as JSON: `bleu`, `chrf`, `signature`, `pairs`, `groups`, `trf_gap`, intervals beside scores."""
    several = len(summary.pairs) > 1
    return {
        **_describe_figures(summary.overall),
        "rows": sum(scores.rows for scores in summary.pairs.values()),
        "averaged": f"unweighted mean of {len(summary.pairs)} pairs" if several else "one corpus",
        "signature": join_signatures({name: scores.signatures for name, scores in summary.pairs.items()}),
        "pairs": {
            name: {**_describe_figures(scores.figures), "rows": scores.rows, "signature": scores.signatures}
            for name, scores in summary.pairs.items()
        },
        "groups": {
            name: {**_describe_figures(figures), "pairs": summary.members[name], "missing": summary.missing[name]}
            for name, figures in summary.groups.items()
        },
        "trf_gap": None
        if summary.gap is None or summary.gap_ends is None
        else {**_describe_figures(summary.gap), "from": summary.gap_ends[0], "to": summary.gap_ends[1]},
        "notes": list(dict.fromkeys(scores.note for scores in summary.pairs.values() if scores.note)),
    }


def describe_comparison(system: TranslationSummary, baseline: TranslationSummary) -> dict[str, Any]:
    """A system against a baseline as JSON: `delta`, `interval` and `p_value` overall, by pair, by group and of the gap.

    Raises:
        SamuError: the two were not scored on the same rows.
    """
    rows = [{name: scores.rows for name, scores in summary.pairs.items()} for summary in (system, baseline)]
    if rows[0] != rows[1]:
        raise SamuError(
            explain("", "baseline", f"of the same rows ({rows[0]})", rows[1], "Score both on one test set.")
        )
    result: dict[str, Any] = {
        "overall": _describe_deltas(system.overall, baseline.overall),
        "pairs": {
            name: _describe_deltas(scores.figures, baseline.pairs[name].figures)
            for name, scores in system.pairs.items()
        },
        "groups": {name: _describe_deltas(figures, baseline.groups[name]) for name, figures in system.groups.items()},
    }
    if system.gap is not None and baseline.gap is not None:
        result["trf_gap"] = _describe_deltas(system.gap, baseline.gap)
    return result


def _describe_figures(figures: Figures) -> dict[str, Any]:
    described: dict[str, Any] = {metric: figure.score for metric, figure in figures.items()}
    for metric, figure in figures.items():
        interval = figure.interval()
        if interval is not None:
            described[f"{metric}_interval"] = list(interval)
    return described


def _describe_deltas(system: Figures, baseline: Figures) -> dict[str, Any]:
    described: dict[str, Any] = {}
    for metric, figure in system.items():
        comparison = compare(figure, baseline[metric])
        if comparison is None:
            described[metric] = {"delta": figure.score - baseline[metric].score}
        else:
            values = {"delta": comparison.delta, "interval": list(comparison.interval), "p_value": comparison.p_value}
            described[metric] = values
    return described
