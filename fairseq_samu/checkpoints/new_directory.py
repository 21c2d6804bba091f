"""Directories of exported models, which appear whole or not at all."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from fairseq_samu.errors import CheckpointError, explain


@contextmanager
def new_directory(folder: Path) -> Iterator[Path]:
    """Make a directory in one step: what is written into the yielded one appears as ``folder`` at the end.

    Args:
        folder: what is made; must not exist, or be empty.

    Raises:
        CheckpointError: when it is not empty or cannot be written; nothing is left behind then.
    """
    require_new(folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.replace(folder)  # an empty directory may be replaced
    except OSError as error:
        mend = "Check the space left and the permissions."
        raise CheckpointError(explain(str(folder), "directory", "writable", error, mend)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def require_new(folder: Path) -> None:
    """Refuse a directory that has something in it.

    Raises:
        CheckpointError: it has.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(explain("", "directory", "new or empty", folder, "Choose another, or empty it."))


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write plain values as JSON with sorted names."""
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_tensors(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write tensors as a safetensors file, readable for whoever may read the directory's ``config.json``."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}
    save_file(tensors, path, {"format": "pt"})
    # The library writes for the owner only.
    shutil.copymode(path.with_name("config.json"), path)
