"""Alignments of single utterances, to be read: text with one utterance a block, or JSON with one a line."""

import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from fairseq_samu.scoring.edit_alignment import align
from fairseq_samu.scoring.error_rates import describe_counts
from fairseq_samu.scoring.understanding import METRICS, UnderstandingScores

GAP = "*"
ALIGNED = {"wer": "words", "cer": "concepts"}
"""What is shown of an utterance: by metric whose alignment it is, and name."""


@dataclass(frozen=True)
class AlignedRow:
    """One utterance with its texts.

    Attributes:
        row: 0-based place among those that were scored.
        name: of the utterance; empty where there is none.
        language: of the utterance; empty where it is not known.
        reference: annotated text as given.
        hypothesis: annotated text as given.
        number: its place in the test set, where only a part of that was scored.
    """

    row: int
    name: str
    language: str
    reference: str
    hypothesis: str
    number: Optional[int] = None


def describe_row(scores: UnderstandingScores, given: AlignedRow) -> dict[str, Any]:
    """An utterance as JSON: its texts, the counts of each metric, and the steps of the words' and concepts' alignments.

    A step is ``{"kind": "=", "reference": ..., "hypothesis": ...}`` with kind ``=``, ``S``, ``D`` or ``I``. A concept
    is ``{"concept": name, "value": words}``; its kind is that of the name, and ``same_value`` tells the value's.

    Args:
        scores: of all rows.
        given: the one to describe.
    """
    reference, hypothesis = scores.references[given.row], scores.hypotheses[given.row]
    counts = {metric: scores.counts[metric][given.row] for metric in METRICS}
    sides = [
        [{"concept": concept.name, "value": concept.value} for concept in utterance.concepts]
        for utterance in (reference, hypothesis)
    ]
    names = [reference.units("cer"), hypothesis.units("cer")]
    concepts = list(_steps(names[0], names[1], sides[0], sides[1]))
    for step in concepts:
        step["same_value"] = step["reference"] == step["hypothesis"]
    return {
        "row": given.row if given.number is None else given.number,
        "id": given.name,
        "language": given.language,
        "reference": given.reference,
        "hypothesis": given.hypothesis,
        "counts": {metric: describe_counts(count) for metric, count in counts.items()},
        "words": list(_steps(reference.words, hypothesis.words, reference.words, hypothesis.words)),
        "concepts": concepts,
    }


def write_json_lines(scores: UnderstandingScores, rows: Sequence[AlignedRow]) -> str:
    """All utterances as JSON lines, in the form of :func:`describe_row`."""
    return "".join(json.dumps(describe_row(scores, row), ensure_ascii=False) + "\n" for row in rows)


def write_blocks(scores: UnderstandingScores, rows: Sequence[AlignedRow]) -> str:
    """All utterances as text: a line of counts, then words and concepts, each unit above its counterpart.

    Letters under the columns say what they are: ``S``, ``D``, ``I``, nothing for a hit, ``v`` for a concept that was
    found with another value.
    """
    return "\n".join("\n".join(_block(describe_row(scores, row))) + "\n" for row in rows)


def _block(described: dict[str, Any]) -> Iterator[str]:
    title = [f"row {described['row']}", described["id"], described["language"]]
    errors = [
        f"{label} {described['counts'][metric]['errors']}/{described['counts'][metric]['reference']}"
        for metric, label in METRICS.items()
    ]
    yield "  ".join([*filter(None, title), *errors])
    for part in ALIGNED.values():
        columns = [_column(step) for step in described[part]]
        for place, label in enumerate((f"{part:9}REF", "         HYP", "            ")):
            line = " ".join(column[place] for column in columns)
            if columns and (place < 2 or line.strip()):
                yield f"  {label} {line}".rstrip()


def _column(step: dict[str, Any]) -> tuple[str, str, str]:
    """Reference, hypothesis and mark, filled up to the same width on a screen."""
    shown = [_show(step["reference"]), _show(step["hypothesis"])]
    width = max(_width(text) for text in shown if text is not None)
    cells = [GAP * width if text is None else text + " " * (width - _width(text)) for text in shown]
    mark = "v" if step["kind"] == "=" and not step.get("same_value", True) else step["kind"].replace("=", " ")
    return cells[0], cells[1], mark.ljust(width)


def _show(unit: Any) -> Optional[str]:
    if isinstance(unit, dict):
        return f"<{unit['concept']}> {unit['value']}".rstrip() + " >"
    return unit if unit is None else str(unit)


def _width(text: str) -> int:
    """Columns on a screen: none for marks over letters, two for wide East Asian characters."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def _steps(
    reference: Sequence[Any], hypothesis: Sequence[Any], first: Sequence[Any], second: Sequence[Any]
) -> Iterator[dict[str, Any]]:
    """Steps that align two sequences of units, each unit shown as it stands in ``first`` or ``second``."""
    for step in align(reference, hypothesis):
        yield {
            "kind": step.kind,
            "reference": None if step.reference is None else first[step.reference],
            "hypothesis": None if step.hypothesis is None else second[step.hypothesis],
        }
