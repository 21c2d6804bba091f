"""Tables of the results, and which goals are met."""

from typing import Any

from benchmarks.measuring.tables import describe_run, list_profiles, table

NAMES = {
    "speechbrain": "SpeechBrain, with lengths",
    "speechbrain, padding read": "SpeechBrain, LSTM reads padding (another function)",
    "speechbrain, nothing pruned": "SpeechBrain, nothing pruned",
    "ours": "samu_slu",
    "ours, products by oneDNN": "samu_slu, products by oneDNN",
    "ours, both losses": "samu_slu, both losses",
    "ours, cached": "samu_slu, frames from the cache",
    "ours, 20 labels a frame": "samu_slu, 20 labels a frame",
}
PARTS = {
    "tuned": "Training step, encoder tuned",
    "frozen": "Training step, encoder frozen",
    "products": "Lever: linear layers by oneDNN, encoder tuned",
}
SEARCHES = {
    "greedy": "best path, from the wave",
    "beam": "beam of 10, from the wave",
    "search": "beam of 10, the search alone",
}
PEERS = ("speechbrain", "speechbrain, padding read")


def write_report(results: dict[str, Any]) -> str:
    """Lay the results out as Markdown.

    Args:
        results: what ``compare.measure`` returns.

    Returns:
        Tables, the goals first.
    """
    versions = ", ".join(f"{name} {number}" for name, number in results.get("peer_versions", {}).items())
    lines = [f"{describe_run(results)} SpeechBrain's environment: {versions}. Seed 1.", ""]
    for part in ("tuned", "frozen"):
        if part in results:
            count = results[part]["systems"]["ours"]["parameters"]
            lines.append(f"Encoder {part}: {count['all']:,} parameters, {count['tuned']:,} tuned, in all systems.")
    head = ["goal", "wanted", "measured (rounds from - to)", "met"]
    lines += ["", *table(head, [[*row[:3], "yes" if row[3] else "**no**"] for row in goals(results)])]
    for part, title in PARTS.items():
        if part in results:
            lines += ["", f"### {title}", "", *_training(results[part])]
    if "decoding" in results:
        lines += ["", "### Decoding", "", *_decoding(results["decoding"])]
    for part, title in PARTS.items():
        systems = results[part]["systems"] if part in results else {}
        if profiles := {NAMES[name]: found["profile"] for name, found in systems.items() if found["profile"]}:
            lines += ["", f"### Where the time goes: {title.lower()}", "", *list_profiles(profiles)]
    return "\n".join(lines) + "\n"


def goals(results: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Compare what was measured with what was wanted.

    Returns:
        Goal, wanted, measured, whether it is met.
    """
    rows = []

    def add(name: str, found: dict[str, float], wanted: float) -> None:
        rows.append((name, f">= {wanted:g} x", _times(found), found["median"] >= wanted))

    for part in PARTS:
        if part in results:
            systems = results[part]["systems"]
            for peer in (peer for peer in PEERS if peer in systems):
                add(f"encoder {part}: faster than {NAMES[peer]}", systems[peer]["ours_times_faster"], 1.1)
    if "frozen" in results:
        for peer in PEERS:
            found = results["frozen"]["systems"][peer]["cached_times_faster"]
            add(f"encoder frozen, frames from the cache: faster than {NAMES[peer]}", found, 5.0)
    if "decoding" in results:
        for search, title in SEARCHES.items():
            found = results["decoding"][search]["speechbrain"]["ours_times_faster"]
            add(f"decoding, {title}: faster than SpeechBrain", found, 1.1)
    return rows


def _times(found: dict[str, float]) -> str:
    return f"{found['median']:.2f} x ({found['low']:.2f} - {found['high']:.2f})"


def _training(part: dict[str, Any]) -> list[str]:
    head = ["system", "s a step", "audio s/s", "peak GiB", "share of the bound", "loss"]
    rows = [
        [
            NAMES[name],
            f"{found['median']:.2f}",
            f"{found['audio_per_second']:.1f}",
            f"{found['peak_bytes'] / 2**30:.2f}",
            f"{100 * found['share_of_bound']:.0f} %",
            f"{found['loss']:.5f}",
            _times(found["ours_times_faster"]),
        ]
        for name, found in part["systems"].items()
    ]
    said = (
        f"A step has {part['audio_seconds']:.1f} s of audio; our products alone, {part['operations'] / 1e9:.0f} GFLOP,"
        f" take {part['bound_seconds']:.2f} s."
    )
    return [*table([*head, "ours is faster by"], rows), "", said]


def _decoding(part: dict[str, Any]) -> list[str]:
    head = ["what", "system", "s", "audio s/s", "peak GiB", "rows with ours' labels", "ours is faster by"]
    rows = [
        [
            title,
            NAMES[name],
            f"{found['median']:.3f}",
            f"{found['audio_per_second']:.1f}",
            f"{found['peak_bytes'] / 2**30:.2f}",
            f"{100 * found['equal']:.0f} %",
            _times(found["ours_times_faster"]),
        ]
        for search, title in SEARCHES.items()
        for name, found in part[search].items()
    ]
    return [*table(head, rows), "", f"{part['num_labels']} labels by best path, the same in both systems."]
