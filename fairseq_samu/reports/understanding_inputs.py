"""Reads what the page of understanding is made of: JSON of `score slu`, and spans with times as JSON lines."""

import json
import math
from pathlib import Path
from typing import Any, TypeGuard

from fairseq_samu.errors import SamuError, explain, report_all
from fairseq_samu.reports.concept_spans import Span
from fairseq_samu.reports.inputs import read_object
from fairseq_samu.scoring.understanding import METRICS

EDITS = ("substitutions", "deletions", "insertions", "reference")
_MEND = "Write it again by `fairseq-samu score slu --json FILE`."
_MEND_SPANS = "Decode again with --spans-output FILE."


def read_understanding(path: Path) -> dict[str, Any]:
    """Read the scores that `score slu --json` wrote.

    Raises:
        SamuError: no JSON, or with every part that the page shows and that is missing or no figure.
    """
    scores = read_object(path, _MEND)
    faults = [fault for metric in METRICS for fault in _faults_of_metric(str(path), scores, metric)]
    if not isinstance(scores.get("signature", {}), dict):
        faults.append(explain(str(path), "signature", "an object", scores["signature"], _MEND))
    notes = scores.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        faults.append(explain(str(path), "notes", "a list of texts", notes, _MEND))
    if faults:
        raise SamuError(report_all(faults))
    return scores


def read_spans(path: Path) -> dict[int, list[Span]]:
    """Read where the concepts of hypotheses lie: ``{"row": 0, "concepts": [{"concept", "value", "start", "end"}]}``.

    Args:
        path: UTF-8, an object a line; ``row`` is the row of the manifest, counted from 0, times are in seconds.

    Returns:
        Spans of a row in order.

    Raises:
        SamuError: with every line that is at fault.
    """
    rows: dict[int, list[Span]] = {}
    faults = []
    for number, line in enumerate(path.read_text("utf-8", "replace").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row, spans = _read_line(line)
        except SamuError as error:
            faults.append(f"{path}:{number}: {error}")
            continue
        if row in rows:
            faults.append(explain(f"{path}:{number}", "row", "there once", row, _MEND_SPANS))
        rows[row] = spans
    if faults:
        raise SamuError(report_all(faults))
    return rows


def _faults_of_metric(where: str, scores: dict[str, Any], metric: str) -> list[str]:
    faults = []
    value, ends = scores.get(metric, math.nan), scores.get(f"{metric}_interval")
    if value is not None and not _is_figure(value):
        faults.append(explain(where, metric, "a rate in percent or null", value, _MEND))
    if ends is not None and not (isinstance(ends, list) and len(ends) == 2 and all(map(_is_figure, ends))):
        faults.append(explain(where, f"{metric}_interval", "two rates in percent", ends, _MEND))
    counts = scores.get("counts")
    edits = counts.get(metric) if isinstance(counts, dict) else None
    if not isinstance(edits, dict) or not all(_is_count(edits.get(name)) for name in EDITS):
        faults.append(explain(where, f"counts.{metric}", f"an object with {', '.join(EDITS)}", edits, _MEND))
    return faults


def _read_line(line: str) -> tuple[int, list[Span]]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SamuError(explain("", "line", "JSON", error, _MEND_SPANS)) from error
    row, concepts = (value.get("row"), value.get("concepts")) if isinstance(value, dict) else (None, None)
    if not _is_count(row) or not isinstance(concepts, list):
        raise SamuError(explain("", "line", "an object with row and concepts", line[:80], _MEND_SPANS))
    return row, [_read_span(concept) for concept in concepts]


def _read_span(concept: Any) -> Span:
    found = concept if isinstance(concept, dict) else {}
    name, value, start, end = (found.get(key) for key in ("concept", "value", "start", "end"))
    texts = isinstance(name, str) and isinstance(value, str)
    if not texts or not _is_figure(start) or not _is_figure(end) or start > end:
        rule = "an object with concept, value, start and end, the last two in seconds and in order"
        raise SamuError(explain("", "concepts", rule, str(concept)[:80], _MEND_SPANS))
    return Span(str(name), str(value), float(start), float(end))


def _is_figure(value: Any) -> TypeGuard[float]:
    return not isinstance(value, bool) and isinstance(value, (int, float)) and 0 <= value < math.inf


def _is_count(value: Any) -> TypeGuard[int]:
    return not isinstance(value, bool) and isinstance(value, int) and value >= 0
