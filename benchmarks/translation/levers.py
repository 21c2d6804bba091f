"""What each lever gives by itself, and all exact ones together, beside the same system without them."""

from typing import Any

from benchmarks.translation.rounds import Timings, take_turns
from benchmarks.translation.sizes import SIZES
from benchmarks.translation.weights import kept_tokens
from benchmarks.translation.worker import Arm, RemoteWorker

CACHED = {"cache_features": True}
WHOLE_LOGITS = {"chunked_loss": False}


def training_pairs(size: str) -> dict[str, tuple[Arm, Arm]]:
    """Without and with each lever of training, by the lever's name."""
    plain = Arm("ours", "ours", size)
    return {
        "chunked loss": (Arm("whole logits", "ours", size, options=WHOLE_LOGITS), plain),
        "cached CNN output": (plain, Arm("cached", "ours", size, options=CACHED)),
        "trimmed vocabulary": (plain, Arm("trimmed", "ours", size, trim=True)),
        "both: cached and trimmed": (plain, Arm("both", "ours", size, trim=True, options=CACHED)),
        "buckets on real lengths": (
            Arm("random batches", "ours", size, batches="random"),
            Arm("sorted batches", "ours", size, batches="sorted"),
        ),
        "bfloat16 (not exact)": (plain, Arm("bfloat16", "ours", size, dtype="bfloat16")),
    }


def measure_training(size: str, rounds: int, threads: int) -> dict[str, dict[str, Any]]:
    """Measure every lever of training; never more than two models are in memory."""
    found = {}
    for lever, pair in training_pairs(size).items():
        workers = {name: RemoteWorker(arm, threads) for name, arm in zip(("without", "with"), pair, strict=True)}
        timings = take_turns(workers, "train", rounds)
        found[lever] = {
            "times_faster": timings["with"].times_faster_than(timings["without"]),
            "seconds": {name: timing.median for name, timing in timings.items()},
            "audio_per_second": timings["with"].result["audio"] / timings["with"].median,
            "peak_bytes": {name: worker.call("peak_bytes") for name, worker in workers.items()},
        }
        for worker in workers.values():
            worker.close()
    return found


def measure_trimmed_decoding(size: str, whole: dict[str, RemoteWorker], rounds: int, threads: int) -> dict[str, Any]:
    """Decode with the trimmed vocabulary, in turn with the systems that have the whole one.

    Args:
        size: name of the sizes.
        whole: systems with the whole vocabulary, by name; ``ours`` among them.
        rounds: repetitions.
        threads: of the worker that is started.

    Returns:
        How many times faster than each system with the whole vocabulary, and the share of equal best hypotheses.
    """
    trimmed = RemoteWorker(Arm("trimmed", "ours", size, trim=True), threads)
    timings = take_turns({**whole, "trimmed": trimmed}, "decode", rounds)
    trimmed.close()
    kept = kept_tokens(SIZES[size]).tolist()
    ours = timings["ours"].result["hypotheses"]
    mapped = [[kept[token] for token in row] for row in timings["trimmed"].result["hypotheses"]]
    equal = sum(one == other for one, other in zip(ours, mapped, strict=True))
    return {
        "seconds": timings["trimmed"].median,
        "tokens_per_second": tokens_per_second(timings["trimmed"]),
        "times_faster_than": {name: timings["trimmed"].times_faster_than(timings[name]) for name in whole},
        "equal_hypotheses": equal / len(ours),
    }


def tokens_per_second(timing: Timings) -> float:
    """Tokens of the best hypotheses, tags and ends included, per second."""
    return sum(len(row) for row in timing.result["hypotheses"]) / timing.median
