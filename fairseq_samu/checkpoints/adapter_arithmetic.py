"""Adapters made of adapters: their mean, and several side by side."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from fairseq_samu.checkpoints.adapter_files import ADAPTED, AdapterPart, NamedAdapter
from fairseq_samu.checkpoints.adapter_tensors import PARTS, measure_part
from fairseq_samu.errors import CheckpointError, ConfigError, explain, report_all

SUM_TOLERANCE = 1e-6  # of weights that are written with few digits


def average_adapters(
    adapters: Sequence[NamedAdapter], name: str, weights: Sequence[float] | None = None
) -> NamedAdapter:
    """Average the parameters of adapters of one base and of one size.

    Args:
        adapters: one or more.
        name: of the mean.
        weights: of each, with a sum of 1; None for equal ones.

    Returns:
        The mean, computed in float64. Its outputs are not known, unless it equals one of the adapters.

    Raises:
        CheckpointError: parts, placements, sizes or bases are not the same.
        ConfigError: the weights do not fit.
    """
    shares = [1.0 / len(adapters)] * len(adapters) if weights is None else list(weights)
    if len(shares) != len(adapters) or not abs(sum(shares) - 1.0) <= SUM_TOLERANCE:
        rule = f"{len(adapters)} numbers with a sum of 1"
        raise ConfigError(explain("", "weights", rule, shares, "Write one for each file, such as --weights .25,.75."))

    def mean(_: str, tensors: Sequence[Tensor]) -> Tensor:
        total = torch.zeros_like(tensors[0], dtype=torch.float64)
        for share, tensor in zip(shares, tensors, strict=True):
            total += share * tensor.double()
        return total.to(_wide(tensors))

    _require_alike(
        adapters, "parts", lambda adapter: sorted(adapter.parts), lambda adapter: " and ".join(adapter.parts)
    )
    _require_alike(adapters, "sizes", _sizes_of, _word_sizes)
    return _combine(adapters, name, mean)


def compose_adapters(adapters: Sequence[NamedAdapter], name: str) -> NamedAdapter:
    """Put adapters side by side: at every place the sum of what each of them adds, and parts of several models' parts.

    ``x + up(relu(down(x)))`` of bottlenecks side by side is x and the sum of what every one adds to it, exactly. A part
    that only one of them has is taken as it is, its outputs too: an encoder's adapter and a decoder's make one of both.

    Args:
        adapters: one or more.
        name: of the composition.

    Raises:
        CheckpointError: placements, features, layers or bases are not the same.
    """

    def beside(tensor: str, tensors: Sequence[Tensor]) -> Tensor:
        wide = [one.to(_wide(tensors)) for one in tensors]
        if tensor.endswith("up.weight"):
            return torch.cat(wide, dim=1)  # (D, inner) each
        if tensor.endswith("up.bias"):
            return torch.stack([one.double() for one in wide]).sum(dim=0).to(wide[0].dtype)
        return torch.cat(wide)  # (inner, D) or (inner,) each

    for part in PARTS:
        own = [adapter for adapter in adapters if part in adapter.parts]
        _require_alike(own, f"sizes of the {part}", partial(_places_in, part), _word_sizes)
    return _combine(adapters, name, beside)


def _combine(
    adapters: Sequence[NamedAdapter], name: str, merge: Callable[[str, Sequence[Tensor]], Tensor]
) -> NamedAdapter:
    """Merge adapters part by part and tensor by tensor."""
    _require_alike(adapters, "placement", lambda adapter: adapter.placement)
    parts = {}
    for part in PARTS:
        own = [adapter for adapter in adapters if part in adapter.parts]
        _require_alike(own, f"base of the {part}", partial(_word_base, part))
        if len(own) == 1:
            parts[part] = own[0].parts[part]
        elif own:
            parts[part] = _merge_part([adapter.parts[part] for adapter in own], merge)
    languages = {adapter.language for adapter in adapters}
    together = sorted({group for adapter in adapters for group in adapter.trained_with})
    return NamedAdapter(name, languages.pop() if len(languages) == 1 else "", adapters[0].placement, parts, together)


def _merge_part(parts: Sequence[AdapterPart], merge: Callable[[str, Sequence[Tensor]], Tensor]) -> AdapterPart:
    first = parts[0]
    tensors = {name: merge(name, [part.tensors[name] for part in parts]) for name in first.tensors}
    same = next((part for part in parts if _are_equal(part.tensors, tensors)), None)
    probe = same.probe if same else {name: output for name, output in first.probe.items() if name != ADAPTED}
    return AdapterPart(tensors, first.base_fingerprint, first.base_dtype, probe)


def _are_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(one[n].shape == t.shape and torch.equal(one[n].to(t.dtype), t) for n, t in other.items())


def _wide(tensors: Sequence[Tensor]) -> torch.dtype:
    """The type of a result: float64 where one of the tensors is, else float32."""
    return torch.float64 if any(tensor.dtype == torch.float64 for tensor in tensors) else torch.float32


def _sizes_of(adapter: NamedAdapter) -> dict[str, dict[str, tuple[int, ...]]]:
    shapes = {part: own.tensors.items() for part, own in adapter.parts.items()}
    return {part: {name: tuple(tensor.shape) for name, tensor in own} for part, own in shapes.items()}


def _places_of(part: AdapterPart) -> dict[str, int]:
    """Features of every place."""
    return {name: len(tensor) for name, tensor in part.tensors.items() if name.endswith("up.bias")}


def _places_in(part: str, adapter: NamedAdapter) -> dict[str, int]:
    return _places_of(adapter.parts[part])


def _word_base(part: str, adapter: NamedAdapter) -> str:
    own = adapter.parts[part]
    return f"{own.base_fingerprint[:16]} in {own.base_dtype}"


def _word_sizes(adapter: NamedAdapter) -> str:
    sizes = {part: (len(_places_of(own)), *measure_part(own.tensors)) for part, own in adapter.parts.items()}
    return ", ".join(f"{part}: {count} places of {inner} inside {dim}" for part, (count, dim, inner) in sizes.items())


def _require_alike(
    adapters: Sequence[NamedAdapter],
    thing: str,
    find: Callable[[NamedAdapter], object],
    word: Callable[[NamedAdapter], str] | None = None,
) -> None:
    """Refuse adapters that differ from the first one in something; ``word`` says what they have."""
    say = word or (lambda adapter: str(find(adapter)))
    mend = "Give adapters of one base, and of one placement and size."
    faults = [
        explain(
            f"adapter {number} ({adapter.name})", thing, f"that of the first ({say(adapters[0])})", say(adapter), mend
        )
        for number, adapter in enumerate(adapters, 1)
        if find(adapter) != find(adapters[0])
    ]
    if faults:
        raise CheckpointError(report_all(faults))
