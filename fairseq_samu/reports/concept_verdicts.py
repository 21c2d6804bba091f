"""What became of each concept of an utterance, by the alignment of names that the concept error rate counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from fairseq_samu.concepts import Concept
from fairseq_samu.scoring.edit_alignment import align

RIGHT, VALUE, WRONG, MISSED, INSERTED = "right", "value", "wrong", "missed", "inserted"
MARKS = {RIGHT: "✓", VALUE: "≠", WRONG: "✗", MISSED: "−", INSERTED: "+"}
"""Signs of the verdicts: none of them is told by colour alone."""
KINDS = {
    RIGHT: "right",
    VALUE: "other value",
    WRONG: "wrong concept",
    MISSED: "missed",
    INSERTED: "inserted",
}
"""What the signs mean."""


@dataclass(frozen=True)
class Verdict:
    """On one concept of the reference or of the hypothesis.

    Attributes:
        kind: a key of ``KINDS``.
        other: name of the concept that stands in its place on the other side; empty where there is none.
    """

    kind: str
    other: str = ""


def judge(reference: Sequence[Concept], hypothesis: Sequence[Concept]) -> tuple[list[Verdict], list[Verdict]]:
    """Compare the concepts of an utterance.

    Args:
        reference: with values in the form that is compared.
        hypothesis: likewise.

    Returns:
        A verdict on each concept of the reference, and on each of the hypothesis.
    """
    steps = align([concept.name for concept in reference], [concept.name for concept in hypothesis])
    expected, given = [], []
    for step in steps:
        first = None if step.reference is None else reference[step.reference]
        second = None if step.hypothesis is None else hypothesis[step.hypothesis]
        if first is None:
            given.append(Verdict(INSERTED))
        elif second is None:
            expected.append(Verdict(MISSED))
        else:
            kind = RIGHT if first == second else VALUE if step.is_hit else WRONG
            expected.append(Verdict(kind, second.name))
            given.append(Verdict(kind, first.name))
    return expected, given
