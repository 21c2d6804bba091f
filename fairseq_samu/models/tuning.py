"""What of a model is tuned and what is frozen, as a table."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby

from torch import nn

from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.modules.adapter import Adapter


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


def mark_groups(groups: Mapping[str, Sequence[nn.Parameter]]) -> None:
    """Write on each parameter the name of its group, by which an optimizer of ours tells groups apart.

    Args:
        groups: parameters by group; each gets ``group_name``, and ``param_group`` as well, which is the attribute that
            the host hands on to the float32 copies of half-precision training.
    """
    for name, parameters in groups.items():
        for parameter in parameters:
            parameter.group_name = name  # type: ignore[attr-defined]
            parameter.param_group = name  # type: ignore[attr-defined]


def group_parameters(
    model: nn.Module, group_of: Callable[[str], str], order: Iterable[str]
) -> dict[str, list[nn.Parameter]]:
    """Sort the parameters of a model into groups.

    Args:
        model: whose parameters they are.
        group_of: names the group of a parameter's name.
        order: all groups that there may be.

    Returns:
        Parameters of each group that has any, in that order.
    """
    groups: dict[str, list[nn.Parameter]] = {group: [] for group in order}
    for name, parameter in model.named_parameters():
        groups[group_of(name)].append(parameter)
    return {group: parameters for group, parameters in groups.items() if parameters}


def parse_tuned_groups(text: str, groups: Mapping[str, object], collections: Mapping[str, Sequence[str]]) -> set[str]:
    """Read a list of parameter groups to tune, such as ``encoder_adapters,layer_norms``.

    Args:
        text: names, comma-separated; empty tunes nothing.
        groups: the groups that there are.
        collections: names that stand for several groups.

    Returns:
        Names of groups.

    Raises:
        ConfigError: with every name that is not known.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    rule = f"of {', '.join([*groups, *collections])}"
    unknown = [name for name in names if name not in groups and name not in collections]
    if unknown:
        mend = "Set --tuned-groups."
        raise ConfigError(report_all([explain("", "tuned_groups", rule, name, mend) for name in unknown]))
    return {member for name in names for member in collections.get(name, (name,))}


def tune_only(groups: Mapping[str, Sequence[nn.Parameter]], tuned: Collection[str]) -> None:
    """Let gradients reach the parameters of the groups ``tuned`` and no others."""
    for name, parameters in groups.items():
        for parameter in parameters:
            parameter.requires_grad = name in tuned


def require_tuned(model: nn.Module, text: str) -> None:
    """Refuse to train a model of which nothing is tuned.

    Args:
        model: with its groups tuned or frozen.
        text: the option that says what is tuned.

    Raises:
        ConfigError: no parameter needs a gradient.
    """
    if not any(parameter.requires_grad for parameter in model.parameters()):
        mend = "Set --tuned-groups, or add what it names, as by --adapter-dim."
        raise ConfigError(explain("", "tuned_groups", "groups of which the model has one at least", text, mend))


def set_training(module: nn.Module, mode: bool) -> None:
    """Switch to training mode what is tuned, and to evaluation mode what is frozen.

    A layer whose own parameters are frozen stays in evaluation mode although adapters in it are tuned.

    Args:
        module: with all that is inside of it.
        mode: False switches all to evaluation mode.
    """
    for part in module.modules():
        part.training = mode and _is_tuned(part)


def _is_tuned(module: nn.Module) -> bool:
    if isinstance(module, Adapter):
        return any(parameter.requires_grad for parameter in module.parameters())
    own = any(parameter.requires_grad for parameter in module.parameters(recurse=False))
    return own or any(_is_tuned(child) for child in module.children() if not isinstance(child, Adapter))
