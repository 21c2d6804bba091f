"""Which arms are measured in which part, over which batches."""

from dataclasses import dataclass

from benchmarks.compressor.sizes import Case, Sizes
from benchmarks.compressor.worker import Arm

OURS, FAST, HALVED = "ours", "ours, products by oneDNN", "ours, bfloat16"
MATRIX, LISTS, MASKED = "matrix", "matrix, filled by segment", "dense mask"
LOOP, NUMBERS = "loop", "numbers"
PASSES = ("forward", "both")
FUNCTIONS = ("avg", "weighted", "softmax", "segment", "global")


@dataclass(frozen=True)
class Plan:
    """How to measure.

    Attributes:
        size: name of the sizes.
        rounds: repetitions of every measurement; two at most of long batches.
        threads: of every arm.
        clock: ``wall`` or ``cpu``.
        rows: B of the batches that are measured; all where empty.
    """

    size: str
    rounds: int
    threads: int
    clock: str = "wall"
    rows: tuple[int, ...] = ()


def arms_of(function: str) -> tuple[Arm, ...]:
    """All arms of a function; ours comes first."""
    ours, loop = Arm(OURS, "ours", function), Arm(LOOP, "loop", function)
    if function not in ("segment", "global"):
        return ours, Arm(MATRIX, "matrix", function), Arm(LISTS, "matrix", function, at_once=False), loop
    fast = Arm(FAST, "ours", function, fast_products=True)
    if function == "global":
        return ours, fast, loop
    return ours, fast, Arm(HALVED, "ours", function, dtype="bfloat16"), Arm(MASKED, "matrix", function), loop


def is_measured(arm: Arm, case: Case, sizes: Sizes) -> bool:
    """Whether an arm is measured over a batch: over long ones loops take minutes, and S x T scores memory."""
    if arm.system == "loop":
        looks_back = arm.function in ("segment", "global")
        return case.size <= (sizes.most_looped if looks_back else sizes.most_shrunk)
    return case.size <= sizes.most_dense or (arm.name != MASKED and arm.function != "global")
