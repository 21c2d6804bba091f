"""Measure adapter tuning of samu_xlsr_mbart and of Hugging Face's Whisper with PEFT side by side.

    python -m benchmarks.adapters.compare --peer-python PEER/bin/python --output outputs/adapters_benchmark

Same encoder, same function, same speech, one run; writes results.json and results.md into the output folder. `run.sh`
makes the peer's environment.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.adapters.report import write_report
from benchmarks.adapters.sizes import SIZES
from benchmarks.adapters.weights import write_state
from benchmarks.adapters.work import read_batch
from benchmarks.adapters.worker import Arm, start
from benchmarks.measuring.arguments import add_common_arguments
from benchmarks.measuring.machine import describe_machine
from benchmarks.measuring.process import RemoteWorker
from benchmarks.measuring.rounds import Timings, require_close, summarise, take_turns

OURS, USED, MATCHED, HOOKS = "ours", "peft, 30 s", "peft, matched", "hooks, matched"
PARTS = {
    "used": (Arm(USED, "huggingface"), Arm(OURS, "ours")),
    "matched": (
        Arm(MATCHED, "huggingface", {"whole_windows": False}),
        Arm(HOOKS, "huggingface", {"whole_windows": False, "tuned_by": "hooks"}),
        Arm(OURS, "ours"),
    ),
    "levers": (
        Arm(OURS, "ours"),
        Arm("ours, products of the peer", "ours", {"products_of_peer": True}),
        Arm("ours, cached", "ours", {"cached": True}),
        Arm("ours, recomputed", "ours", {"recompute": True}),
    ),
}
LOSS_TOLERANCE, FRAMES_TOLERANCE = 1e-4, 1e-3
COUNT_TOLERANCE = 0.02  # LoRA has ranks, adapters have widths and biases


@dataclass(frozen=True)
class Plan:
    """How to measure.

    Attributes:
        size: name of the sizes.
        rounds: repetitions of every measurement.
        threads: of every system.
        peer_python: interpreter of the peer's environment.
        clock: ``wall`` or ``cpu``.
        alone: have one system in memory at a time.
    """

    size: str
    rounds: int
    threads: int
    peer_python: str
    clock: str = "wall"
    alone: bool = False


def measure(
    plan: Plan, parts: Sequence[str] = tuple(PARTS), keep: Callable[[dict[str, Any]], None] = lambda results: None
) -> dict[str, Any]:
    """Measure the chosen parts.

    Args:
        plan: how.
        parts: some of ``PARTS``.
        keep: told the results so far, after every part.

    Returns:
        Results as plain JSON.

    Raises:
        ValueError: the systems do not do the same work.
    """
    described = {name: value for name, value in asdict(plan).items() if name != "peer_python"}
    results: dict[str, Any] = {**described, "machine": describe_machine(plan.threads)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results["encoder"] = write_state(folder, SIZES[plan.size])
        batch = read_batch(SIZES[plan.size])
        batch.save(folder)
        results["batch"] = {"rows": len(batch.lengths), "audio_seconds": batch.seconds}
        results["batch"]["padded_seconds"] = batch.wave.numel() / 16000
        for part in parts:
            results |= _measure_part(plan, part, folder)
            results["load_after"] = os.getloadavg()[0]
            keep(results)
            print(f"{part}: measured", flush=True)
    return results


def _measure_part(plan: Plan, part: str, folder: Path) -> dict[str, Any]:
    timings: dict[str, Timings] = {}
    found: dict[str, dict[str, Any]] = {}
    frames: dict[str, np.ndarray] = {}
    for group in [[arm] for arm in PARTS[part]] if plan.alone else [PARTS[part]]:
        workers = {arm.name: start(arm, plan.size, folder, plan.clock, plan.threads, plan.peer_python) for arm in group}
        loaded = {name: worker.call("held_bytes") for name, worker in workers.items()}
        timings |= take_turns(workers, "train", plan.rounds)
        for name, worker in workers.items():
            found[name] = {"loaded_bytes": loaded[name], **_ask(name, worker, part == "used")}
            if part != "levers":
                frames[name] = worker.call("frames", *([part == "used"] if name == OURS else []))
            worker.close()
    judged = judge(timings, found)
    if frames:
        judged["frames_differ_by"] = require_equal_frames(frames)
    return {part: judged}


def _ask(name: str, worker: RemoteWorker, whole_windows: bool) -> dict[str, Any]:
    """What else is known of a system in its process."""
    found = {
        "tuned": worker.call("count_parameters")["tuned"],
        "versions": worker.call("versions"),
        "profile": worker.call("profile", "train"),
    }
    if name in (OURS, USED):
        found["saved_bytes"] = worker.call("saved_bytes")
    if name == OURS:
        found["unmasked_loss"] = worker.call("unmasked_loss", whole_windows)
    return found


def require_equal_frames(frames: Mapping[str, np.ndarray]) -> float:
    """Compare the frames of the peer's encoder with ours of the same wave.

    Returns:
        Greatest difference as a share of the greatest value.

    Raises:
        ValueError: they differ.
    """
    ours = frames[OURS]
    differences = {name: float(np.abs(one - ours).max() / np.abs(ours).max()) for name, one in frames.items()}
    if max(differences.values()) > FRAMES_TOLERANCE:
        raise ValueError(f"the frames of the encoders differ by {differences} of the greatest")
    return max(differences.values())


def judge(timings: Mapping[str, Timings], found: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Compare training steps.

    Raises:
        ValueError: losses of the same function or numbers of tuned parameters differ.
    """
    counts = {name: float(one["tuned"]) for name, one in found.items()}
    losses = {name: timing.result["loss"] for name, timing in timings.items()}
    unmasked = {**losses, OURS: found[OURS]["unmasked_loss"]}
    for name in counts:
        require_close("tuned parameters", counts, name, OURS, COUNT_TOLERANCE)
        require_close("losses", losses if name.startswith(OURS) else unmasked, name, OURS, LOSS_TOLERANCE)
    ours = timings[OURS]
    systems = {
        name: {
            **summarise(timing, ours),
            **found[name],
            "peak_bytes": timing.peak_bytes,
            "loss": losses[name],
            "memory_share_of_ours": ours.peak_bytes / timing.peak_bytes,
        }
        for name, timing in timings.items()
    }
    return {"systems": systems}


def keep(folder: Path, results: dict[str, Any]) -> None:
    """Write what was measured so far."""
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(write_report(results), encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", type=Path, required=True, help="interpreter of PEFT's environment")
    add_common_arguments(parser, SIZES, "base", "outputs/adapters_benchmark", PARTS, threads=1)
    given = parser.parse_args(arguments)
    rounds = given.rounds or SIZES[given.size].repetitions
    plan = Plan(given.size, rounds, given.threads, str(given.peer_python), given.clock, given.alone)
    given.output.mkdir(parents=True, exist_ok=True)
    print(write_report(measure(plan, given.parts.split(","), partial(keep, given.output))))


if __name__ == "__main__":
    main()
