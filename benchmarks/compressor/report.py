"""Tables of the results, and which goals are met."""

import math
from typing import Any

from benchmarks.compressor.bound import describe_bound
from benchmarks.compressor.plan import FUNCTIONS, LOOP, NUMBERS, OURS
from benchmarks.compressor.step_tables import describe_steps, step_goals
from benchmarks.measuring.tables import describe_run, table

TITLES = {
    "avg": "Shrinking, mean of a segment's frames",
    "weighted": "Shrinking, mean weighted by the probability of the label",
    "softmax": "Shrinking, mean weighted by the softmax of that probability",
    "segment": "Looking back within the segment",
    "global": "Looking back at all frames",
}
GROWTH_FROM = 500  # frames: below, calls cost as much as numbers
LINEAR = 1.1
TIMES_THE_LOOP = 20.0


def write_report(results: dict[str, Any]) -> str:
    """Lay the results out as Markdown.

    Args:
        results: what ``compare.measure`` returns.

    Returns:
        Tables, the goals first.
    """
    lines = [f"{describe_run(results)} Rounds of each batch as the tables say. Seed 1.", ""]
    head = ["goal", "wanted", "measured", "met"]
    lines += table(head, [[*row[:3], "yes" if row[3] else "**no**"] for row in goals(results)])
    for function in FUNCTIONS:
        if function in results:
            lines += ["", f"### {TITLES[function]}", "", *_cases(results[function])]
    if "oracle" in results:
        lines += ["", *_oracle(results["oracle"])]
    if "bound" in results:
        lines += describe_bound(results["bound"])
    lines += describe_steps(results)
    return "\n".join(lines) + "\n"


def goals(results: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Compare what was measured with what was wanted.

    Returns:
        Goal, wanted, measured, whether it is met.
    """
    rows: list[tuple[str, str, str, bool]] = []
    if "segment" in results:
        found = growths(results["segment"]["cases"], "both")
        for what, values in ((what, values) for what, values in found.items() if values):
            wanted = f"power of T <= {LINEAR:g}"
            said = ", ".join(f"{value:.2f} (batch {batch})" for batch, value in values.items())
            rows.append((f"within the segment: {what} linear in T", wanted, said, max(values.values()) <= LINEAR))
    for function in ("segment", "global"):
        for task, title in (("forward", "forward"), ("both", "forward and backward")):
            ratios = _loop_ratios(results, function, task)
            if ratios:
                lowest, place = min(ratios)
                said = f"{lowest:.1f} x ({place}) to {max(ratios)[0]:.1f} x ({max(ratios)[1]})"
                goal = f"{TITLES[function].lower()}, {title}: faster than the loop"
                rows.append((goal, f">= {TIMES_THE_LOOP:g} x", said, lowest >= TIMES_THE_LOOP))
    if "oracle" in results:
        for function, arms in results["oracle"]["functions"].items():
            found = arms[NUMBERS]["ours_times_faster"]["median"]
            goal = f"{TITLES[function].lower()}, forward: faster than the oracle of numbers"
            rows.append((goal, f">= {TIMES_THE_LOOP:g} x", f"{found:.0f} x", found >= TIMES_THE_LOOP))
    return rows + step_goals(results)


def _loop_ratios(results: dict[str, Any], function: str, task: str) -> list[tuple[float, str]]:
    cases = results[function]["cases"] if function in results else []
    return [
        (case["arms"][LOOP][task]["ours_times_faster"]["median"], f"{case['frames']} x {case['rows']}")
        for case in cases
        if LOOP in case["arms"]
    ]


def growths(cases: list[dict[str, Any]], task: str, arm: str = OURS) -> dict[str, dict[int, float]]:
    """Power of T with which time and memory of an arm grow, by least squares over the logarithms, for each batch.

    Args:
        cases: of a function.
        task: ``forward`` or ``both``.
        arm: its name.

    Returns:
        For ``time`` and ``memory``: the power by the rows of the batch, where three lengths or more were measured.
    """
    found: dict[str, dict[int, float]] = {"time": {}, "memory": {}}
    measured = [case for case in cases if arm in case["arms"] and case["frames"] >= GROWTH_FROM]
    for rows in sorted({case["rows"] for case in measured}):
        chosen = [case for case in measured if case["rows"] == rows]
        if len(chosen) >= 3:
            for what, key in (("time", "median"), ("memory", "extra_bytes")):
                pairs = [(case["frames"], max(case["arms"][arm][task][key], 1e-9)) for case in chosen]
                found[what][rows] = power([(float(x), float(y)) for x, y in pairs])
    return found


def power(pairs: list[tuple[float, float]]) -> float:
    """Slope of the line through the logarithms of pairs, by least squares."""
    logs = [(math.log(x), math.log(y)) for x, y in pairs]
    mean_x, mean_y = (sum(values) / len(logs) for values in zip(*logs, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in logs)
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / spread


def _cases(part: dict[str, Any]) -> list[str]:
    names = list(dict.fromkeys(name for case in part["cases"] for name in case["arms"]))
    peers = [name for name in names if name != OURS]
    head = ["T", "batch", "rounds", "ratio", "ours, s", "ours, MiB"]
    head += [text for name in peers for text in (f"{name}: times ours", "MiB")]
    rows = []
    for case in part["cases"]:
        row = [str(case["frames"]), str(case["rows"]), str(case["rounds"]), f"{case['ratio']:.1f}"]
        row += [_both(case["arms"][OURS], _seconds), _both(case["arms"][OURS], _mebibytes)]
        for name in peers:
            arm = case["arms"].get(name)
            row += [_both(arm, _times), _both(arm, _mebibytes)] if arm else ["-", "-"]
        rows.append(row)
    said = (
        f"Forward alone / forward and backward. Largest difference between the arms before they were timed, in double"
        f" precision: {part['largest_difference']:.1g} of the largest number. Load {part['load_before']:.1f} before."
    )
    found = growths(part["cases"], "both")
    powers = [f"batch {rows}: {p:.2f} and {found['memory'][rows]:.2f}" for rows, p in found["time"].items()]
    if powers:
        said += f" Ours, power of T of time and memory, forward and backward: {', '.join(powers)}."
    return [*table(head, rows), "", said]


def _oracle(part: dict[str, Any]) -> list[str]:
    said = []
    for function, arms in part["functions"].items():
        oracle, loop = (arms[name]["ours_times_faster"]["median"] for name in (NUMBERS, LOOP))
        took = f"{arms[NUMBERS]['median']:.3g} s, {oracle:.0f} times ours and {oracle / loop:.0f} times the loop"
        said.append(f"{TITLES[function].lower()} {took}")
    title = "### The oracle of the unit tests, number by number in Python"
    return [title, "", f"{part['rows']} x {part['frames']} frames, forward, one round: {'; '.join(said)}."]


def _both(arm: dict[str, Any], show: Any) -> str:
    return f"{show(arm['forward'])} / {show(arm['both'])}"


def _seconds(found: dict[str, Any]) -> str:
    return f"{found['median']:.3g}"


def _mebibytes(found: dict[str, Any]) -> str:
    return f"{found['extra_bytes'] / 2**20:.0f}"


def _times(found: dict[str, Any]) -> str:
    return f"{found['ours_times_faster']['median']:.3g}"
