"""Measure the package's compressor beside a matrix product and a loop, and training steps with and without it.

    python -m benchmarks.compressor.compare --output outputs/compressor_benchmark

Same frames, same weights, one run; writes results.json and results.md into the output folder.
"""

import argparse
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.compressor import agreement, bound
from benchmarks.compressor.plan import FUNCTIONS, LOOP, NUMBERS, OURS, PASSES, Plan, arms_of, is_measured
from benchmarks.compressor.report import write_report
from benchmarks.compressor.sizes import LONG_BATCH, SIZES, Case, Sizes
from benchmarks.compressor.step_sizes import STEPS
from benchmarks.compressor.steps import measure_steps
from benchmarks.compressor.work import row_lengths
from benchmarks.compressor.worker import Arm, start
from benchmarks.measuring.machine import describe_machine
from benchmarks.measuring.process import RemoteWorker
from benchmarks.measuring.rounds import Timings, spread, take_turns

ORACLE = "oracle"
PARTS = (*FUNCTIONS, ORACLE, bound.PART, *(name for name in STEPS if not name.startswith("tiny")))


def measure_function(plan: Plan, function: str, keep: Callable[[dict[str, Any]], None]) -> None:
    """Measure all arms of a function over all batches.

    Args:
        plan: how.
        function: one of ``FUNCTIONS``.
        keep: told the results so far, after every batch.

    Raises:
        ValueError: the arms do not compute the same.
    """
    sizes, arms = SIZES[plan.size], arms_of(function)
    difference = agreement.check_functions(arms, sizes)
    workers = {arm.name: start(arm, plan.size, plan.clock, plan.threads) for arm in arms}
    cases = []
    for case in sizes.cases():
        chosen = [arm for arm in arms if is_measured(arm, case, sizes)]
        if chosen and case.rows in (plan.rows or (case.rows,)):
            cases.append(measure_case(plan, case, {arm.name: workers[arm.name] for arm in chosen}))
            for task in PASSES:
                agreement.check_norms(chosen, {name: arm[task] for name, arm in cases[-1]["arms"].items()})
            keep({"largest_difference": difference, "cases": cases})
    for worker in workers.values():
        worker.close()


def measure_case(plan: Plan, case: Case, workers: dict[str, RemoteWorker]) -> dict[str, Any]:
    """Measure arms in turn over one batch, forward alone and forward and backward."""
    rounds = Sizes.rounds(case, plan.rounds)
    for worker in workers.values():
        worker.call("choose", case.frames, case.rows)
    arms: dict[str, dict[str, Any]] = {name: {} for name in workers}
    for task in PASSES:
        timings = take_turns(workers, task, rounds, warm_up=case.size <= LONG_BATCH)
        for name, timing in timings.items():
            extra = workers[name].call("extra_bytes", task)
            arms[name][task] = {**summarise(timing, timings[OURS]), "extra_bytes": extra}
    told = " ".join(f"{name} {arm['both']['median']:.3f} s;" for name, arm in arms.items())
    print(f"{case.frames} x {case.rows}: {told}", flush=True)
    ratio = sum(row_lengths(case.frames, case.rows)) / arms[OURS]["both"]["segments"]
    return {**asdict(case), "rounds": rounds, "ratio": ratio, "arms": arms}


def measure_oracle(plan: Plan) -> dict[str, Any]:
    """Measure the oracle of the unit tests, forward and once: it takes seconds for the shortest batch.

    Raises:
        ValueError: it does not compute the same.
    """
    case = SIZES[plan.size].cases()[0]
    functions: dict[str, Any] = {}
    for function in ("segment", "global"):
        arms = (Arm(OURS, "ours", function), Arm(LOOP, "loop", function), Arm(NUMBERS, "numbers", function))
        workers = {arm.name: start(arm, plan.size, plan.clock, plan.threads) for arm in arms}
        for worker in workers.values():
            worker.call("choose", case.frames, case.rows)
        for name in (OURS, LOOP):
            workers[name].call("forward")
        timings = take_turns(workers, "forward", 1, warm_up=False)
        agreement.check_norms(arms, {name: timing.result for name, timing in timings.items()})
        functions[function] = {name: summarise(timing, timings[OURS]) for name, timing in timings.items()}
        for worker in workers.values():
            worker.close()
    return {**asdict(case), "functions": functions}


def summarise(timing: Timings, ours: Timings) -> dict[str, Any]:
    """Times, memory, and how many times as fast ours is, with the spread over the rounds."""
    return {
        **timing.result,
        "seconds": timing.seconds,
        "median": timing.median,
        "peak_bytes": timing.peak_bytes,
        "ours_times_faster": spread(ours.ratios_to(timing)),
    }


def measure(
    plan: Plan, parts: Sequence[str] = PARTS, keep: Callable[[dict[str, Any]], None] = lambda results: None
) -> dict[str, Any]:
    """Measure the chosen parts.

    Args:
        plan: how.
        parts: some of ``PARTS``.
        keep: told the results so far, after every batch and step.

    Returns:
        Results as plain JSON.
    """
    results: dict[str, Any] = {**asdict(plan), "machine": describe_machine(plan.threads)}
    for part in parts:
        keep_part = partial(_keep_part, results, part, {"load_before": os.getloadavg()[0]}, keep)
        if part in FUNCTIONS:
            measure_function(plan, part, keep_part)
        elif part == ORACLE:
            keep_part(measure_oracle(plan))
        else:
            keep_part(bound.measure_bound(plan) if part == bound.PART else measure_steps(part, plan))
        print(f"{part}: measured", flush=True)
    return results


def _keep_part(
    results: dict[str, Any],
    part: str,
    loads: dict[str, float],
    keep: Callable[[dict[str, Any]], None],
    found: dict[str, Any],
) -> None:
    results[part] = {**found, **loads, "load_after": os.getloadavg()[0]}
    keep(results)


def keep(folder: Path, results: dict[str, Any]) -> None:
    """Write what was measured so far; parts and batches that are there already stay."""
    path = folder / "results.json"
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    merged = {**known, **results}
    for part in set(FUNCTIONS) & set(known) & set(results):
        cases = {(case["rows"], case["frames"]): case for each in (known, results) for case in each[part]["cases"]}
        merged[part] = {**results[part], "cases": [cases[place] for place in sorted(cases)]}
    path.write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(write_report(merged), encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(SIZES), default="full")
    parser.add_argument("--output", type=Path, default=Path("outputs/compressor_benchmark"))
    parser.add_argument("--threads", type=int, default=1, help="of every arm")
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: time of the process, for a machine that is busy"
    )
    parser.add_argument("--rounds", type=int, default=0, help="repetitions; 0 takes the size's own")
    parser.add_argument(
        "--rows", type=int, nargs="*", default=[], help="rows of the batches to compress; all by default"
    )
    parser.add_argument("--parts", default=",".join(PARTS), help=f"comma-separated: {', '.join(PARTS)}")
    given = parser.parse_args(arguments)
    given.output.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        given.size, given.rounds or SIZES[given.size].repetitions, given.threads, given.clock, tuple(given.rows)
    )
    print(write_report(measure(plan, given.parts.split(","), partial(keep, given.output))))


if __name__ == "__main__":
    main()
