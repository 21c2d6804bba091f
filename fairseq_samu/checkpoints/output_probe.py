"""Outputs of a model for a fixed input, kept in a file so that whoever loads it knows the model again."""

from torch import Tensor

from fairseq_samu.errors import explain

# Relative to the largest value of an output: far above what another machine rounds otherwise.
TOLERANCE = 1e-3
MEND = "The file is damaged, or this version of the package computes otherwise than the one that wrote it."


def find_output_fault(
    where: str, thing: str, expected: Tensor | None, found: Tensor | None, mend: str = MEND
) -> str | None:
    """Compare an output with the one that a file has kept.

    Args:
        where: what was computed, for the message.
        thing: name of the output.
        expected: of the file; None where it has none.
        found: of the model at hand; None where it has none.
        mend: for the message.

    Returns:
        The fault in words, where they differ by more than rounding explains.
    """
    if expected is None or found is None or expected.shape != found.shape:
        return explain(where, thing, "there, of the same shape", "otherwise", mend)
    largest = float(expected.abs().max())
    difference = float((expected - found).abs().max())
    if not difference <= TOLERANCE * largest:
        rule = f"equal to {TOLERANCE:g} of its largest value, {largest:.4g}"
        return explain(where, thing, rule, f"off by {difference:.4g}", mend)
    return None
