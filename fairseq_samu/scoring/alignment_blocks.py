"""Alignments of single utterances, to be read: text with one utterance a block, or JSON with one a line."""

import json
import unicodedata
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Protocol

from fairseq_samu.scoring.edit_alignment import EditCounts, align
from fairseq_samu.scoring.error_rates import describe_counts

GAP = "*"


class Sides(NamedTuple):
    """Units of one kind, such as words, of an utterance.

    Attributes:
        reference: units that are compared.
        hypothesis: the same.
        shown_reference: how each unit is shown: a text, or ``{"concept": name, "value": words}``.
        shown_hypothesis: the same.
    """

    reference: Sequence[Hashable]
    hypothesis: Sequence[Hashable]
    shown_reference: Sequence[Any]
    shown_hypothesis: Sequence[Any]


class AlignableScores(Protocol):
    """Scores of a system whose utterances can be shown aligned."""

    @property
    def counts(self) -> Mapping[str, Sequence[EditCounts]]:
        """Edits of each row, by metric."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """Label of each metric."""
        ...

    def sides(self, row: int) -> Mapping[str, Sides]:
        """Units of a row by their kind, such as ``words``."""
        ...


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


def describe_row(scores: AlignableScores, given: AlignedRow) -> dict[str, Any]:
    """An utterance as JSON: its texts, the counts of each metric, and the steps of each kind of unit's alignment.

    A step is ``{"kind": "=", "reference": ..., "hypothesis": ...}`` with kind ``=``, ``S``, ``D`` or ``I``. A concept
    is ``{"concept": name, "value": words}``; its kind is that of the name, and ``same_value`` tells the value's.

    Args:
        scores: of all rows.
        given: the one to describe.
    """
    return {
        "row": given.row if given.number is None else given.number,
        "id": given.name,
        "language": given.language,
        "reference": given.reference,
        "hypothesis": given.hypothesis,
        "counts": {metric: describe_counts(counts[given.row]) for metric, counts in scores.counts.items()},
        **{part: list(_steps(sides)) for part, sides in scores.sides(given.row).items()},
    }


def write_json_lines(scores: AlignableScores, rows: Sequence[AlignedRow]) -> str:
    """All utterances as JSON lines, in the form of :func:`describe_row`."""
    return "".join(json.dumps(describe_row(scores, row), ensure_ascii=False) + "\n" for row in rows)


def write_blocks(scores: AlignableScores, rows: Sequence[AlignedRow]) -> str:
    """All utterances as text: a line of counts, then each kind of unit, every unit above its counterpart.

    Letters under the columns say what they are: ``S``, ``D``, ``I``, nothing for a hit, ``v`` for a concept that was
    found with another value.
    """
    return "\n".join("\n".join(_block(scores, row)) + "\n" for row in rows)


def _block(scores: AlignableScores, given: AlignedRow) -> Iterator[str]:
    described = describe_row(scores, given)
    title = [f"row {described['row']}", described["id"], described["language"]]
    errors = [
        f"{label} {described['counts'][metric]['errors']}/{described['counts'][metric]['reference']}"
        for metric, label in scores.labels.items()
    ]
    yield "  ".join([*filter(None, title), *errors])
    for part in scores.sides(given.row):
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


def _steps(sides: Sides) -> Iterator[dict[str, Any]]:
    """Steps that align the two sides, each unit as it is shown."""
    for step in align(sides.reference, sides.hypothesis):
        described = {
            "kind": step.kind,
            "reference": None if step.reference is None else sides.shown_reference[step.reference],
            "hypothesis": None if step.hypothesis is None else sides.shown_hypothesis[step.hypothesis],
        }
        if any(isinstance(described[side], dict) for side in ("reference", "hypothesis")):
            described["same_value"] = described["reference"] == described["hypothesis"]
        yield described
