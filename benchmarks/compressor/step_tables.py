"""Tables of the training steps, and which of their goals are met."""

from typing import Any

from benchmarks.compressor.step_sizes import STEPS
from benchmarks.measuring.tables import list_profiles, table

ARMS = {
    "off": "without",
    "shrink": "shrinking, mean",
    "segment": "looking back within the segment",
    "global": "looking back at all frames",
}
MOST_SHARE = 0.05


def step_goals(results: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Compare the steps with what was wanted; see :func:`benchmarks.compressor.report.goals`."""
    rows = []
    for name, sizes in STEPS.items():
        arm = results[name]["arms"]["segment"] if name in results else None
        if arm is not None:
            title = f"step, {sizes.title[0].lower()}{sizes.title[1:]}: within the segment"
            share, times = arm["shares"], arm["times_faster"]
            said = f"{_percent(share['median'])} ({_percent(share['low'])} - {_percent(share['high'])})"
            rows.append((f"{title}, share", f"<= {_percent(MOST_SHARE)}", said, share["median"] <= MOST_SHARE))
            rows.append((f"{title}, faster than without", "> 1 x", _times(times), times["median"] > 1.0))
    return rows


def describe_steps(results: dict[str, Any]) -> list[str]:
    """Lines of the tables of all steps that were measured."""
    lines = []
    for name, sizes in STEPS.items():
        if name in results:
            lines += ["", f"### Training step: {sizes.title}", "", *_step(results[name])]
    return lines


def _step(part: dict[str, Any]) -> list[str]:
    head = ["compressor", "s a step", "audio s/s", "peak GiB", "compressor's share", "loss", "faster than without"]
    rows = [
        [
            ARMS[name],
            f"{arm['median']:.2f}",
            f"{part['audio'] / arm['median']:.1f}",
            f"{arm['peak_bytes'] / 2**30:.2f}",
            _percent(arm["shares"]["median"]),
            f"{arm['loss']:.3f}",
            _times(arm["times_faster"]),
        ]
        for name, arm in part["arms"].items()
    ]
    counts = part["arms"]["segment"]["parameters"]
    said = (
        f"{part['rounds']} rounds in turn. A step has {part['audio']:.1f} s of audio, {part['ratio']:.1f} frames a"
        f" segment. {counts['all']:,} parameters, {counts['compressor']:,} in a compressor that looks back. Load"
        f" {part['load_before']:.1f} before."
    )
    profiles = {ARMS[name]: arm["profile"] for name, arm in part["arms"].items() if arm["profile"]}
    return [*table(head, rows), "", said, "", *list_profiles(profiles)]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _times(found: dict[str, float]) -> str:
    return f"{found['median']:.2f} x ({found['low']:.2f} - {found['high']:.2f})"
