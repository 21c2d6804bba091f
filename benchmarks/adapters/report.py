"""Tables of the results, and which goals are met."""

from typing import Any

from benchmarks.measuring.tables import describe_run, list_profiles, table

NAMES = {
    "peft, 30 s": "Hugging Face Whisper, LoRA by PEFT, windows of 30 s",
    "peft, matched": "Hugging Face Whisper, LoRA by PEFT, cut to the batch's length",
    "hooks, matched": "Hugging Face Whisper, our adapters as hooks, cut to the batch's length",
    "ours": "samu_xlsr_mbart",
    "ours, products of the peer": "samu_xlsr_mbart, products by the peer's library",
    "ours, cached": "samu_xlsr_mbart, output of the convolutions from the cache",
    "ours, recomputed": "samu_xlsr_mbart, activations recomputed",
}
PARTS = {"training": "Training step", "levers": "Levers, beside the same system without"}
FASTER = {"peft, 30 s": 3.0, "peft, matched": 1.1}
MEMORY_SHARE = 0.8


def write_report(results: dict[str, Any]) -> str:
    """Lay the results out as Markdown.

    Args:
        results: what ``compare.measure`` returns.

    Returns:
        Tables, the goals first.
    """
    versions = ", ".join(f"{name} {number}" for name, number in results.get("peer_versions", {}).items())
    signed = f"{describe_run(results)} PEFT's environment: {versions}. Seed 1."
    batch = results["batch"]
    work = (
        f"Encoder: {results['encoder']}. A step has {batch['rows']} recordings of the embedded corpus,"
        f" {batch['audio_seconds']:.1f} s ({batch['padded_seconds']:.1f} s with padding)."
    )
    lines = [signed if versions else describe_run(results), "", work]
    if "training" in results:
        tuned = ", ".join(f"{NAMES[name]} {one['tuned']:,}" for name, one in results["training"]["systems"].items())
        lines += ["", f"Tuned parameters: {tuned}. {_describe_equality(results)}"]
        head = ["goal", "wanted", "measured (rounds from - to)", "met"]
        lines += ["", *table(head, [[*row[:3], "yes" if row[3] else "**no**"] for row in goals(results)])]
    for part, title in PARTS.items():
        if part in results:
            lines += ["", f"### {title}", "", *_training(results[part]["systems"])]
    if "training" in results:
        lines += ["", "### What is kept of a training", "", *_files(results["training"]["systems"])]
        profiles = {NAMES[name]: one["profile"] for name, one in results["training"]["systems"].items()}
        lines += ["", "### Where the time goes", "", *list_profiles(profiles)]
    return "\n".join(lines) + "\n"


def goals(results: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Compare what was measured with what was wanted.

    Returns:
        Goal, wanted, measured, whether it is met.
    """
    rows = []
    for peer, wanted in FASTER.items():
        found = results["training"]["systems"][peer]
        faster, share = found["ours_times_faster"], found["memory_share_of_ours"]
        rows.append((f"faster than {NAMES[peer]}", f">= {wanted:g} x", _times(faster), faster["median"] >= wanted))
        said = f"{share:.2f} x"
        rows.append((f"peak memory beside {NAMES[peer]}", f"<= {MEMORY_SHARE:g} x", said, share <= MEMORY_SHARE))
    return rows


def _describe_equality(results: dict[str, Any]) -> str:
    share = results["frames_differ_by"]
    return (
        f"Frames of the peer's encoder differ from ours by at most {share:.0e} of the greatest value, losses by less"
        " than 1e-4 of them."
    )


def _times(found: dict[str, float]) -> str:
    return f"{found['median']:.2f} x ({found['low']:.2f} - {found['high']:.2f})"


def _training(systems: dict[str, Any]) -> list[str]:
    head = ["system", "s a step", "audio s/s", "peak GiB", "loaded GiB", "loss", "ours is faster by"]
    rows = [
        [
            NAMES[name],
            f"{found['median']:.2f}",
            f"{found['audio_per_second']:.1f}",
            f"{found['peak_bytes'] / 2**30:.2f}",
            f"{found['loaded_bytes'] / 2**30:.2f}",
            f"{found['loss']:.5f}",
            _times(found["ours_times_faster"]),
        ]
        for name, found in systems.items()
    ]
    return table(head, rows)


def _files(systems: dict[str, Any]) -> list[str]:
    saved = {name: found for name, found in systems.items() if "saved_bytes" in found}
    rows = [
        [NAMES[name], f"{one['saved_bytes'] / 2**20:.2f}", f"{one['saved_bytes'] / one['tuned']:.2f}"]
        for name, one in saved.items()
    ]
    return table(["system", "MiB", "bytes a tuned parameter"], rows)
