"""The files of a table of embeddings: names, the record meta.json, and writing that a kill cannot spoil.

A directory holds ``meta.json``, ``mean.npy`` where the table is centred, and per shard ``embeddings-00000.npy`` (N, D)
and ``keys-00000.npy`` (N, 2). Every file is written under a temporary name and renamed; a shard counts once its keys
are there, which are written last.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from fairseq_samu.errors import TeacherError, explain

logger = logging.getLogger(__name__)

FORMAT = 1
DTYPES = ("float16", "float32")


@dataclass
class TableMeta:
    """What a table records about itself.

    Attributes:
        teacher: spec that named the teacher.
        fingerprint: the teacher's fingerprint.
        dim: size D of an embedding.
        dtype: how vectors are stored, ``float16`` or ``float32``.
        center: whether look-ups subtract the mean of the training texts.
        normalize: whether look-ups scale to length 1 (after centring).
        texts: rows of the finished table.
        mean_texts: how many training texts the mean was taken over.
        complete: whether the last run came to its end.
        versions: packages and files behind the embeddings.
        format: version of this layout.
    """

    teacher: str
    fingerprint: str
    dim: int
    dtype: str = "float32"
    center: bool = False
    normalize: bool = False
    texts: int = 0
    mean_texts: int = 0
    complete: bool = False
    versions: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT


@dataclass(frozen=True)
class Shard:
    """The two files of a shard."""

    number: int
    vectors: Path
    keys: Path


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to, and rename it once the block ends well.

    Args:
        path: the file to be.

    Yields:
        A name in the same folder.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def lock(directory: Path) -> Iterator[None]:
    """Keep other processes from writing the same table; the system drops the lock when a process ends, however it ends.

    Args:
        directory: the table's folder.

    Yields:
        Nothing, while the lock is held.

    Raises:
        TeacherError: another process holds it.
    """
    with (directory / ".lock").open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            mend = "Wait until the other has finished."
            raise TeacherError(explain(str(directory), "table", "written by one process", "two", mend)) from error
        except OSError:
            logger.info("%s: this file system has no locks; let no two processes write one table", directory)
        yield


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array as .npy, atomically."""
    with write_atomically(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array)


def read_array(path: Path) -> np.ndarray:
    """Map an array into memory.

    Args:
        path: a .npy file.

    Returns:
        The array; its rows are read from the disk when they are used.

    Raises:
        TeacherError: the file cannot be read, or is no array.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        mend = "Delete this table and run `fairseq-samu embed` again."
        raise TeacherError(explain(str(path), "array", "a readable .npy file", reason, mend)) from error


def shard_at(directory: Path, number: int) -> Shard:
    """Name the files of a shard."""
    return Shard(number, directory / f"embeddings-{number:05d}.npy", directory / f"keys-{number:05d}.npy")


def list_shards(directory: Path) -> list[Shard]:
    """List the shards that are whole.

    Args:
        directory: the table's folder.

    Returns:
        Shards by number.

    Raises:
        TeacherError: a shard has keys but no vectors.
    """
    numbers = sorted(int(path.stem.rpartition("-")[2]) for path in directory.glob("keys-*.npy"))
    shards = [shard_at(directory, number) for number in numbers]
    for shard in shards:
        if not shard.vectors.exists():
            mend = f"Restore it, or delete {shard.keys.name} and run `fairseq-samu embed` again."
            raise TeacherError(explain(str(directory), "shard", "whole", f"without {shard.vectors.name}", mend))
    return shards


def remove_leftovers(directory: Path) -> None:
    """Remove what a killed run left behind: temporary files, and vectors without keys."""
    for path in directory.glob(".*.tmp"):
        path.unlink(missing_ok=True)
    for path in directory.glob("embeddings-*.npy"):
        if not shard_at(directory, int(path.stem.rpartition("-")[2])).keys.exists():
            path.unlink(missing_ok=True)


def write_meta(directory: Path, meta: TableMeta) -> None:
    """Write meta.json, atomically."""
    with write_atomically(directory / "meta.json") as temporary:
        temporary.write_text(json.dumps(asdict(meta), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_meta(directory: Path) -> TableMeta | None:
    """Read meta.json.

    Args:
        directory: the table's folder.

    Returns:
        The record, or None where there is none.

    Raises:
        TeacherError: the file is damaged, or of another layout.
    """
    path = directory / "meta.json"
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise ValueError(f"format {record['format']}")
        return TableMeta(**record)
    except (ValueError, TypeError, KeyError) as error:
        mend = "Make the table anew with `fairseq-samu embed`."
        raise TeacherError(explain(str(path), "meta.json", f"a record of format {FORMAT}", error, mend)) from error


def read_mean(directory: Path, dim: int) -> np.ndarray:
    """Read the mean of the training texts.

    Args:
        directory: the table's folder.
        dim: size D it must have.

    Returns:
        (D,) float32.

    Raises:
        TeacherError: it is missing or does not fit.
    """
    path = directory / "mean.npy"
    mean = np.array(read_array(path), dtype=np.float32) if path.exists() else np.zeros(0, dtype=np.float32)
    if mean.shape != (dim,):
        raise TeacherError(explain(str(path), "mean", f"({dim},)", mean.shape, "Make the table anew."))
    return mean
