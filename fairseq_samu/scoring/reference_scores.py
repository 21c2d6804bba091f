"""How probable a model finds the references: what `fairseq-generate --score-reference` writes."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.errors import SamuError, explain
from fairseq_samu.scoring.generate_output import name_rows, read_lines
from fairseq_samu.scoring.paired_bootstrap import NUM_RESAMPLES, SEED, Figure

# `P-17<tab>-0.5 -2.1`: base-2 logarithms of the probabilities of row 17's tokens
_SCORES = re.compile(r"^P-(\d+)\t(.*)$")


def read_reference_scores(path: Path, count: int) -> NDArray[np.float64]:
    """Read how probable the tokens of every reference are.

    Args:
        path: the host's output.
        count: rows R of the test set.

    Returns:
        (R, 2) float64: the sum of the base-2 logarithms of a row's tokens, and how many these are.

    Raises:
        SamuError: a row has no scores, or is not of this test set.
    """
    table = np.zeros((count, 2))
    beyond = []
    for line in read_lines(path):
        if match := _SCORES.match(line):
            row, scores = int(match[1]), [float(value) for value in match[2].split()]
            if row < count:
                table[row] = sum(scores), len(scores)
            else:
                beyond.append(row)
    missing = np.flatnonzero(table[:, 1] == 0).tolist()
    if missing or beyond:
        value = f"without {name_rows(missing)}" if missing else f"with {name_rows(beyond)}"
        mend = "Decode this test set with --score-reference."
        raise SamuError(explain(str(path), "scores of references", f"those of {count} rows", value, mend))
    return table


def mean_log_probability(table: NDArray[np.float64], rows: Sequence[int]) -> Figure:
    """Mean base-2 logarithm of the probability of a reference's token, with resamples of the rows.

    It says how well a model knows what was said where its own best text is too poor for BLEU to tell: minus the bits
    a token, higher is better.

    Args:
        table: as :func:`read_reference_scores` gives it.
        rows: those to average over.
    """
    sums, counts = table[list(rows)].T
    drawn = np.random.default_rng(SEED).choice(len(sums), size=(NUM_RESAMPLES, len(sums)))
    samples = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return Figure(float(sums.sum() / counts.sum()), samples)
