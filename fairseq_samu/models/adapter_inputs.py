"""Which inputs of a model choose named adapters row by row, and which of these are tuned."""

from typing import Any

from fairseq_samu.models.adapter_options import GROUP_OF_PART

PART_OF_INPUT = {"source_adapters": "encoder", "target_adapters": "decoder"}
"""Part of a model by the input that holds (B,) int64 numbers of adapters for it, -1 for none."""


def find_adapter_inputs(model: Any) -> dict[str, list[int]]:
    """Find what has to be said of every row.

    Args:
        model: with ``adapter_names`` and ``parameter_groups``.

    Returns:
        For each input of :data:`PART_OF_INPUT` whose part has named adapters, the numbers of those that are tuned.
        Empty for a model without names.
    """
    names: list[str] = model.adapter_names
    groups = model.parameter_groups() if names else {}
    found: dict[str, list[int]] = {}
    for key, part in PART_OF_INPUT.items():
        own = [groups.get(f"{GROUP_OF_PART[part]}.{name}", []) for name in names]
        if any(own):
            is_tuned = [any(parameter.requires_grad for parameter in parameters) for parameters in own]
            found[key] = [number for number, tuned in enumerate(is_tuned) if tuned]
    return found
