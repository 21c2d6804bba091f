"""Files of one named adapter each, small, that know which base they belong to and what they compute on it."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from fairseq_samu.checkpoints.adapter_tensors import PARTS, PLACEMENTS, measure_part, require_name
from fairseq_samu.checkpoints.key_report import fingerprint
from fairseq_samu.checkpoints.rounding import DTYPES, find_rounding
from fairseq_samu.checkpoints.safe_loading import read_metadata, read_safetensors
from fairseq_samu.checkpoints.saving import write_whole
from fairseq_samu.errors import CheckpointError, ConfigError, explain, report_all

ENTRY = "adapter"  # of the metadata
VERSION = "1"
SUFFIX = ".safetensors"
MEND = "Give a file that `fairseq-samu adapters export` wrote."
DAMAGED = "Copy it again from where it came from, or export it again."
BASE, ADAPTED = "base", "adapted"  # outputs of a part without the adapter and with it
_TENSORS, _PROBE = "tensors", "probe"


@dataclass(frozen=True)
class AdapterPart:
    """An adapter's parameters in one part of a model, and what is known of that part.

    Attributes:
        tensors: parameters by their names inside the part, without the adapter's name, such as
            ``layers.0.attention_adapter.down.weight``.
        base_fingerprint: hash of the part's other tensors in ``base_dtype``; see :func:`base_tensors`.
        base_dtype: the type, such as ``float32``, that the base is converted to first: its own, or the half precision
            that training rounded it to.
        probe: outputs of the part for a fixed input: ``base`` without the adapter and ``adapted`` with it; the latter
            is not known of what was averaged or composed.
    """

    tensors: dict[str, Tensor]
    base_fingerprint: str
    base_dtype: str
    probe: dict[str, Tensor]

    @property
    def bottleneck(self) -> int:
        """Inner features of every place."""
        return measure_part(self.tensors)[1]

    @property
    def num_parameters(self) -> int:
        """Values of all tensors."""
        return sum(tensor.numel() for tensor in self.tensors.values())


@dataclass(frozen=True)
class NamedAdapter:
    """One adapter apart from its model.

    Attributes:
        name: by which rows are sent through it: a language, a domain.
        language: code of the language that it serves; empty where it has none of its own.
        placement: ``two`` or ``one`` places in a layer, as the option ``adapter_placement`` has it.
        parts: ``encoder`` or ``decoder`` or both.
        trained_with: groups of other parameters that were tuned together with it, and are not in the file.
    """

    name: str
    language: str
    placement: str
    parts: dict[str, AdapterPart]
    trained_with: list[str] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """Hash of the parameters alone, as float64, whatever type they are kept in."""
        return fingerprint(
            {f"{part}/{name}": t.double() for part, own in self.parts.items() for name, t in own.tensors.items()}
        )


def write_adapter(path: Path, adapter: NamedAdapter) -> None:
    """Write the file; it appears whole or not at all.

    Parameters that a training in half precision has rounded are kept in that precision, without any loss.

    Raises:
        CheckpointError: when it cannot be written.
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    for part, own in adapter.parts.items():
        rounding = find_rounding(own.tensors)
        for name, tensor in own.tensors.items():
            tensors[f"{part}/{_TENSORS}/{name}"] = tensor.to(DTYPES[rounding]) if rounding else tensor
        tensors.update({f"{part}/{_PROBE}/{name}": tensor for name, tensor in own.probe.items()})
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    facts = json.dumps(_facts_of(adapter), sort_keys=True)
    # one entry: the library writes several in an order of chance, and equal adapters make equal files
    told = {"version": VERSION, "checksum": _checksum(facts, tensors), "facts": facts}
    write_whole(path, save(tensors, {ENTRY: json.dumps(told)}))


def read_adapter(path: Path) -> NamedAdapter:
    """Read such a file, every bit of which is checked.

    Raises:
        CheckpointError: when it is missing, damaged, of a later version or of another kind.
    """
    entry = read_metadata(path, DAMAGED).get(ENTRY)
    if entry is None:
        raise CheckpointError(explain(str(path), "file", "one of a named adapter", "another", MEND))
    try:
        told = json.loads(entry)
        version, checksum, facts = told["version"], told["checksum"], told["facts"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(explain(str(path), "metadata", "whole", error, DAMAGED)) from error
    if version != VERSION:
        mend = "Update this package, or export it again by this version."
        raise CheckpointError(explain(str(path), "version", VERSION, version, mend))
    tensors = read_safetensors(path)
    if _checksum(facts, tensors) != checksum:
        rule = "that of its contents"
        raise CheckpointError(explain(str(path), "checksum", rule, "another: the file is damaged", DAMAGED))
    try:
        return _assemble(json.loads(facts), tensors)
    except (KeyError, TypeError, ValueError) as error:
        # ValueError is also what our own errors are
        raise CheckpointError(explain(str(path), "contents", "those of a named adapter", error, MEND)) from error


def holds_adapter(path: Path) -> bool:
    """Tell such a file from any other."""
    try:
        return path.is_file() and ENTRY in read_metadata(path, DAMAGED)
    except CheckpointError:
        return False


def _facts_of(adapter: NamedAdapter) -> dict[str, Any]:
    return {
        "name": adapter.name,
        "language": adapter.language,
        "placement": adapter.placement,
        "trained_with": adapter.trained_with,
        "parts": {
            part: {"base_fingerprint": own.base_fingerprint, "base_dtype": own.base_dtype}
            for part, own in adapter.parts.items()
        },
    }


def _assemble(facts: dict[str, Any], tensors: Mapping[str, Tensor]) -> NamedAdapter:
    parts = {}
    for part, known in facts["parts"].items():
        own = {
            kind: {
                name.removeprefix(f"{part}/{kind}/"): tensor
                for name, tensor in tensors.items()
                if name.startswith(f"{part}/{kind}/")
            }
            for kind in (_TENSORS, _PROBE)
        }
        measure_part(own[_TENSORS])
        if part not in PARTS or known["base_dtype"] not in DTYPES:
            raise ValueError(f"part {part} on a base of {known['base_dtype']}")
        parts[part] = AdapterPart(own[_TENSORS], known["base_fingerprint"], known["base_dtype"], own[_PROBE])
    if not parts or facts["placement"] not in PLACEMENTS:
        raise ValueError(f"parts {sorted(parts)}, placement {facts['placement']}")
    require_name(facts["name"], "name")
    return NamedAdapter(facts["name"], facts["language"], facts["placement"], parts, facts["trained_with"])


def _checksum(facts: str, tensors: Mapping[str, Tensor]) -> str:
    return hashlib.sha256(f"{facts}\0{fingerprint(tensors)}".encode()).hexdigest()


def read_adapters(paths: Sequence[Path]) -> dict[str, NamedAdapter]:
    """Read several files.

    Args:
        paths: files.

    Returns:
        Adapters by their files, in order.

    Raises:
        CheckpointError: with a line for each file that is at fault.
        ConfigError: a file is named twice.
    """
    found: dict[str, NamedAdapter] = {}
    faults = []
    for path in paths:
        try:
            found[str(path)] = read_adapter(path)
        except CheckpointError as error:
            faults.append(str(error))
    if faults:
        raise CheckpointError(report_all(faults))
    if len(found) != len(paths):
        raise ConfigError(explain("", "files", "different ones", ", ".join(map(str, paths)), "Name each once."))
    return found


def require_new_names(adapters: Mapping[str, NamedAdapter], taken: Iterable[str]) -> None:
    """Refuse adapters of the same name.

    Args:
        adapters: by their files.
        taken: names that the model has already.

    Raises:
        ConfigError: with every file whose adapter's name is taken.
    """
    seen = dict.fromkeys(taken, "the model")
    faults = []
    for file, adapter in adapters.items():
        if adapter.name in seen:
            rule = f"another than that of {seen[adapter.name]}"
            mend = "Leave one of them out, or export it under another name."
            faults.append(explain(file, "name", rule, adapter.name, mend))
        seen.setdefault(adapter.name, file)
    if faults:
        raise ConfigError(report_all(faults))


def list_adapter_files(paths: list[Path]) -> list[Path]:
    """Find the adapter files that are named, and those in the folders that are.

    Args:
        paths: files and folders.

    Returns:
        Files, those of a folder by name; files of other kinds in a folder are left out.

    Raises:
        CheckpointError: a path does not exist, or a file in a folder is damaged.
        ConfigError: a folder has none.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise CheckpointError(explain("", "file", "there", path, "Check the path."))
        inside = [path]
        if path.is_dir():
            files = sorted(path.glob(f"*{SUFFIX}"))
            inside = [file for file in files if ENTRY in read_metadata(file, DAMAGED)]
        if not inside:
            raise ConfigError(explain("", "folder", "one with files of adapters", path, MEND))
        found += inside
    return found
