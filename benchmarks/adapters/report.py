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
PARTS = {
    "used": "Training step, the peer as it is used",
    "matched": "Training step, the peer matched in length",
    "levers": "Levers, beside the same system without",
}
WANTED = {"used": ("peft, 30 s", 3.0), "matched": ("peft, matched", 1.1)}  # peer, times faster
MEMORY_SHARE = 0.8


def write_report(results: dict[str, Any]) -> str:
    """Lay the results out as Markdown.

    Args:
        results: what ``compare.measure`` returns.

    Returns:
        Tables, the goals first.
    """
    batch = results["batch"]
    parts = {part: results[part]["systems"] for part in PARTS if part in results}
    lines = [
        f"{describe_run(results)} {_describe_peer(parts)}Seed 1.",
        "",
        f"Encoder: {results['encoder']}. A step has {batch['rows']} recordings of the embedded corpus,"
        f" {batch['audio_seconds']:.1f} s ({batch['padded_seconds']:.1f} s with padding).",
    ]
    head = ["goal", "wanted", "measured (rounds from - to)", "met"]
    lines += ["", *table(head, [[*row[:3], "yes" if row[3] else "**no**"] for row in goals(results)])]
    for part, systems in parts.items():
        lines += ["", f"### {PARTS[part]}", "", *_training(systems)]
        if "frames_differ_by" in results[part]:
            lines += ["", _describe_equality(results[part]["frames_differ_by"])]
    lines += [
        "",
        "### What is kept of a training",
        "",
        *_files({k: v for one in parts.values() for k, v in one.items()}),
    ]
    for part, systems in parts.items():
        profiles = {NAMES[name]: one["profile"] for name, one in systems.items()}
        lines += ["", f"### Where the time goes: {PARTS[part].lower()}", "", *list_profiles(profiles)]
    return "\n".join(lines) + "\n"


def goals(results: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Compare what was measured with what was wanted.

    Returns:
        Goal, wanted, measured, whether it is met.
    """
    rows = []
    for part, (peer, wanted) in WANTED.items():
        if part in results:
            found = results[part]["systems"][peer]
            faster, share = found["ours_times_faster"], found["memory_share_of_ours"]
            rows.append((f"faster than {NAMES[peer]}", f">= {wanted:g} x", _times(faster), faster["median"] >= wanted))
            said = f"{share:.2f} x"
            rows.append((f"peak memory beside {NAMES[peer]}", f"<= {MEMORY_SHARE:g} x", said, share <= MEMORY_SHARE))
    return rows


def _describe_peer(parts: dict[str, Any]) -> str:
    found = [one["versions"] for systems in parts.values() for name, one in systems.items() if name.startswith("peft")]
    versions = ", ".join(f"{name} {number}" for name, number in (found[0] if found else {}).items())
    return f"PEFT's environment: {versions}. " if versions else ""


def _describe_equality(share: float) -> str:
    return (
        f"Where padding counts as silence for both, frames of the encoders differ by at most {share:.0e} of the"
        " greatest value, losses by less than 1e-4 of them."
    )


def _times(found: dict[str, float]) -> str:
    return f"{found['median']:.2f} x ({found['low']:.2f} - {found['high']:.2f})"


def _training(systems: dict[str, Any]) -> list[str]:
    head = ["system", "tuned", "s a step", "audio s/s", "peak GiB", "loaded GiB", "loss", "ours is faster by"]
    rows = [
        [
            NAMES[name],
            f"{found['tuned']:,}",
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
