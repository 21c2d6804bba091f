"""Repetitions of several arms in turn (A B C A B C ...), so that what disturbs the machine disturbs all alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.measuring.process import RemoteWorker


@dataclass
class Timings:
    """What an arm took in each round.

    Attributes:
        seconds: of each repetition.
        result: what the last repetition gave.
        peak_bytes: most memory that a repetition held.
        results: what each repetition gave.
    """

    seconds: list[float] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)
    peak_bytes: int = 0
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median of the repetitions, in seconds."""
        return median(self.seconds)

    def ratios_to(self, other: "Timings") -> list[float]:
        """The other's time divided by this one's, a round."""
        return [theirs / ours for ours, theirs in zip(self.seconds, other.seconds, strict=True)]

    def times_faster_than(self, other: "Timings") -> float:
        """Median over the rounds of the other's time divided by this one's."""
        return median(self.ratios_to(other))


def spread(ratios: Sequence[float]) -> dict[str, float]:
    """Median, lowest and highest of what the rounds gave."""
    return {"median": median(ratios), "low": min(ratios), "high": max(ratios)}


def summarise(timing: Timings, ours: Timings) -> dict[str, Any]:
    """Times, audio a second, and how many times as fast ours is, with the spread over the rounds."""
    return {
        "seconds": timing.seconds,
        "median": timing.median,
        "audio_per_second": timing.result["audio"] / timing.median,
        "ours_times_faster": spread(ours.ratios_to(timing)),
    }


def require_close(what: str, values: Mapping[str, float], name: str, ours: str, tolerance: float) -> None:
    """Refuse systems that do different work.

    Args:
        what: is compared, in the plural.
        values: by system.
        name: the system that is compared.
        ours: the one that it is compared with.
        tolerance: relative.

    Raises:
        ValueError: their values differ.
    """
    if abs(values[name] - values[ours]) > tolerance * abs(values[ours]):
        raise ValueError(f"the systems do not do the same work: their {what} are {dict(values)}")


def take_turns(
    workers: Mapping[str, RemoteWorker],
    task: str,
    rounds: int,
    after_round: Callable[[], None] = lambda: None,
    warm_up: bool = True,
) -> dict[str, Timings]:
    """Warm every worker up once, then measure all of them in turn.

    Args:
        workers: by name.
        task: method of the worker that reports its ``seconds``.
        rounds: repetitions.
        after_round: what else is measured in each round.
        warm_up: False leaves that out, where the workers are warm already.

    Returns:
        Timings by name.
    """
    timings = {name: Timings() for name in workers}
    for worker in workers.values() if warm_up else ():
        worker.call(task)
    for _ in range(rounds):
        for name, worker in workers.items():
            worker.call("forget_peak")
            result = worker.call(task)
            timings[name].seconds.append(result["seconds"])
            timings[name].result = result
            timings[name].results.append(result)
            timings[name].peak_bytes = max(timings[name].peak_bytes, worker.call("peak_bytes"))
        after_round()
    return timings
