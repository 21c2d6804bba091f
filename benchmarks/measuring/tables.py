"""Markdown of what was measured, and on what."""

from typing import Any

CLOCKS = {"wall": "wall time", "cpu": "the processes' own time over their threads"}


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Lay out a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def describe_run(results: dict[str, Any]) -> str:
    """One line that signs a measurement.

    Args:
        results: ``size``, ``rounds``, ``clock``, and ``machine`` as ``describe_machine`` returns it.
    """
    machine = results["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    where = f"{machine['cores']} cores, {machine['threads']} threads, {machine['memory_bytes'] / 2**30:.0f} GiB"
    busy = f"load before {machine['load_before']:.1f}"
    taken = f"{results['rounds']} rounds in turn, medians of {CLOCKS[results['clock']]}"
    return (
        f"Size `{results['size']}`, {taken}. {machine['date']}, {machine['cpu']},"
        f" {where}, {machine['instructions']}; Python {machine['python']}, {versions}; {busy}."
    )


def list_profiles(profiles: dict[str, list[tuple[str, float]]], most: int = 7) -> list[str]:
    """Lines of the heaviest operations of each system."""
    return [
        f"- {name}: " + ", ".join(f"{operation} {share:.0f} %" for operation, share in heaviest[:most])
        for name, heaviest in profiles.items()
    ]
