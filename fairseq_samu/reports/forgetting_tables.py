"""Tables of forgetting: scores before and after by language, what changed and how sure that is."""

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from fairseq_samu.reports.text_table import TextTable
from fairseq_samu.scoring.forgetting import NOT_TUNED, TUNED

LABELS = {"wer": "WER", "cer": "CER", "bleu": "BLEU", "chrf": "chrF"}
HEADER = ("language", "rows", "changed", "before", "after", "difference", "p", "verdict")
NOTHING = "-"

Result = Mapping[str, Any]


def metrics_of(result: Result) -> list[str]:
    """Metrics of a comparison, in the order of tables."""
    return list(next(iter(result["languages"].values()))["change"])


def tabulate_forgetting(systems: Mapping[str, Result]) -> list[TextTable]:
    """A table for each system and metric.

    Args:
        systems: by name, each as :func:`fairseq_samu.scoring.forgetting.describe_forgetting` gives it.
    """
    return [
        TextTable(f"{name}: {LABELS[metric]} before and after", HEADER, list(list_changes(result, metric)))
        for name, result in systems.items()
        for metric in metrics_of(result)
    ]


def list_changes(result: Result, metric: str) -> Iterator[list[str]]:
    """Cells of :data:`HEADER` for each language and mean: first what was not tuned, then what was.

    Args:
        result: of one system.
        metric: name of the metric.
    """
    for kind in (NOT_TUNED, TUNED):
        parts = {name: part for name, part in result["languages"].items() if part["tuned"] == (kind == TUNED)}
        for name, part in parts.items():
            yield _cells(f"{name} (tuned)" if part["tuned"] else name, part, metric)
        if len(parts) > 1:
            yield _cells(f"mean of {len(parts)} {kind}", result["means"][kind], metric)


def _cells(name: str, part: Result, metric: str) -> list[str]:
    change = part["change"][metric]
    scores = [_with_interval(part[side][metric], part[side].get(f"{metric}_interval")) for side in ("before", "after")]
    if change is None:
        return [name, str(part["rows"]), str(part["changed"]), *scores, NOTHING, NOTHING, NOTHING]
    delta = _with_interval(change["delta"], change.get("interval"), "+.2f")
    p_value = f"{change['p_value']:.3f}" if "p_value" in change else NOTHING
    return [name, str(part["rows"]), str(part["changed"]), *scores, delta, p_value, change["verdict"] or NOTHING]


def _with_interval(value: Optional[float], ends: Optional[list[float]], form: str = ".2f") -> str:
    if value is None:
        return NOTHING
    return f"{value:{form}} [{ends[0]:{form}}, {ends[1]:{form}}]" if ends else f"{value:{form}}"
