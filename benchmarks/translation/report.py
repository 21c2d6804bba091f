"""Tables of the results, and which goals are met."""

from typing import Any

from benchmarks.measuring.tables import describe_run, list_profiles, table

LEVERS = {"fast": "oneDNN products", "trimmed": "trimmed vocabulary", "trimmed, fast": "both"}
PEERS = ("fairseq", "huggingface")
NAMES = {
    "fairseq": "fairseq xm_transformer",
    "huggingface": "Hugging Face SpeechEncoderDecoder",
    "ours": "samu_xlsr_mbart",
}
EXACT = "samu_xlsr_mbart, cached, trimmed, all products by oneDNN"


def write_report(results: dict[str, Any]) -> str:
    """Lay the results out as Markdown.

    Args:
        results: what ``compare.measure`` returns.

    Returns:
        Tables, the goals first.
    """
    lines = [describe_run(results), ""]
    if "parameters" in results:
        count = results["parameters"]
        lines += [f"{count['all']:,} parameters, {count['tuned']:,} tuned, the same in all systems.", ""]
    lines += table(
        ["goal", "wanted", "measured", "met"], [[*row[:3], "yes" if row[3] else "**no**"] for row in goals(results)]
    )
    for part, write in (("training", _training), ("levers", _levers), ("decoding", _decoding), ("adapters", _adapters)):
        if part in results:
            lines += ["", f"### {part.capitalize()}", "", *write(results[part])]
    for part in ("training", "decoding"):
        if part in results:
            lines += ["", f"### Where the time of {part} goes", "", *_profiles(results[part]["systems"])]
    return "\n".join(lines) + "\n"


def goals(results: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Compare what was measured with what was wanted.

    Returns:
        Goal, wanted, measured, whether it is met.
    """
    rows = []

    def add(name: str, value: float, wanted: float, unit: str = "x", scale: float = 1.0, below: bool = False) -> None:
        met = value <= wanted if below else value >= wanted
        sign = "<=" if below else ">="
        rows.append((name, f"{sign} {wanted * scale:g} {unit}", f"{value * scale:.3g} {unit}", met))

    if "training" in results:
        systems = results["training"]["systems"]
        add("training: faster than the faster peer", min(systems[peer]["ours_times_faster"] for peer in PEERS), 1.1)
        add("training: share of the products' bound", systems["ours"]["share_of_bound"], 0.85, "%", 100.0)
        exact = min(systems[peer]["exact_times_faster"] for peer in PEERS)
        add("training, exact levers: faster than the faster peer", exact, 1.5)
    if "decoding" in results:
        systems = results["decoding"]["systems"]
        add("decoding, equal outputs: faster than fairseq", systems["fairseq"]["ours_times_faster"], 1.3)
        add("decoding, equal outputs: faster than Hugging Face", systems["huggingface"]["ours_times_faster"], 1.1)
        if "levers" in results["decoding"]:
            trimmed = results["decoding"]["levers"]["trimmed"]
            add("decoding, trimmed: faster than fairseq", trimmed["times_faster_than"]["fairseq"], 3.0)
    if "adapters" in results:
        add("file of the tuned part: share of the whole", results["adapters"]["share"], 0.12, "%", 100.0, below=True)
    return rows


def _training(part: dict[str, Any]) -> list[str]:
    rows = [
        [
            NAMES.get(name, EXACT),
            f"{found['median']:.2f}",
            f"{found['audio_per_second']:.1f}",
            f"{found['peak_bytes'] / 2**30:.2f}",
            f"{100 * found['share_of_bound']:.0f} %",
            f"{found['operations'] / 1e9:.0f}",
            f"{found['ours_times_faster']:.2f}",
        ]
        for name, found in part["systems"].items()
    ]
    head = [
        "system",
        "s a step",
        "audio s/s",
        "peak GiB",
        "share of the bound",
        "GFLOP of products",
        "ours is faster by",
    ]
    said = f"A step has {part['audio_seconds']:.1f} s of audio; our products alone take {part['bound_seconds']:.2f} s."
    return [*table(head, rows), "", said]


def _levers(part: dict[str, Any]) -> list[str]:
    rows = [
        [
            lever,
            f"{found['times_faster']:.2f}",
            f"{found['audio_per_second']:.1f}",
            f"{found['peak_bytes']['without'] / 2**30:.2f} -> {found['peak_bytes']['with'] / 2**30:.2f}",
        ]
        for lever, found in part.items()
    ]
    return table(["lever, ours with it beside ours without", "times faster", "audio s/s", "peak GiB"], rows)


def _decoding(part: dict[str, Any]) -> list[str]:
    rows = [
        [
            NAMES[name],
            f"{found['median']:.2f}",
            f"{found['tokens_per_second']:.1f}",
            f"{found['ours_times_faster']:.2f}",
        ]
        for name, found in part["systems"].items()
    ]
    lines = table(["system, beam 5", "s", "tokens/s", "ours is faster by"], rows)
    lines += ["", f"All best hypotheses are equal, {min(part['lengths'])} to {max(part['lengths'])} tokens."]
    if "levers" in part:
        lines += ["", *_decoding_levers(part["levers"])]
    return lines


def _decoding_levers(part: dict[str, Any]) -> list[str]:
    rows = [
        [
            LEVERS[lever],
            f"{found['tokens_per_second']:.1f}",
            *(f"{found['times_faster_than'][name]:.2f}" for name in NAMES),
            f"{100 * found['equal_hypotheses']:.0f} %",
        ]
        for lever, found in part.items()
    ]
    return table(["ours with", "tokens/s", *(f"x {name}" for name in NAMES.values()), "equal hypotheses"], rows)


def _adapters(part: dict[str, Any]) -> list[str]:
    whole, tuned = part["whole_bytes"] / 2**20, part["adapter_bytes"] / 2**20
    return [f"Whole checkpoint {whole:.1f} MiB, tuned part {tuned:.1f} MiB: {100 * part['share']:.1f} %."]


def _profiles(systems: dict[str, Any]) -> list[str]:
    return list_profiles({NAMES.get(name, EXACT): found["profile"] for name, found in systems.items()})
