"""Adapters taken out of a model, and put into one after all of them were proven to belong to it."""

import logging
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from fairseq_samu.checkpoints.adapter_files import ADAPTED, BASE, AdapterPart, NamedAdapter
from fairseq_samu.checkpoints.adapter_tensors import (
    NAMELESS,
    base_fingerprint,
    base_tensors,
    find_size_faults,
    name_in_model,
    part_tensors,
    placement_of,
    split_adapters,
)
from fairseq_samu.checkpoints.output_probe import find_output_fault
from fairseq_samu.checkpoints.rounding import convert, find_base_dtype
from fairseq_samu.errors import CheckpointError, explain, report_all

logger = logging.getLogger(__name__)

Probe = Callable[[str, str, Mapping[str, Tensor]], Tensor]
"""Output of a part of a model for a fixed input, of (part, name of the adapter, tensors by names inside the part)."""


def take_adapter(
    state: Mapping[str, Tensor],
    name: str,
    probe: Probe,
    called: str,
    language: str = "",
    together: tuple[str, ...] = (),
) -> NamedAdapter:
    """Take an adapter out of a model.

    Args:
        state: tensors by the model's own names.
        name: of the adapter in the model; empty for the one without a name.
        probe: computes outputs of the model.
        called: name of the adapter in the file.
        language: that it serves.
        together: groups of other parameters that were tuned with it.

    Raises:
        CheckpointError: the model has no such adapter, or its base is of several types.
    """
    found = split_adapters(state)
    if name not in found:
        listed = ", ".join(sorted(filter(None, found))) or ("one without a name" if found else "none")
        raise CheckpointError(explain("", "adapter", f"one of the model ({listed})", name or "one without a name", ""))
    parts = {}
    for part, tensors in found[name].items():
        dtype = find_base_dtype(base_tensors(state, part))
        if dtype is None:
            raise CheckpointError(explain("", part, "of one floating type", "of several", "Convert the checkpoint."))
        outputs = _run(state, part, name, tensors, dtype, probe)
        parts[part] = AdapterPart(tensors, base_fingerprint(state, part, dtype), dtype, outputs)
    placement = placement_of(next(iter(parts.values())).tensors)
    return NamedAdapter(called, language, placement, parts, list(together))


def load_adapters(
    model: nn.Module, adapters: Mapping[str, NamedAdapter], probe: Probe, base: Mapping[str, Tensor] | None = None
) -> None:
    """Put adapters into a model that has places for them; nothing is copied before all of them were checked.

    Args:
        model: with adapters of these names.
        adapters: by their files.
        probe: computes outputs of the model.
        base: weights that the model will have, by its own names; None for those that it has.

    Raises:
        CheckpointError: with a line for each adapter that has other sizes, another base, or computes otherwise on it
            than the model that it was taken from.
    """
    own = model.state_dict()
    state = own if base is None else base
    known: dict[tuple[str, str], str] = {}
    faults = []
    for file, adapter in adapters.items():
        places = split_adapters(own).get(adapter.name, {})
        for part in sorted({*adapter.parts, *places}):
            if fault := _find_fault(file, adapter, part, places, state, known, probe):
                faults.append(fault)
                break  # one line a file
    if faults:
        raise CheckpointError(report_all(faults))
    with torch.no_grad():
        for file, adapter in adapters.items():
            for part, tensors in adapter.parts.items():
                for name, tensor in tensors.tensors.items():
                    own[name_in_model(part, name, adapter.name)].copy_(tensor)
            if adapter.trained_with:
                logger.warning(
                    f"{file}: was trained together with {', '.join(adapter.trained_with)}, which are not in the file: "
                    "on this base it may write other texts than its training did."
                )


def fill_adapters(model: nn.Module, state: dict[str, Tensor]) -> list[str]:
    """Complete weights that are about to be loaded by the adapters that a model has and they lack.

    Args:
        model: with adapters.
        state: of a model with fewer ones; completed in place.

    Returns:
        Names of the adapters that were added.
    """
    own = model.state_dict()
    added = []
    there = split_adapters(state)
    for adapter, parts in split_adapters(own).items():
        missing = {part: tensors for part, tensors in parts.items() if part not in there.get(adapter, {})}
        for part, tensors in missing.items():
            for name in tensors:
                whole = name_in_model(part, name, adapter)
                state[whole] = own[whole]
        if missing:
            added.append(adapter or "one without a name")
    return added


def refuse_nameless(state: Mapping[str, Tensor], where: str) -> None:
    """Refuse a model whose adapter has no name: beside named ones it would be for no row.

    Raises:
        CheckpointError: it has one.
    """
    if NAMELESS in split_adapters(state):
        mend = "Export it under a name (`fairseq-samu adapters export`), and add it to the model that it began from."
        raise CheckpointError(explain(where, "adapters", "named, or none", "one without a name", mend))


def _find_fault(
    file: str,
    adapter: NamedAdapter,
    part: str,
    places: Mapping[str, Mapping[str, Tensor]],
    state: Mapping[str, Tensor],
    known: dict[tuple[str, str], str],
    probe: Probe,
) -> str | None:
    """What keeps an adapter's part from being put into a model; ``known`` are the model's fingerprints so far."""
    if part not in places or part not in adapter.parts:
        has = [f"one for the {name}" for name in adapter.parts]
        wanted = " and ".join(f"one for the {name}" for name in places) or "nothing"
        mend = f"Give an adapter that leaves the {part} out, or a model that has it."
        return explain(file, "adapter", f"{wanted}, which is what the model has a place for", " and ".join(has), mend)
    own = adapter.parts[part]
    shapes = [{name: tuple(tensor.shape) for name, tensor in side.items()} for side in (places[part], own.tensors)]
    if faults := find_size_faults(shapes[0], shapes[1], file, part):
        return faults[0]
    key = (part, own.base_dtype)
    if key not in known:
        known[key] = base_fingerprint(state, *key)
    if known[key] != own.base_fingerprint:
        rule = f"the one that it was trained on (fingerprint {own.base_fingerprint[:16]} in {own.base_dtype})"
        mend = f"Use a model with the {part} that the adapter began from."
        return explain(file, f"base of the {part}", rule, f"another ({known[key][:16]})", mend)
    outputs = _run(state, part, adapter.name, own.tensors, own.base_dtype, probe)
    things = {BASE: f"output of the {part} without it", ADAPTED: f"output of the {part} with it"}
    checks = (
        find_output_fault(file, things[name], own.probe[name], outputs[name]) for name in things if name in own.probe
    )
    return next(filter(None, checks), None)


def _run(
    state: Mapping[str, Tensor], part: str, name: str, tensors: Mapping[str, Tensor], dtype: str, probe: Probe
) -> dict[str, Tensor]:
    """Outputs of a part on its base, in the type that this was trained in, without and with an adapter."""
    around = {
        inside: t.float() if t.is_floating_point() else t
        for inside, t in convert(part_tensors(state, part), dtype).items()
    }
    own = {name_in_model(part, one, name).removeprefix(f"{part}."): tensor.float() for one, tensor in tensors.items()}
    silent = {inside: torch.zeros_like(tensor) if ".up." in inside else tensor for inside, tensor in own.items()}
    return {BASE: probe(part, name, {**around, **silent}), ADAPTED: probe(part, name, {**around, **own})}
