"""Repetitions of several arms in turn (A B C A B C ...), so that what disturbs the machine disturbs all alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.translation.worker import Arm, RemoteWorker


@dataclass
class Timings:
    """What an arm took in each round.

    Attributes:
        seconds: of each repetition.
        result: what the last repetition gave.
        peak_bytes: most memory that a repetition held.
    """

    seconds: list[float] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)
    peak_bytes: int = 0

    @property
    def median(self) -> float:
        """Median of the repetitions, in seconds."""
        return median(self.seconds)

    def times_faster_than(self, other: "Timings") -> float:
        """Median over the rounds of the other's time divided by this one's."""
        return median(theirs / ours for ours, theirs in zip(self.seconds, other.seconds, strict=True))


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


def take_turns(
    workers: Mapping[str, RemoteWorker],
    task: str,
    rounds: int,
    after_round: Callable[[], None] = lambda: None,
) -> dict[str, Timings]:
    """Warm every worker up once, then measure all of them in turn.

    Args:
        workers: by name.
        task: method of the worker that reports its ``seconds``.
        rounds: repetitions.
        after_round: what else is measured in each round.

    Returns:
        Timings by name.
    """
    timings = {name: Timings() for name in workers}
    for worker in workers.values():
        worker.call(task)
    for _ in range(rounds):
        for name, worker in workers.items():
            worker.call("forget_peak")
            result = worker.call(task)
            timings[name].seconds.append(result["seconds"])
            timings[name].result = result
            timings[name].peak_bytes = max(timings[name].peak_bytes, worker.call("peak_bytes"))
        after_round()
    return timings
