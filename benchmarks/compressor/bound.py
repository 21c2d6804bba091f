"""Where the time of looking back goes: its matrix products alone, and its heaviest operations."""

from typing import Any

from benchmarks.compressor.plan import FAST, LOOP, OURS, Plan, arms_of
from benchmarks.compressor.sizes import SIZES
from benchmarks.compressor.worker import start
from benchmarks.measuring.rounds import take_turns
from benchmarks.measuring.tables import list_profiles, table

PART = "bound"
EXPLAINED = (OURS, FAST, LOOP)


def measure_bound(plan: Plan) -> dict[str, Any]:
    """Measure the products of each arm that looks back within the segment, over the longest batch that the loop has.

    Args:
        plan: how.

    Returns:
        The batch, and for each arm seconds, those of its products alone, their operations, and its profile.
    """
    sizes = SIZES[plan.size]
    case = max((case for case in sizes.cases() if case.size <= sizes.most_looped), key=lambda case: case.size)
    workers = {
        arm.name: start(arm, plan.size, plan.clock, plan.threads) for arm in arms_of("segment") if arm.name in EXPLAINED
    }
    for worker in workers.values():
        worker.call("choose", case.frames, case.rows)
    operations = {name: worker.call("record_products", "both") for name, worker in workers.items()}
    alone: dict[str, list[float]] = {name: [] for name in workers}

    def time_products() -> None:
        for name, worker in workers.items():
            alone[name].append(worker.call("time_products"))

    timings = take_turns(workers, "both", plan.rounds, time_products)
    found = {}
    for name, worker in workers.items():
        shares = [part / whole for part, whole in zip(alone[name], timings[name].seconds, strict=True)]
        found[name] = {
            "median": timings[name].median,
            "share_of_products": sorted(shares)[len(shares) // 2],
            "operations": operations[name],
            "profile": worker.call("profile", "both"),
        }
        worker.close()
    return {"frames": case.frames, "rows": case.rows, "arms": found}


def describe_bound(part: dict[str, Any]) -> list[str]:
    """Lines of the table."""
    head = ["arm", "s", "its products alone", "GFLOP of products", "GFLOP/s"]
    rows = [
        [
            name,
            f"{arm['median']:.3g}",
            f"{100 * arm['share_of_products']:.0f} %",
            f"{arm['operations'] / 1e9:.1f}",
            f"{arm['operations'] / arm['median'] / 1e9:.0f}",
        ]
        for name, arm in part["arms"].items()
    ]
    title = f"### Where the time goes: looking back within the segment, {part['rows']} rows of {part['frames']} frames"
    said = "Forward and backward. The products of a step alone: each by itself, warm."
    profiles = {name: arm["profile"] for name, arm in part["arms"].items()}
    return ["", title, "", *table(head, rows), "", said, "", *list_profiles(profiles)]
