"""Measure fairseq's xm_transformer, Hugging Face's SpeechEncoderDecoder and samu_xlsr_mbart side by side.

    python -m benchmarks.translation.compare --size small --output outputs/translation_benchmark

Same weights, same work, one run; writes results.json and results.md into the output folder.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from benchmarks.translation import adapters, levers
from benchmarks.translation.machine import describe_machine
from benchmarks.translation.report import write_report
from benchmarks.translation.rounds import Timings, take_turns
from benchmarks.translation.sizes import SIZES
from benchmarks.translation.worker import Arm, RemoteWorker

SYSTEMS = ("fairseq", "huggingface", "ours")
PARTS = ("training", "decoding", "exact", "levers", "adapters")
LOSS_TOLERANCE = 1e-4


def main(arguments: list[str] | None = None) -> None:
    """Measure and report."""
    given = _parse(arguments)
    rounds = given.rounds or SIZES[given.size].repetitions
    results = measure(given.size, rounds, given.threads, given.parts.split(","), given.clock)
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    text = write_report(results)
    (given.output / "results.md").write_text(text, encoding="utf-8")
    print(text)


def measure(size: str, rounds: int, threads: int, parts: list[str], clock: str = "wall") -> dict[str, Any]:
    """Measure the chosen parts.

    Args:
        size: name of the sizes.
        rounds: repetitions of every measurement.
        threads: of every system.
        parts: some of ``PARTS``.
        clock: ``wall`` or ``cpu``, see :class:`benchmarks.translation.worker.Arm`.

    Returns:
        Results as plain JSON.

    Raises:
        ValueError: the systems do not do the same work, or give different outputs.
    """
    results: dict[str, Any] = {"size": size, "rounds": rounds, "clock": clock, "machine": describe_machine(threads)}
    if {"training", "decoding", "exact"} & set(parts):
        workers = {name: RemoteWorker(Arm(name, name, size, clock=clock), threads) for name in SYSTEMS}
        results["parameters"] = _same_parameters(workers)
        if "training" in parts:
            results["training"] = measure_training(workers, rounds)
        if "decoding" in parts:
            results["decoding"] = measure_decoding(workers, size, rounds, threads)
        if "exact" in parts:
            _close(workers, "ours")
            results["exact"] = _measure_exact(workers, levers.exact_arm(size, clock), rounds, threads)
        _close(workers)
    if "levers" in parts:
        results["levers"] = levers.measure_training(size, rounds, threads, clock)
    if "adapters" in parts:
        results["adapters"] = adapters.measure(size)
    results["load_after"] = os.getloadavg()[0]
    return results


def measure_training(workers: dict[str, RemoteWorker], rounds: int) -> dict[str, Any]:
    """Training steps of all systems, and the bound that the matrix products of ours set."""
    operations = {name: worker.call("record_products") for name, worker in workers.items()}
    bound = Timings()
    timings = take_turns(workers, "train", rounds, lambda: bound.seconds.append(workers["ours"].call("time_products")))
    losses = {name: timing.result["loss"] for name, timing in timings.items()}
    if max(losses.values()) - min(losses.values()) > LOSS_TOLERANCE * max(losses.values()):
        raise ValueError(f"the systems do not do the same work: their losses are {losses}")
    found = {
        name: {
            "seconds": timing.seconds,
            "median": timing.median,
            "audio_per_second": timing.result["audio"] / timing.median,
            "peak_bytes": workers[name].call("peak_bytes"),
            "operations": operations[name],
            "share_of_bound": 1.0 / bound.times_faster_than(timing),
            "loss": losses[name],
            "ours_times_faster": timings["ours"].times_faster_than(timing),
            "profile": workers[name].call("profile", "train"),
        }
        for name, timing in timings.items()
    }
    return {"systems": found, "bound_seconds": bound.median, "audio_seconds": timings["ours"].result["audio"]}


def measure_decoding(workers: dict[str, RemoteWorker], size: str, rounds: int, threads: int) -> dict[str, Any]:
    """Beam search of all systems with equal outputs, then with the trimmed vocabulary."""
    timings = take_turns(workers, "decode", rounds)
    hypotheses = {name: timing.result["hypotheses"] for name, timing in timings.items()}
    different = [name for name in SYSTEMS if hypotheses[name] != hypotheses["ours"]]
    if different:
        raise ValueError(f"other best hypotheses than ours from {different}: {json.dumps(hypotheses)}")
    lengths = [len(row) for row in hypotheses["ours"]]
    if max(lengths) >= SIZES[size].max_tokens:
        raise ValueError(f"hypotheses were cut off, which the systems do differently: lengths {lengths}")
    found = {
        name: {
            "seconds": timing.seconds,
            "median": timing.median,
            "tokens_per_second": levers.tokens_per_second(timing),
            "ours_times_faster": timings["ours"].times_faster_than(timing),
            "profile": workers[name].call("profile", "decode"),
        }
        for name, timing in timings.items()
    }
    with_levers = levers.measure_decoding(size, workers["ours"], rounds, threads)
    for lever in with_levers.values():
        # Ours as it is was measured beside both.
        lever["times_faster_than"] = {
            name: lever["times_faster"] * found[name]["ours_times_faster"] for name in SYSTEMS
        }
    return {"systems": found, "lengths": lengths, "levers": with_levers}


def _measure_exact(workers: dict[str, RemoteWorker], arm: Arm, rounds: int, threads: int) -> dict[str, float]:
    """Training with the exact levers that leave the batch as it is, in turn with the peers."""
    exact = RemoteWorker(arm, threads)
    timings = take_turns({**workers, "exact": exact}, "train", rounds)
    exact.close()
    return {name: timings["exact"].times_faster_than(timings[name]) for name in workers}


def _same_parameters(workers: dict[str, RemoteWorker]) -> dict[str, int]:
    counts = {name: worker.call("count_parameters") for name, worker in workers.items()}
    if any(count != counts["ours"] for count in counts.values()):
        raise ValueError(f"the systems have different parameters: {counts}")
    return counts["ours"]


def _close(workers: dict[str, RemoteWorker], *names: str) -> None:
    for name in names or list(workers):
        workers.pop(name).close()


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--output", type=Path, default=Path("outputs/translation_benchmark"))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of every system")
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: time of the process, for a machine that is busy"
    )
    parser.add_argument("--rounds", type=int, default=0, help="repetitions; 0 takes the size's own")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"comma-separated: {', '.join(PARTS)}")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
