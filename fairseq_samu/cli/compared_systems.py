"""Puts the scores of several systems side by side, for every kind of `score`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, TypeVar

from fairseq_samu.cli.score_inputs import SystemFile

Summary = TypeVar("Summary")


def describe_systems(
    summaries: Mapping[str, Summary],
    files: Sequence[SystemFile],
    baseline: Optional[SystemFile],
    describe: Callable[[Summary], dict[str, Any]],
    compare: Callable[[Summary, Summary], dict[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Describe the scores of every system, and compare each with the baseline where there is one.

    Args:
        summaries: scores by name of the system.
        files: the systems, without the baseline.
        baseline: what they are compared with, or None.
        describe: turns scores into plain values.
        compare: turns the scores of a system and of the baseline into plain values.

    Returns:
        Plain values by name, under ``comparison`` those of the comparison.
    """
    systems = {name: describe(summary) for name, summary in summaries.items()}
    if baseline:
        for file in files:
            compared = compare(summaries[file.name], summaries[baseline.name])
            systems[file.name]["comparison"] = {"baseline": baseline.name, **compared}
    return systems
