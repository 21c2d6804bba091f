"""How the systems are measured, and what comes of it."""

from dataclasses import dataclass, field
from typing import Any

from benchmarks.measuring.rounds import Timings
from benchmarks.translation.worker import Arm


@dataclass
class Measured:
    """All that was measured of a system.

    Attributes:
        timing: of its repetitions.
        products: its matrix products alone.
        operations: floating-point operations of its products.
        profile: its heaviest operations.
    """

    timing: Timings = field(default_factory=Timings)
    products: Timings = field(default_factory=Timings)
    operations: int = 0
    profile: list[tuple[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """How to measure.

    Attributes:
        size: name of the sizes.
        rounds: repetitions of every measurement.
        threads: of every system.
        clock: ``wall`` or ``cpu``, see :class:`benchmarks.translation.worker.Arm`.
        alone: have one system in memory at a time.
    """

    size: str
    rounds: int
    threads: int
    clock: str = "wall"
    alone: bool = False

    def arm(self, name: str, system: str = "ours", **settings: Any) -> Arm:
        """A system of the plan's size."""
        return Arm(name, system, self.size, clock=self.clock, **settings)
