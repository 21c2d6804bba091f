"""Measure fairseq's xm_transformer, Hugging Face's SpeechEncoderDecoder and samu_xlsr_mbart side by side.

    python -m benchmarks.translation.compare --size small --output outputs/translation_benchmark

Same weights, same work, one run; writes results.json and results.md into the output folder.
"""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.measuring.arguments import add_common_arguments
from benchmarks.measuring.machine import describe_machine
from benchmarks.measuring.process import RemoteWorker
from benchmarks.measuring.rounds import Timings, take_turns
from benchmarks.translation import adapters, levers
from benchmarks.translation.plan import Measured, Plan
from benchmarks.translation.report import write_report
from benchmarks.translation.sizes import SIZES
from benchmarks.translation.worker import start

SYSTEMS = ("fairseq", "huggingface", "ours")
PARTS = ("training", "decoding", "levers", "adapters")
LOSS_TOLERANCE = 1e-4


def main(arguments: list[str] | None = None) -> None:
    """Measure and report."""
    given = _parse(arguments)
    parts = given.parts.split(",")
    rounds = given.rounds or SIZES[given.size].repetitions
    results = measure(Plan(given.size, rounds, given.threads, given.clock, given.alone), parts)
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    text = write_report(results)
    (given.output / "results.md").write_text(text, encoding="utf-8")
    print(text)


def measure(plan: Plan, parts: Sequence[str] = PARTS) -> dict[str, Any]:
    """Measure the chosen parts.

    Args:
        plan: how.
        parts: some of ``PARTS``.

    Returns:
        Results as plain JSON.

    Raises:
        ValueError: the systems do not do the same work, or give different outputs.
    """
    results: dict[str, Any] = {**asdict(plan), "machine": describe_machine(plan.threads)}
    if {"training", "decoding"} & set(parts):
        results |= _measure_systems(plan, parts)
    if "levers" in parts:
        results["levers"] = levers.measure_training(plan)
        if "decoding" in parts:
            _add_decoding_levers(results["decoding"], levers.measure_decoding(plan))
    if "adapters" in parts:
        results["adapters"] = adapters.measure(plan.size)
    results["load_after"] = os.getloadavg()[0]
    return results


def _measure_systems(plan: Plan, parts: Sequence[str]) -> dict[str, Any]:
    """Measure all systems in turn, or one after the other where they do not fit into memory together."""
    arms = {name: plan.arm(name, name) for name in SYSTEMS} | {"exact": levers.exact_arm(plan)}
    groups = [[name] for name in arms] if plan.alone else [list(arms)]
    counts: dict[str, dict[str, int]] = {}
    training: dict[str, Measured] = {}
    decoding: dict[str, Measured] = {}
    for group in groups:
        workers = {name: start(arms[name], plan.threads) for name in group}
        counts |= {name: worker.call("count_parameters") for name, worker in workers.items() if name != "exact"}
        if "training" in parts:
            training |= _measure_together(workers, "train", plan.rounds)
        if "decoding" in parts:
            plain = {name: worker for name, worker in workers.items() if name != "exact"}
            decoding |= _measure_together(plain, "decode", plan.rounds)
        for worker in workers.values():
            worker.close()
    if any(count != counts["ours"] for count in counts.values()):
        raise ValueError(f"the systems have different parameters: {counts}")
    results: dict[str, Any] = {"parameters": counts["ours"]}
    if training:
        results["training"] = _judge_training(training)
    if decoding:
        results["decoding"] = _judge_decoding(decoding, SIZES[plan.size].max_tokens)
    return results


def _measure_together(workers: dict[str, RemoteWorker], task: str, rounds: int) -> dict[str, Measured]:
    """Measure the systems that are in memory; in training also ours' matrix products alone, in every round."""
    measured = {name: Measured() for name in workers}
    if task == "train":
        for name, worker in workers.items():
            measured[name].operations = worker.call("record_products")

    def time_products() -> None:
        if task == "train" and "ours" in workers:
            measured["ours"].products.seconds.append(workers["ours"].call("time_products"))

    for name, timing in take_turns(workers, task, rounds, time_products).items():
        measured[name].timing = timing
        measured[name].profile = workers[name].call("profile", task)
    return measured


def _judge_training(measured: dict[str, Measured]) -> dict[str, Any]:
    """Compare training steps, whose losses must agree (the trimmed vocabulary's loss is another)."""
    losses = {name: measured[name].timing.result["loss"] for name in SYSTEMS}
    if max(losses.values()) - min(losses.values()) > LOSS_TOLERANCE * max(losses.values()):
        raise ValueError(f"the systems do not do the same work: their losses are {losses}")
    bound, ours, exact = measured["ours"].products, measured["ours"].timing, measured["exact"].timing
    found = {
        name: {
            **_times(one.timing),
            "audio_per_second": one.timing.result["audio"] / one.timing.median,
            "peak_bytes": one.timing.peak_bytes,
            "operations": one.operations,
            "share_of_bound": 1.0 / bound.times_faster_than(one.timing),
            "loss": one.timing.result["loss"],
            "ours_times_faster": ours.times_faster_than(one.timing),
            "exact_times_faster": exact.times_faster_than(one.timing),
            "profile": one.profile,
        }
        for name, one in measured.items()
    }
    return {"systems": found, "bound_seconds": bound.median, "audio_seconds": ours.result["audio"]}


def _judge_decoding(measured: dict[str, Measured], max_tokens: int) -> dict[str, Any]:
    """Compare beam searches, whose outputs must be equal."""
    hypotheses = {name: one.timing.result["hypotheses"] for name, one in measured.items()}
    different = [name for name in SYSTEMS if hypotheses[name] != hypotheses["ours"]]
    if different:
        raise ValueError(f"other best hypotheses than ours from {different}: {json.dumps(hypotheses)}")
    lengths = [len(row) for row in hypotheses["ours"]]
    if max(lengths) >= max_tokens:
        raise ValueError(f"hypotheses were cut off, which the systems do differently: lengths {lengths}")
    found = {
        name: {
            **_times(one.timing),
            "tokens_per_second": levers.tokens_per_second(one.timing),
            "ours_times_faster": measured["ours"].timing.times_faster_than(one.timing),
            "peak_bytes": one.timing.peak_bytes,
            "profile": one.profile,
        }
        for name, one in measured.items()
    }
    return {"systems": found, "lengths": lengths}


def _times(timing: Timings) -> dict[str, Any]:
    return {"seconds": timing.seconds, "median": timing.median}


def _add_decoding_levers(decoding: dict[str, Any], found: dict[str, Any]) -> None:
    """Relate the levers to the peers too: ours without them was measured beside both."""
    for lever in found.values():
        lever["times_faster_than"] = {
            name: lever["times_faster"] * system["ours_times_faster"] for name, system in decoding["systems"].items()
        }
    decoding["levers"] = found


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    threads = len(os.sched_getaffinity(0))
    add_common_arguments(parser, SIZES, "small", "outputs/translation_benchmark", PARTS, threads)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
