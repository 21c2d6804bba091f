"""Files that hold only what training has changed of a model, to be put back into the weights it began from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fairseq_samu.checkpoints.key_report import fingerprint
from fairseq_samu.checkpoints.output_probe import find_output_fault
from fairseq_samu.checkpoints.rounding import DTYPES, convert, find_base_dtype
from fairseq_samu.checkpoints.safe_loading import read_metadata, read_safetensors
from fairseq_samu.checkpoints.saving import write_whole
from fairseq_samu.checkpoints.trained_translator import LoadedTranslator
from fairseq_samu.errors import CheckpointError, explain, report_all

VERSION = "1"
MEND = "Give a file that `fairseq-samu adapters extract` wrote."
_PARTS = ("tuned", "vocabulary", "probe")
_FACTS = ("config", "groups", "base_names", "base_fingerprint", "base_dtype", "base_parameters")


@dataclass(frozen=True)
class TunedParameters:
    """What such a file holds.

    Attributes:
        config: as ``LoadedTranslator.config``.
        tuned: the tuned tensors by the model's own names.
        vocabulary: what ``Vocabulary.load_state_dict`` takes.
        probe: outputs of the whole model, by which a merged one is known to be the same.
        groups: how many values are tuned, by the model's groups.
        base_names: names of the tensors that are not tuned.
        base_fingerprint: hash of them in ``base_dtype``.
        base_dtype: the type, such as ``float32``, that the base is converted to first: theirs, or the half precision
            that training rounded them to.
        base_parameters: how many values they have.
    """

    config: dict[str, Any]
    tuned: dict[str, Tensor]
    vocabulary: dict[str, Tensor]
    probe: dict[str, Tensor]
    groups: dict[str, int]
    base_names: list[str]
    base_fingerprint: str
    base_dtype: str
    base_parameters: int


def split_tuned(loaded: LoadedTranslator, tuned: Mapping[str, str], probe: Mapping[str, Tensor]) -> TunedParameters:
    """Take what is tuned out of a model.

    Args:
        loaded: the whole model.
        tuned: names of the tuned tensors, each with its group; and of those of whole numbers, which are not counted.
        probe: the model's outputs.

    Raises:
        CheckpointError: when nothing is tuned, or nothing frozen, or the frozen tensors are of several types.
    """
    kept = {name: tensor for name, tensor in loaded.state.items() if name in tuned}
    frozen = {name: tensor for name, tensor in loaded.state.items() if name not in tuned}
    base_dtype = find_base_dtype(frozen)
    if not kept or base_dtype is None:
        dtypes = {str(tensor.dtype).removeprefix("torch.") for tensor in frozen.values()}
        rule = "tuned in part (see --tuned-groups), its frozen part of one floating type"
        found = f"with {len(kept)} tuned tensors, and {len(frozen)} frozen ones of types {sorted(dtypes)}"
        raise CheckpointError(explain("", "model", rule, found, "Keep the whole checkpoint."))
    groups: dict[str, int] = {}
    for name, tensor in kept.items():
        if tensor.is_floating_point():
            groups[tuned[name]] = groups.get(tuned[name], 0) + tensor.numel()
    return TunedParameters(
        config=loaded.config,
        tuned=kept,
        vocabulary=loaded.vocabulary,
        probe=dict(probe),
        groups=groups,
        base_names=list(frozen),
        base_fingerprint=fingerprint(convert(frozen, base_dtype)),
        base_dtype=base_dtype,
        base_parameters=sum(tensor.numel() for tensor in frozen.values()),
    )


def merge_tuned(tuned: TunedParameters, base: Mapping[str, Tensor]) -> LoadedTranslator:
    """Put tuned tensors back into the weights that they belong to.

    Args:
        tuned: contents of the file.
        base: tensors by the model's own names; what is not frozen in the model is not looked at.

    Returns:
        The whole model.

    Raises:
        CheckpointError: when a frozen tensor is missing, or the base is another one.
    """
    where = "base"
    if missing := [name for name in tuned.base_names if name not in base]:
        listed = report_all([f"  {name}" for name in missing])
        raise CheckpointError(f"{where}: {len(missing)} tensors of the model are missing in it:\n{listed}")
    frozen = convert({name: base[name] for name in tuned.base_names}, tuned.base_dtype)
    found = fingerprint(frozen)
    if found != tuned.base_fingerprint:
        rule = f"the one that was trained from (fingerprint {tuned.base_fingerprint[:16]})"
        mend = "Use the pre-trained weights, or a checkpoint with the same frozen parts, that the file was made with."
        raise CheckpointError(explain("", where, rule, f"another ({found[:16]})", mend))
    dtype = next(tensor.dtype for tensor in tuned.tuned.values() if tensor.is_floating_point())
    whole = {**{name: tensor.to(dtype) for name, tensor in frozen.items()}, **tuned.tuned}
    return LoadedTranslator(tuned.config, whole, tuned.vocabulary)


def require_same_outputs(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Compare a merged model's outputs with those of the model that was taken apart.

    Raises:
        CheckpointError: when they differ by more than rounding explains.
    """
    for name in sorted({*expected, *found}):
        if fault := find_output_fault("merged model", name, expected.get(name), found.get(name)):
            raise CheckpointError(fault)


def write_tuned(path: Path, tuned: TunedParameters) -> None:
    """Write the file; it appears whole or not at all.

    Raises:
        CheckpointError: when it cannot be written.
    """
    from safetensors.torch import save

    tensors = {
        f"{part}/{name}": tensor.detach().cpu().contiguous().clone()
        for part in _PARTS
        for name, tensor in getattr(tuned, part).items()
    }
    facts = {name: json.dumps(getattr(tuned, name)) for name in _FACTS}
    write_whole(path, save(tensors, {"format": "pt", "version": VERSION, **facts}))


def read_tuned(path: Path) -> TunedParameters:
    """Read such a file.

    Raises:
        CheckpointError: when it is missing, damaged, of a later version or of another kind.
    """
    texts = _read_facts(path)
    tensors = read_safetensors(path)
    parts: dict[str, Any] = {
        part: {name.removeprefix(f"{part}/"): tensor for name, tensor in tensors.items() if name.startswith(f"{part}/")}
        for part in _PARTS
    }
    try:
        facts = {name: json.loads(texts[name]) for name in _FACTS}
        if facts["base_dtype"] not in DTYPES:
            raise ValueError(f"unknown type {facts['base_dtype']}")
        return TunedParameters(**parts, **facts)
    except (KeyError, ValueError) as error:
        raise CheckpointError(explain(str(path), "metadata", "complete", error, MEND)) from error


def holds_tuned(path: Path) -> bool:
    """Tell such a file from any other."""
    try:
        return path.is_file() and bool(_read_facts(path))
    except CheckpointError:
        return False


def _read_facts(path: Path) -> dict[str, str]:
    facts = read_metadata(path, MEND)
    if facts.get("version") != VERSION or not facts.keys() >= set(_FACTS):
        rule = f"one of tuned parameters, of version {VERSION}"
        raise CheckpointError(explain(str(path), "file", rule, facts.get("version", "another"), MEND))
    return facts
