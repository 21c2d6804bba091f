"""Which concepts are found, missed, made up and taken for one another; and the F1 of entities as SLUE has it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from fairseq_samu.concepts import Concept
from fairseq_samu.scoring.edit_alignment import align
from fairseq_samu.scoring.understanding import Utterance

Cell = tuple[Optional[str], Optional[str]]
"""Name in the reference and name in the hypothesis; None where there is none."""


@dataclass(frozen=True)
class Detection:
    """How many of something were found.

    Attributes:
        found: right ones.
        reference: all there are.
        hypothesis: all that the system gave.
    """

    found: int
    reference: int
    hypothesis: int

    @property
    def precision(self) -> Optional[float]:
        """Right ones in percent of those given; None where none is given."""
        return 100.0 * self.found / self.hypothesis if self.hypothesis else None

    @property
    def recall(self) -> Optional[float]:
        """Right ones in percent of those there are; None where there is none."""
        return 100.0 * self.found / self.reference if self.reference else None

    @property
    def f1(self) -> Optional[float]:
        """Harmonic mean of precision and recall; None where there is none in reference and hypothesis."""
        both = self.reference + self.hypothesis
        return 200.0 * self.found / both if both else None


@dataclass(frozen=True)
class ConceptRow:
    """One concept over a corpus, by the alignment of names that the concept error rate counts.

    Attributes:
        name: of the concept.
        detection: names found, in the reference, in the hypotheses.
        substitutions: in the reference, with another concept in its place.
        deletions: in the reference, with nothing in its place.
        insertions: in a hypothesis, with nothing in its place in the reference.
        right_values: of those found, how many have the value of the reference too.
    """

    name: str
    detection: Detection
    substitutions: int
    deletions: int
    insertions: int
    right_values: int


@dataclass(frozen=True)
class ConceptTable:
    """Concepts of a corpus.

    Attributes:
        rows: one a concept of the references or hypotheses; the most frequent in the references first.
        confusion: how often a name stands for a name, hits included.
    """

    rows: list[ConceptRow]
    confusion: dict[Cell, int]


def tabulate_concepts(references: Sequence[Utterance], hypotheses: Sequence[Utterance]) -> ConceptTable:
    """Align the concepts of each row and count.

    Args:
        references: units of N utterances.
        hypotheses: of the same.
    """
    cells: Counter[Cell] = Counter()
    right: Counter[str] = Counter()
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        for first, second in _pair(reference.concepts, hypothesis.concepts):
            cells[first.name if first else None, second.name if second else None] += 1
            if first is not None and first == second:
                right[first.name] += 1
    names = {name for cell in cells for name in cell if name is not None}
    rows = [_row(name, cells, right[name]) for name in names]
    rows.sort(key=lambda row: (-row.detection.reference, row.name))
    place = {row.name: number for number, row in enumerate(rows)}
    ordered = sorted(cells, key=lambda cell: tuple(place.get(name or "", len(place)) for name in cell))
    return ConceptTable(rows, {cell: cells[cell] for cell in ordered})


def detect_entities(
    references: Sequence[Utterance], hypotheses: Sequence[Utterance], with_values: bool = True
) -> Detection:
    """Count right concepts in any order, as SLUE's F1 of named entities does (arXiv:2111.10367).

    Precision, recall and F1 are over all rows and concepts (micro); a concept that stands twice must be found twice.

    Args:
        references: units of N utterances.
        hypotheses: of the same.
        with_values: name and value must be right (SLUE's F1); otherwise only the name (its label-F1).
    """
    found = expected = given = 0
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        sides = [_count(utterance.concepts, with_values) for utterance in (reference, hypothesis)]
        found += (sides[0] & sides[1]).total()
        expected += sides[0].total()
        given += sides[1].total()
    return Detection(found, expected, given)


def _pair(
    reference: Sequence[Concept], hypothesis: Sequence[Concept]
) -> Iterable[tuple[Optional[Concept], Optional[Concept]]]:
    names = ([concept.name for concept in side] for side in (reference, hypothesis))
    for step in align(*names):
        yield (
            None if step.reference is None else reference[step.reference],
            None if step.hypothesis is None else hypothesis[step.hypothesis],
        )


def _count(concepts: Iterable[Concept], with_values: bool) -> Counter[tuple[str, str]]:
    return Counter((concept.name, concept.value if with_values else "") for concept in concepts)


def _row(name: str, cells: Counter[Cell], right_values: int) -> ConceptRow:
    expected = sum(count for (first, _), count in cells.items() if first == name)
    given = sum(count for (_, second), count in cells.items() if second == name)
    found, deleted, inserted = cells[name, name], cells[name, None], cells[None, name]
    return ConceptRow(
        name, Detection(found, expected, given), expected - found - deleted, deleted, inserted, right_values
    )
