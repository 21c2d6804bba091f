"""Writing of checkpoints that a kill or a full disk cannot damage."""

import argparse
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from fairseq_samu.errors import CheckpointError, explain

logger = logging.getLogger(__name__)
PARTIAL = ".partial"


def copy_whole(source: str, destination: str, overwrite: bool = False) -> str:
    """Copy a file so that the destination is either its old self or the whole new one.

    Args:
        source: file to copy.
        destination: its new name, replaced in one step.
        overwrite: replace an existing destination (the host's callers always do).

    Returns:
        The destination, as ``shutil.copyfile`` does.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; the old destination is untouched.
    """
    if not overwrite and Path(destination).exists():
        return ""
    partial = Path(destination + PARTIAL)
    try:
        shutil.copyfile(source, partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(destination)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise _cannot_write(destination, error) from error
    return destination


def save_whole(state: Any, filename: str, async_write: bool = False) -> None:
    """Save a checkpoint so that the file is either its old self or the whole new one.

    Args:
        state: what ``torch.save`` takes.
        filename: the checkpoint.
        async_write: of the host's interface; writing here is always done on return.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; the old checkpoint is untouched.
    """
    import torch

    if async_write:
        logger.warning("checkpoints are written at once: --write-checkpoints-asynchronously has no effect")
    with _replacing(filename) as file:
        torch.save(state, file)


def write_whole(filename: str | Path, data: bytes) -> None:
    """Write a file so that it is either its old self or the whole new one.

    Args:
        filename: the file.
        data: its contents.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; the old file is untouched.
    """
    with _replacing(str(filename)) as file:
        file.write(data)


@contextmanager
def _replacing(filename: str) -> Iterator[BinaryIO]:
    partial = Path(filename + PARTIAL)
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(filename)
    except (OSError, RuntimeError) as error:
        raise _cannot_write(filename, error) from error
    finally:
        partial.unlink(missing_ok=True)


def _cannot_write(filename: str, error: BaseException) -> CheckpointError:
    mend = "The last checkpoint is whole: free space or mend the folder's rights, and start the same command again."
    return CheckpointError(explain("", "checkpoint", f"writable ({error})", filename, mend))


def make_host_saving_atomic() -> None:
    """Let the host write and copy checkpoints by the functions above; doing it twice changes nothing.

    The host copies ``checkpoint_last.pt`` in place, so that a kill within the copying leaves a cut file that stops
    the next start, and it retries a failed write into the middle of the same file. Options of its older optimizers
    (sgd) stand in checkpoints as an argparse.Namespace, which a resumed run would refuse to read.
    """
    import torch
    from fairseq import checkpoint_utils
    from fairseq.file_io import PathManager

    checkpoint_utils.torch_persistent_save = save_whole
    PathManager.copy = staticmethod(copy_whole)
    torch.serialization.add_safe_globals([argparse.Namespace])
