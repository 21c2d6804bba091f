"""Measure SpeechBrain's parts and samu_slu side by side.

    python -m benchmarks.understanding.compare --peer-python PEER/bin/python --output outputs/understanding_benchmark

Same weights, same work, one run; writes results.json and results.md into the output folder. `run.sh` makes the peer's
environment.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measuring.arguments import add_common_arguments
from benchmarks.measuring.machine import describe_machine
from benchmarks.measuring.process import RemoteWorker
from benchmarks.measuring.rounds import Timings, require_close, spread, summarise, take_turns
from benchmarks.understanding.report import write_report
from benchmarks.understanding.sizes import SIZES
from benchmarks.understanding.weights import write_state
from benchmarks.understanding.worker import Arm, start

FROZEN = {"freeze": True}
PEER, OURS, PADDED = "speechbrain", "ours", "speechbrain, padding read"
FAST = "ours, products by oneDNN"
CACHED, BOTH = "ours, cached", "ours, both losses"
UNPRUNED, PRUNED = "speechbrain, nothing pruned", "ours, 20 labels a frame"
TRAINING = {
    "tuned": (
        Arm(PEER, "speechbrain"),
        Arm(PADDED, "speechbrain", {"lengths": False}),
        Arm(OURS, "ours"),
        Arm(BOTH, "ours", {"semantic_weight": 1.0}),
    ),
    "frozen": (
        Arm(PEER, "speechbrain", FROZEN),
        Arm(PADDED, "speechbrain", {**FROZEN, "lengths": False}),
        Arm(OURS, "ours", FROZEN),
        Arm(CACHED, "ours", {**FROZEN, "cached": True}),
    ),
    "products": (Arm(OURS, "ours"), Arm(FAST, "ours", {"fast_products": True})),
}
DECODING = (
    Arm(PEER, "speechbrain", FROZEN),
    Arm(UNPRUNED, "speechbrain", {**FROZEN, "prune": False}),
    Arm(OURS, "ours", FROZEN),
    Arm(PRUNED, "ours", {**FROZEN, "labels_per_frame": 20}),
)
SEARCHES = ("greedy", "beam", "search")
PARTS = (*TRAINING, "decoding")
LOSS_TOLERANCE, NORM_TOLERANCE = 1e-5, 1e-3
CACHE_TOLERANCE = 1e-2  # frames are stored in half precision


@dataclass(frozen=True)
class Plan:
    """How to measure.

    Attributes:
        size: name of the sizes.
        rounds: repetitions of every measurement.
        threads: of every system.
        peer_python: interpreter of the peer's environment.
        clock: ``wall`` or ``cpu``.
        alone: have one system in memory at a time, and leave the profiles out, which take longer than all else.
    """

    size: str
    rounds: int
    threads: int
    peer_python: str
    clock: str = "wall"
    alone: bool = False


class Bench:
    """Starts systems with the common weights, and measures them in turn.

    Args:
        plan: how.
        folder: the common weights.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.versions: dict[str, str] = {}

    def train(self, arms: Sequence[Arm]) -> dict[str, Any]:
        """Measure training steps; all systems must do the same work."""
        found: dict[str, dict[str, Any]] = {}
        timings: dict[str, Timings] = {}
        for group in self._groups(arms):
            workers = {arm.name: self._start(arm) for arm in group}
            bounds: list[float] = []
            operations = workers[OURS].call("record_products") if OURS in workers else 0
            time_products = partial(self._time_products, workers, bounds)
            timings |= take_turns(workers, "train", self.plan.rounds, time_products)
            for name, worker in workers.items():
                found[name] = {
                    "gradient_norm": worker.call("gradient_norm"),
                    "parameters": worker.call("count_parameters"),
                    "profile": [] if self.plan.alone else worker.call("profile", "train"),
                    **({"bound_seconds": median(bounds), "operations": operations} if name == OURS else {}),
                }
                worker.close()
        return judge_training(timings, found)

    def decode(self, arms: Sequence[Arm]) -> dict[str, Any]:
        """Measure decoding by best path, by beam search, and the search alone."""
        timings: dict[str, dict[str, Timings]] = {search: {} for search in SEARCHES}
        for group in self._groups(arms):
            workers = {arm.name: self._start(arm) for arm in group}
            for search in SEARCHES:
                chosen = {name: one for name, one in workers.items() if search != "greedy" or name in (PEER, OURS)}
                timings[search] |= take_turns(chosen, search, self.plan.rounds) if chosen else {}
            for worker in workers.values():
                worker.close()
        return judge_decoding(timings)

    @staticmethod
    def _time_products(workers: Mapping[str, RemoteWorker], into: list[float]) -> None:
        if OURS in workers:
            into.append(workers[OURS].call("time_products"))

    def _groups(self, arms: Sequence[Arm]) -> list[list[Arm]]:
        return [[arm] for arm in arms] if self.plan.alone else [list(arms)]

    def _start(self, arm: Arm) -> RemoteWorker:
        plan = self.plan
        worker = start(arm, plan.size, self.folder, plan.clock, plan.threads, plan.peer_python)
        if arm.system == "speechbrain":
            self.versions = worker.call("versions")
        return worker


def measure(
    plan: Plan, parts: Sequence[str] = PARTS, keep: Callable[[dict[str, Any]], None] = lambda results: None
) -> dict[str, Any]:
    """Measure the chosen parts.

    Args:
        plan: how.
        parts: some of ``PARTS``.
        keep: told the results so far, after every part.

    Returns:
        Results as plain JSON.

    Raises:
        ValueError: the systems do not do the same work, or give different labels.
    """
    described = {name: value for name, value in asdict(plan).items() if name != "peer_python"}
    results: dict[str, Any] = {**described, "machine": describe_machine(plan.threads)}
    with tempfile.TemporaryDirectory() as folder:
        write_state(Path(folder), SIZES[plan.size])
        bench = Bench(plan, Path(folder))
        for part in parts:
            results[part] = bench.decode(DECODING) if part == "decoding" else bench.train(TRAINING[part])
            results["peer_versions"], results["load_after"] = bench.versions, os.getloadavg()[0]
            keep(results)
            print(f"{part}: measured", flush=True)
    return results


def judge_training(timings: Mapping[str, Timings], found: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Compare training steps.

    Raises:
        ValueError: loss, gradients or parameters of systems that compute the same function differ.
    """
    losses = {name: timing.result["loss"] for name, timing in timings.items()}
    norms = {name: one["gradient_norm"] for name, one in found.items()}
    counts = {name: one["parameters"] for name, one in found.items()}
    if any(count != counts[OURS] for count in counts.values()):
        raise ValueError(f"the systems have different parameters: {counts}")
    for name in {PEER, FAST} & set(losses):
        require_close("losses", losses, name, OURS, LOSS_TOLERANCE)
        require_close("norms of gradients", norms, name, OURS, NORM_TOLERANCE)
    if CACHED in losses:
        require_close("losses with the cache", losses, CACHED, OURS, CACHE_TOLERANCE)
    bound = found[OURS]["bound_seconds"]
    ours = timings[OURS]
    systems = {
        name: {
            **summarise(timing, ours),
            **found[name],
            "peak_bytes": timing.peak_bytes,
            "loss": losses[name],
            "share_of_bound": bound / timing.median,
        }
        for name, timing in timings.items()
    }
    if CACHED in timings:
        systems[PEER]["cached_times_faster"] = spread(timings[CACHED].ratios_to(timings[PEER]))
        systems[PADDED]["cached_times_faster"] = spread(timings[CACHED].ratios_to(timings[PADDED]))
    return {
        "systems": systems,
        "bound_seconds": bound,
        "operations": found[OURS]["operations"],
        "audio_seconds": ours.result["audio"],
    }


def judge_decoding(timings: Mapping[str, Mapping[str, Timings]]) -> dict[str, Any]:
    """Compare decoding.

    Raises:
        ValueError: the best paths differ.
    """
    paths = {name: timing.result["labels"] for name, timing in timings["greedy"].items()}
    if paths[PEER] != paths[OURS]:
        raise ValueError(f"other labels by best path: {json.dumps(paths)}")
    results: dict[str, Any] = {"num_labels": sum(len(row) for row in paths[OURS])}
    for search, found in timings.items():
        expected = found[OURS].result["labels"]
        results[search] = {
            name: {
                **summarise(timing, found[OURS]),
                "peak_bytes": timing.peak_bytes,
                "equal": sum(a == b for a, b in zip(timing.result["labels"], expected, strict=True)) / len(expected),
            }
            for name, timing in found.items()
        }
    return results


def keep(folder: Path, results: dict[str, Any]) -> None:
    """Write what was measured so far."""
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(write_report(results), encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Measure and report."""
    given = _parse(arguments)
    rounds = given.rounds or SIZES[given.size].repetitions
    plan = Plan(given.size, rounds, given.threads, str(given.peer_python), given.clock, given.alone)
    given.output.mkdir(parents=True, exist_ok=True)
    print(write_report(measure(plan, given.parts.split(","), partial(keep, given.output))))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", type=Path, required=True, help="interpreter of SpeechBrain's environment")
    add_common_arguments(parser, SIZES, "small", "outputs/understanding_benchmark", PARTS, threads=1)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
