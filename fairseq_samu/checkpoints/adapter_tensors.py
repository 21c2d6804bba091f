"""Adapters among the tensors of a model: which are whose, and what stands around them."""

import re
from collections.abc import Mapping

from torch import Tensor

from fairseq_samu.checkpoints.key_report import fingerprint
from fairseq_samu.checkpoints.rounding import convert
from fairseq_samu.errors import CheckpointError, ConfigError, explain, report_all

PARTS = ("encoder", "decoder")
PLACEMENTS = ("two", "one")
WHOLE_LAYER = "layer_adapter"  # the place of placement `one`
NAMELESS = ""  # a model of one adapter for all rows

# Rows of the embedding that every vocabulary has: <s>, <pad>, </s>, <unk>. The others depend on how it was trimmed.
NUM_MARKS = 4
_EMBEDDING = "embed_tokens.weight"
_ADDED_TAGS = "added_tags"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_INSIDE = r"(.+?\.(?:attention|ffn|layer)_adapter)\."
_VALUES = r"((?:down|up)\.(?:weight|bias))"
_PLACE = re.compile(rf"(encoder|decoder)\.{_INSIDE}(?:([^.]+)\.)?{_VALUES}")
_TENSOR = re.compile(_INSIDE + _VALUES)


def require_name(name: object, where: str) -> str:
    """Check the name of an adapter.

    Args:
        name: what it is called.
        where: what has said so, for the message.

    Raises:
        ConfigError: it is no name that files, options and parameters can bear.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(explain("", where, "letters, digits, - and _", name, "Write for example be, or medical-ca."))
    return name


def adapter_of(name: str) -> str | None:
    """Find the adapter of a model's tensor: its name, :data:`NAMELESS`, or None for any other tensor."""
    matched = _PLACE.fullmatch(name)
    return (matched[3] or NAMELESS) if matched else None


def split_adapters(state: Mapping[str, Tensor]) -> dict[str, dict[str, dict[str, Tensor]]]:
    """Sort the adapters among a model's tensors.

    Args:
        state: tensors by the model's own names.

    Returns:
        By the adapter's name (:data:`NAMELESS` where it has none) and by part of the model: tensors by their names
        inside the part, without the adapter's name.
    """
    found: dict[str, dict[str, dict[str, Tensor]]] = {}
    for name, tensor in state.items():
        if matched := _PLACE.fullmatch(name):
            part, place, adapter, rest = matched.groups()
            found.setdefault(adapter or NAMELESS, {}).setdefault(part, {})[f"{place}.{rest}"] = tensor
    return found


def name_in_model(part: str, tensor: str, adapter: str) -> str:
    """Name a tensor of :func:`split_adapters` as the model does."""
    matched = _TENSOR.fullmatch(tensor)
    assert matched is not None, tensor
    place, rest = matched.groups()
    return ".".join(item for item in (part, place, adapter, rest) if item)


def placement_of(tensors: Mapping[str, Tensor]) -> str:
    """Find the placement of an adapter: ``one`` place in a layer, behind it, or ``two``."""
    return "one" if all(f".{WHOLE_LAYER}." in f".{name}" for name in tensors) else "two"


def measure_part(tensors: Mapping[str, Tensor]) -> tuple[int, int]:
    """Find the sizes of an adapter in a part of a model.

    Args:
        tensors: by their names inside the part, without the adapter's name.

    Returns:
        Features D of a position, and inner features, which are the same at every place.

    Raises:
        CheckpointError: tensors are missing, or do not fit together.
    """
    places = sorted({matched[1] for name in tensors if (matched := _TENSOR.fullmatch(name))})
    sizes = {tuple(tensors[name].shape) for place in places if (name := f"{place}.down.weight") in tensors}
    if len(sizes) == 1 and len(size := sizes.pop()) == 2:
        inner, dim = size
        shapes = {"down.weight": size, "down.bias": (inner,), "up.weight": (dim, inner), "up.bias": (dim,)}
        wanted = {f"{place}.{name}": shape for place in places for name, shape in shapes.items()}
        if wanted == {name: tuple(tensor.shape) for name, tensor in tensors.items()}:
            return dim, inner
    mend = "Export it again."
    raise CheckpointError(explain("", "adapter", "of whole places of one size", f"{len(tensors)} tensors", mend))


def part_tensors(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Take all but the adapters of a part of a model, by names inside the part."""
    names = {name: name.removeprefix(f"{part}.") for name in state if name.startswith(f"{part}.")}
    return {inside: state[name] for name, inside in names.items() if not _PLACE.fullmatch(name)}


def base_tensors(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Take what stands around the adapters of a part of a model.

    What depends on the vocabulary is left out but for the tokens that every vocabulary has, so that an adapter that was
    trained with a trimmed vocabulary fits the whole one.

    Args:
        state: tensors by the model's own names.
        part: ``encoder`` or ``decoder``.

    Returns:
        Tensors by their names inside the part.
    """
    found = part_tensors(state, part)
    found.pop(_ADDED_TAGS, None)
    if _EMBEDDING in found:
        found[_EMBEDDING] = found[_EMBEDDING][:NUM_MARKS]
    return found


def base_fingerprint(state: Mapping[str, Tensor], part: str, dtype: str) -> str:
    """Hash :func:`base_tensors` in a type, a key of ``DTYPES``."""
    return fingerprint(convert(base_tensors(state, part), dtype))


def find_size_faults(
    own: Mapping[str, tuple[int, ...]], theirs: Mapping[str, tuple[int, ...]], where: str, part: str
) -> list[str]:
    """Compare the places that a model has for an adapter with those that a file fills.

    Args:
        own: shapes of the model's tensors.
        theirs: shapes of the file's.
        where: the file, for the message.
        part: of the model.

    Returns:
        One line of text; nothing where all fit.
    """
    others = [f"{name} {shape} in the file only" for name, shape in theirs.items() if name not in own]
    others += [f"{name} {shape} in the model only" for name, shape in own.items() if name not in theirs]
    others += [
        f"{name} {theirs[name]} instead of {shape}"
        for name, shape in own.items()
        if name in theirs and theirs[name] != shape
    ]
    if not others:
        return []
    found = report_all(others, limit=2).replace("\n", "; ")
    mend = "Give an adapter of this model's layers, features and --adapter-placement."
    return [explain(where, f"sizes of the {part}'s adapter", "those of the model", found, mend)]
