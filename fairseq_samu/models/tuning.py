"""What of a model is tuned and what is frozen, as a table."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from torch import nn


def describe_groups(groups: Mapping[str, Sequence[nn.Parameter]]) -> str:
    """Table of parameter groups: name, parameters, tuned or frozen.

    Numbered groups that follow each other and are alike (``layer.0`` to ``layer.23``) share a line.

    Args:
        groups: parameters by group, in the order of the table.

    Returns:
        Lines of text, the sum of all and of the tuned parameters last.
    """
    rows = []
    for name, parameters in groups.items():
        count = sum(parameter.numel() for parameter in parameters)
        tuned = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
        rows.append((name, count, tuned))
    lines = [f"{'group':<34}{'parameters':>16}  state"]
    for _, run in groupby(rows, key=lambda row: (_stem(row[0]), row[1], row[2])):
        members = list(run)
        first, last = members[0][0], members[-1][0]
        name = first if first == last else f"{first} to {last.rsplit('.', 1)[-1]}"
        count, tuned = sum(row[1] for row in members), sum(row[2] for row in members)
        state = "tuned" if tuned == count else "frozen" if tuned == 0 else f"{tuned:,} tuned"
        lines.append(f"{name:<34}{count:>16,}  {state}")
    total, moved = sum(row[1] for row in rows), sum(row[2] for row in rows)
    lines.append(f"{'all':<34}{total:>16,}  {moved:,} tuned ({100 * moved / max(total, 1):.1f} %)")
    return "\n".join(lines)


def _stem(name: str) -> str:
    head, _, tail = name.rpartition(".")
    return head if tail.isdigit() else name
