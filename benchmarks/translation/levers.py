"""What each lever gives by itself, and all exact ones together, beside the same system without them."""

from typing import Any

from benchmarks.measuring.process import RemoteWorker
from benchmarks.measuring.rounds import Timings, take_turns
from benchmarks.translation.plan import Plan
from benchmarks.translation.sizes import SIZES
from benchmarks.translation.weights import kept_tokens
from benchmarks.translation.worker import Arm, start

CACHED = {"cache_features": True}
FAST = {"fast_products": True}
WHOLE_LOGITS = {"chunked_loss": False}


def exact_arm(plan: Plan) -> Arm:
    """Ours with all exact levers that leave the batch as it is."""
    return plan.arm("exact", trim=True, options={**CACHED, **FAST})


def training_pairs(plan: Plan) -> dict[str, tuple[Arm, Arm]]:
    """Without and with each lever of training, by the lever's name; ours as it is comes in most pairs."""
    plain = plan.arm("ours")
    return {
        "cached CNN output": (plain, plan.arm("cached", options=CACHED)),
        "trimmed vocabulary": (plain, plan.arm("trimmed", trim=True)),
        "all products by oneDNN": (plain, plan.arm("fast", options=FAST)),
        "cached, trimmed, oneDNN": (plain, exact_arm(plan)),
        "loss in blocks": (plan.arm("whole logits", options=WHOLE_LOGITS), plain),
        "bfloat16 (not exact)": (plain, plan.arm("bfloat16", dtype="bfloat16")),
        "buckets on real lengths": (
            plan.arm("random batches", batches="random"),
            plan.arm("sorted batches", batches="sorted"),
        ),
    }


def measure_training(plan: Plan) -> dict[str, dict[str, Any]]:
    """Measure every lever of training; never more than two models are in memory."""
    found = {}
    alive: dict[str, RemoteWorker] = {}
    for lever, pair in training_pairs(plan).items():
        for name in [name for name in alive if name not in {arm.name for arm in pair}]:
            alive.pop(name).close()
        for arm in pair:
            if arm.name not in alive:
                alive[arm.name] = start(arm, plan.threads)
        found[lever] = _measure_pair(alive[pair[0].name], alive[pair[1].name], plan.rounds)
        print(f"{lever}: {found[lever]['times_faster']:.2f} times faster", flush=True)
    for worker in alive.values():
        worker.close()
    return found


def _measure_pair(without: RemoteWorker, with_lever: RemoteWorker, rounds: int) -> dict[str, Any]:
    workers = {"without": without, "with": with_lever}
    timings = take_turns(workers, "train", rounds)
    return {
        "times_faster": timings["with"].times_faster_than(timings["without"]),
        "seconds": {name: timing.median for name, timing in timings.items()},
        "audio_per_second": timings["with"].result["audio"] / timings["with"].median,
        "peak_bytes": {name: timing.peak_bytes for name, timing in timings.items()},
    }


def measure_decoding(plan: Plan) -> dict[str, Any]:
    """Decode with all products by oneDNN, with the trimmed vocabulary, and with both, each in turn with ours as it is.

    Returns:
        For ``fast``, ``trimmed`` and ``trimmed, fast``: how many times faster than ours as it is, and the share of best
        hypotheses that equal its.
    """
    plain = start(plan.arm("ours"), plan.threads)
    kept = kept_tokens(SIZES[plan.size]).tolist()
    found = {}
    for name, trim, options in (("fast", False, FAST), ("trimmed", True, {}), ("trimmed, fast", True, FAST)):
        worker = start(plan.arm(name, trim=trim, options=options), plan.threads)
        timings = take_turns({"ours": plain, name: worker}, "decode", plan.rounds)
        worker.close()
        ours = timings["ours"].result["hypotheses"]
        rows = timings[name].result["hypotheses"]
        mapped = [[kept[token] for token in row] for row in rows] if trim else rows
        found[name] = {
            "seconds": timings[name].median,
            "tokens_per_second": tokens_per_second(timings[name]),
            "times_faster": timings[name].times_faster_than(timings["ours"]),
            "equal_hypotheses": sum(one == other for one, other in zip(ours, mapped, strict=True)) / len(ours),
        }
    plain.close()
    return found


def tokens_per_second(timing: Timings) -> float:
    """Tokens of the best hypotheses, tags and ends included, per second."""
    return sum(len(row) for row in timing.result["hypotheses"]) / timing.median
