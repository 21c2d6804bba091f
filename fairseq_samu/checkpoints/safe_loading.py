"""Reading files of tensors without ever running code that stands in them."""

import argparse
import importlib
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fairseq_samu.errors import CheckpointError, explain

# Plain holders of values that official files contain beside tensors. None of them runs anything when it is built.
# Where a class does not exist in the installed version, files that name it are refused.
HOLDERS = (
    ("omegaconf.dictconfig", "DictConfig"),
    ("omegaconf.listconfig", "ListConfig"),
    ("omegaconf.base", "ContainerMetadata"),
    ("omegaconf.base", "Metadata"),
    ("omegaconf.nodes", "AnyNode"),
    ("omegaconf.nodes", "BooleanNode"),
    ("omegaconf.nodes", "FloatNode"),
    ("omegaconf.nodes", "IntegerNode"),
    ("omegaconf.nodes", "StringNode"),
    ("fairseq.data.dictionary", "Dictionary"),
    ("numpy", "dtype"),
    ("numpy.dtypes", "Float64DType"),
    ("numpy.dtypes", "Float32DType"),
    ("numpy.dtypes", "Int64DType"),
    ("collections", "defaultdict"),
)
DAMAGED = (RuntimeError, EOFError, OSError, KeyError, ValueError, AttributeError, TypeError, IndexError)


def read_torch_file(path: Path, lazily: bool = False) -> Any:
    """Read a file written by ``torch.save``: tensors, plain values and a few listed holders of values.

    Args:
        path: the file.
        lazily: read each tensor when it is used; needs a file of torch 1.6 or later, and one that stays.

    Returns:
        What was saved, with all tensors on the CPU.

    Raises:
        CheckpointError: when the file is damaged, or names anything that is not on the list; nothing of it is run.
    """
    try:
        with torch.serialization.safe_globals(_not_allowed_yet()):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=lazily)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        named = f" It asks for `{found[1]}`." if found else ""
        raise CheckpointError(
            f"{path}: refused, because reading it would run code or build objects that no checkpoint needs.{named} "
            "Nothing was run. Ask whoever made the file for one of tensors only (safetensors)."
        ) from error
    except (*DAMAGED, zipfile.BadZipFile) as error:
        mend = "Download or save the file again."
        raise CheckpointError(explain(str(path), "file", "a whole PyTorch file", type(error).__name__, mend)) from error


def read_safetensors(path: Path, wanted: Callable[[str], bool] = bool) -> dict[str, Tensor]:
    """Read tensors off a safetensors file.

    Args:
        path: the file.
        wanted: which names are read.

    Returns:
        Tensors by name; those that are not wanted are not loaded.

    Raises:
        CheckpointError: when the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys() if wanted(name)}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        mend = "Download or save the file again."
        raise CheckpointError(explain(str(path), "file", "a whole safetensors file", error, mend)) from error


def read_metadata(path: Path, mend: str) -> dict[str, str]:
    """Read what a safetensors file says of itself, without its tensors.

    Args:
        path: the file.
        mend: what to do where it is damaged, for the message.

    Raises:
        CheckpointError: when the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as opened:
            return dict(opened.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise CheckpointError(explain(str(path), "file", "a whole safetensors file", error, mend)) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CheckpointError: when the file is missing, or holds something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(explain(str(path), "file", "readable JSON", error, "Save it again.")) from error
    if not isinstance(values, dict):
        raise CheckpointError(explain(str(path), "file", "a JSON object", type(values).__name__, "Save it again."))
    return values


def plain(value: Any) -> Any:
    """Turn namespaces and configs into dictionaries and lists, all the way down."""
    if isinstance(value, argparse.Namespace):
        value = vars(value)
    elif type(value).__module__.startswith("omegaconf"):
        from omegaconf import OmegaConf

        value = OmegaConf.to_container(value, resolve=False)
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _not_allowed_yet() -> list[Any]:
    # torch forgets at the end what it was told at the beginning, also where it knew it before
    known = torch.serialization.get_safe_globals()
    return [holder for holder in _allowed() if holder not in known]


def _allowed() -> list[Any]:
    found: list[Any] = [argparse.Namespace, (Any, "typing.Any")]
    found += [(kind, f"builtins.{kind.__name__}") for kind in (bool, int, float, str, dict, list, tuple)]
    for module, name in HOLDERS:
        try:
            found.append((getattr(importlib.import_module(module), name), f"{module}.{name}"))
        except (ImportError, AttributeError):
            continue
    try:
        from numpy._core.multiarray import scalar
    except ImportError:
        from numpy.core.multiarray import scalar  # type: ignore[no-redef]
    # Both names of the same function, as numpy 1 and numpy 2 write it.
    return [*found, (scalar, "numpy._core.multiarray.scalar"), (scalar, "numpy.core.multiarray.scalar")]
