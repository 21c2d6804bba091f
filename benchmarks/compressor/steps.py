"""Training steps of multitask_st without a compressor and with each kind, in turn."""

from typing import Any

from benchmarks.compressor.plan import Plan
from benchmarks.compressor.step_sizes import STEPS
from benchmarks.compressor.step_worker import ARMS, start
from benchmarks.measuring.process import RemoteWorker
from benchmarks.measuring.rounds import Timings, spread, take_turns

PROFILED = ("off", "segment")


class Chosen:
    """One compressor of a worker that has several, called as if it had a process of its own.

    Args:
        worker: that has them.
        arm: name of the compressor.
    """

    def __init__(self, worker: RemoteWorker, arm: str) -> None:
        self.worker = worker
        self.arm = arm

    def call(self, name: str, *arguments: Any) -> Any:
        """Have the worker run a method with this compressor."""
        self.worker.call("choose", self.arm)
        return self.worker.call(name, *arguments)


def measure_steps(size: str, plan: Plan) -> dict[str, Any]:
    """Measure steps with every compressor.

    Args:
        size: name of the step's sizes.
        plan: how; its rounds are the size's own at most.

    Returns:
        What was measured of each arm, by its name, and of the batch.
    """
    rounds = min(plan.rounds, STEPS[size].repetitions)
    worker = start(size, plan.clock, plan.threads)
    chosen = {arm: Chosen(worker, arm) for arm in ARMS}
    timings = take_turns(chosen, "train", rounds)
    arms = {
        arm: {
            **summarise(timing, timings["off"]),
            "parameters": chosen[arm].call("count_parameters"),
            "profile": chosen[arm].call("profile", "train") if arm in PROFILED else [],
        }
        for arm, timing in timings.items()
    }
    ratio = worker.call("ratio")
    worker.close()
    return {"arms": arms, "rounds": rounds, "audio": timings["off"].result["audio"], "ratio": ratio}


def summarise(timing: Timings, off: Timings) -> dict[str, Any]:
    """Times, memory, the compressor's share, and how many times as fast as without one, with the spread."""
    return {
        "seconds": timing.seconds,
        "median": timing.median,
        "peak_bytes": timing.peak_bytes,
        "loss": timing.result["loss"],
        "shares": spread([result["compressor"] / result["seconds"] for result in timing.results]),
        "times_faster": spread(timing.ratios_to(off)),
    }
