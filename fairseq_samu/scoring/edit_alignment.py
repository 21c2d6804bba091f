"""Edit distance with unit costs: substitutions, deletions and insertions of many pairs at once, and alignments.

Equally short edits can differ in their counts (``a b`` to ``b a``: two substitutions, or a deletion and an insertion).
Taken is the one with the most matches, which makes the counts unique: errors are minimised first, substitutions second.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

CELLS_AT_ONCE = 1 << 14
"""Cells of a row of the table over all pairs of a batch: what fits into a processor's cache."""


class EditCounts(NamedTuple):
    """Edits that turn a reference into a hypothesis; adding tables of them over rows gives those of a corpus.

    Attributes:
        substitutions: units of the reference with another unit in their place.
        deletions: units of the reference without any.
        insertions: units of the hypothesis without any in the reference.
        reference: units of the reference.
    """

    substitutions: int
    deletions: int
    insertions: int
    reference: int

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def hits(self) -> int:
        """Units of the reference that the hypothesis has too."""
        return self.reference - self.substitutions - self.deletions

    @property
    def rate(self) -> Optional[float]:
        """Errors in percent of the reference; None where the reference has no unit."""
        return 100.0 * self.errors / self.reference if self.reference else None


class Step(NamedTuple):
    """A step of an alignment.

    Attributes:
        reference: place in the reference; None for an insertion.
        hypothesis: place in the hypothesis; None for a deletion.
        is_hit: the two units are equal.
    """

    reference: Optional[int]
    hypothesis: Optional[int]
    is_hit: bool = False

    @property
    def kind(self) -> str:
        """``=`` for a hit, otherwise ``S``, ``D`` or ``I``."""
        if self.reference is None:
            return "I"
        return "D" if self.hypothesis is None else "=" if self.is_hit else "S"


def count_edits(references: Sequence[Sequence[Hashable]], hypotheses: Sequence[Sequence[Hashable]]) -> list[EditCounts]:
    """Count the edits of each pair.

    Args:
        references: units of N references.
        hypotheses: units of the N hypotheses.

    Returns:
        N counts.
    """
    pairs = list(zip(references, hypotheses, strict=True))
    numbers: dict[Hashable, int] = {}
    sizes = np.array([(len(reference), len(hypothesis)) for reference, hypothesis in pairs], np.int64).reshape(-1, 2)
    counts = [EditCounts(0, 0, 0, 0)] * len(pairs)
    for places in _batch(sizes):
        reference = _pad([pairs[place][0] for place in places], numbers, -1)
        hypothesis = _pad([pairs[place][1] for place in places], numbers, -2)
        lengths = sizes[places]
        costs = _last_costs(reference, hypothesis, lengths)
        for place, cost, (rows, columns) in zip(places, costs.tolist(), lengths.tolist(), strict=True):
            errors, substitutions = divmod(cost, _weight(reference, hypothesis))
            insertions = (errors - substitutions - rows + columns) // 2
            counts[place] = EditCounts(substitutions, errors - substitutions - insertions, insertions, rows)
    return counts


def sum_edits(counts: Iterable[EditCounts]) -> EditCounts:
    """Add the counts of rows to those of a corpus."""
    columns = list(zip(*counts, strict=True)) or [()] * len(EditCounts._fields)
    return EditCounts(*map(sum, columns))


def align(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> list[Step]:
    """Align two sequences, with the counts of :func:`count_edits`.

    Of several such alignments it is the one that, read from the end, pairs units before it deletes, and deletes before
    it inserts: gaps stand as early as they can.

    Args:
        reference: units.
        hypothesis: units.
    """
    numbers: dict[Hashable, int] = {}
    left, right = _pad([reference], numbers, -1), _pad([hypothesis], numbers, -2)
    weight = _weight(left, right)
    # relative to the column's insertions, as _rows says: an insertion costs nothing there, a substitution 1
    table = np.concatenate(list(_rows(left, right))).tolist()
    row, column = len(reference), len(hypothesis)
    steps = []
    while row or column:
        here = table[row][column]
        is_hit = bool(row and column) and reference[row - 1] == hypothesis[column - 1]
        if row and column and here == table[row - 1][column - 1] + (-weight if is_hit else 1):
            row, column = row - 1, column - 1
            steps.append(Step(row, column, is_hit))
        elif row and here == table[row - 1][column] + weight:
            row -= 1
            steps.append(Step(row, None))
        else:
            column -= 1
            steps.append(Step(None, column))
    return steps[::-1]


def _batch(sizes: NDArray[np.int64]) -> Iterator[list[int]]:
    """Places of pairs of about the same size, as many as are worked on at once."""
    waiting: list[int] = []
    for place in np.lexsort((sizes[:, 1], sizes.max(axis=1, initial=0))).tolist():
        if waiting and (len(waiting) + 1) * (1 + int(sizes[place].max())) > CELLS_AT_ONCE:
            yield waiting
            waiting = []
        waiting.append(place)
    if waiting:
        yield waiting


def _pad(sequences: Sequence[Sequence[Hashable]], numbers: dict[Hashable, int], padding: int) -> NDArray[np.int64]:
    """Number the units; reference and hypothesis are padded by different numbers, which never match."""
    padded = np.full((len(sequences), max(map(len, sequences))), padding, np.int64)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = [numbers.setdefault(unit, len(numbers)) for unit in sequence]
    return padded


def _weight(reference: NDArray[np.int64], hypothesis: NDArray[np.int64]) -> int:
    """What an error costs, so that all substitutions of a pair together cost less than one error more."""
    return reference.shape[1] + hypothesis.shape[1] + 1


def _rows(reference: NDArray[np.int64], hypothesis: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Rows of the table of costs: an error costs ``_weight``, a substitution 1 more.

    Column j holds the cost less j insertions: then the cheapest run of insertions up to each column is a running
    minimum, and a row takes four operations on arrays.

    Args:
        reference: (B, U) int64.
        hypothesis: (B, V) int64.

    Yields:
        U + 1 arrays (B, V + 1) int64.
    """
    weight = _weight(reference, hypothesis)
    row = np.zeros((len(hypothesis), hypothesis.shape[1] + 1), np.int64)
    yield row
    for units in reference.T:
        paired = row[:, :-1] + np.where(hypothesis == units[:, None], -weight, 1)
        row = row + weight
        np.minimum(row[:, 1:], paired, out=row[:, 1:])
        np.minimum.accumulate(row, axis=1, out=row)
        yield row


def _last_costs(
    reference: NDArray[np.int64], hypothesis: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(B,) cost of each pair, read where its own lengths (B, 2) end."""
    costs = np.zeros(len(lengths), np.int64)
    for place, row in enumerate(_rows(reference, hypothesis)):
        ends = np.flatnonzero(lengths[:, 0] == place)
        costs[ends] = row[ends, lengths[ends, 1]]
    return costs + lengths[:, 1] * _weight(reference, hypothesis)
