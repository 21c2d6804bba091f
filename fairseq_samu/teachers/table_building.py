"""Filling a table of embeddings: sharded, in a fixed order, and resumable after a kill at any time."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from fairseq_samu.errors import TeacherError, explain
from fairseq_samu.teachers.encoder import SentenceEncoder
from fairseq_samu.teachers.table_files import (
    DTYPES,
    TableMeta,
    list_shards,
    lock,
    read_array,
    read_meta,
    remove_leftovers,
    shard_at,
    write_array,
    write_meta,
)
from fairseq_samu.teachers.texts import KeyIndex, hash_texts

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableOptions:
    """How a table is written; ``teacher``, ``dtype``, ``center`` and ``normalize`` are recorded in it.

    Attributes:
        teacher: spec of the teacher.
        dtype: how vectors are stored, ``float16`` or ``float32``.
        center: subtract the mean of the training texts at look-up.
        normalize: scale to length 1 at look-up.
        shard_size: texts a shard; also the most work that a kill can cost.
        batch_size: texts given to the teacher at once.
    """

    teacher: str
    dtype: str = "float32"
    center: bool = False
    normalize: bool = False
    shard_size: int = 8192
    batch_size: int = 64


def fill_table(
    directory: Path,
    texts: Mapping[str, bool],
    encoder: SentenceEncoder,
    options: TableOptions,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> TableMeta:
    """Embed the texts that a table lacks, and finish the table.

    Order, shards and batches follow from the texts alone, so an interrupted run and its continuation leave the same
    bytes as one run. The mean of a finished table never changes: trained models depend on it.

    Args:
        directory: the table's folder, made where needed.
        texts: normalised texts, each with whether it belongs to the training texts, over which the mean is taken.
        encoder: the teacher.
        options: how the table is written.
        progress: told the texts done and the total after every batch.

    Returns:
        What the table records about itself.

    Raises:
        TeacherError: the table was made by another teacher or with other options, another process is writing it, or
            the teacher gives no numbers.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with lock(directory):
        return _fill(directory, texts, encoder, options, progress)


def _fill(
    directory: Path,
    texts: Mapping[str, bool],
    encoder: SentenceEncoder,
    options: TableOptions,
    progress: Callable[[int, int], None],
) -> TableMeta:
    meta = _agree(directory, encoder, options)
    remove_leftovers(directory)
    todo = _missing_in_order(directory, list(texts))
    if todo:
        meta.complete = False
        write_meta(directory, meta)
    numbers = [shard.number for shard in list_shards(directory)]
    number = numbers[-1] + 1 if numbers else 0
    done = len(texts) - len(todo)
    progress(done, len(texts))
    for start in range(0, len(todo), options.shard_size):
        chunk = todo[start : start + options.shard_size]
        vectors = _encode(chunk, encoder, options, partial(_report, progress, done + start, len(texts)))
        shard = shard_at(directory, number)
        write_array(shard.vectors, vectors)
        write_array(shard.keys, hash_texts(chunk))
        number += 1
    return _finish(directory, meta, texts)


def _report(progress: Callable[[int, int], None], before: int, total: int, count: int) -> None:
    progress(before + count, total)


def _agree(directory: Path, encoder: SentenceEncoder, options: TableOptions) -> TableMeta:
    """Take up the record of a table that is there, or begin one."""
    if options.dtype not in DTYPES:
        raise TeacherError(explain("", "dtype", " or ".join(DTYPES), options.dtype, "Choose one of them."))
    fresh = TableMeta(
        teacher=options.teacher,
        fingerprint=encoder.fingerprint,
        dim=encoder.dim,
        dtype=options.dtype,
        center=options.center,
        normalize=options.normalize,
        versions={**encoder.versions, "numpy": np.__version__},
    )
    meta = read_meta(directory)
    if meta is None:
        if any(directory.glob("keys-*.npy")):
            mend = "Choose another folder, or delete this one."
            raise TeacherError(explain(str(directory), "table", "accompanied by meta.json", "without it", mend))
        write_meta(directory, fresh)
        return fresh
    for name in ("fingerprint", "dim", "dtype", "center", "normalize"):
        if getattr(meta, name) != getattr(fresh, name):
            mend = "Give the options that the table was made with, or another --output."
            raise TeacherError(
                explain(f"{directory}/meta.json", name, repr(getattr(meta, name)), getattr(fresh, name), mend)
            )
    return meta


def _missing_in_order(directory: Path, texts: list[str]) -> list[str]:
    """Keep the texts that no shard has, short ones first so that a batch pads little."""
    shards = list_shards(directory)
    if shards:
        index = KeyIndex(np.concatenate([read_array(shard.keys) for shard in shards]))
        rows = index.find(hash_texts(texts))
        texts = [text for text, row in zip(texts, rows, strict=True) if row < 0]
    return sorted(texts, key=lambda text: (len(text), text))


def _encode(
    texts: list[str], encoder: SentenceEncoder, options: TableOptions, progress: Callable[[int], None]
) -> np.ndarray:
    """Embed one shard, (N, D) in the table's dtype."""
    vectors = np.empty((len(texts), encoder.dim), dtype=options.dtype)
    for start in range(0, len(texts), options.batch_size):
        batch = texts[start : start + options.batch_size]
        stop = start + len(batch)
        with np.errstate(over="ignore"):  # told below, with the text
            vectors[start:stop] = encoder.encode(batch)
        finite = np.isfinite(vectors[start:stop]).all(axis=1)
        if not finite.all():
            text = batch[int(np.argmin(finite))]
            mend = "Use --dtype float32, or leave this text out."
            raise TeacherError(explain(f"text {text!r}", "embedding", f"finite in {options.dtype}", "not", mend))
        progress(stop)
    return vectors


def _finish(directory: Path, meta: TableMeta, texts: Mapping[str, bool]) -> TableMeta:
    """Take the mean where the table has none yet, and mark the table complete."""
    if meta.center and not (directory / "mean.npy").exists():
        total, count = _sum_training(directory, meta.dim, [text for text, is_training in texts.items() if is_training])
        if not count:
            mend = "Give a training manifest: a file called train*.tsv, or one with a column `split`."
            raise TeacherError(explain("", "training texts to centre on", "at least one", 0, mend))
        meta.mean_texts = count
        write_meta(directory, meta)
        write_array(directory / "mean.npy", (total / count).astype(np.float32))
    elif meta.center:
        logger.info("the mean of %d training texts stays as recorded", meta.mean_texts)
    rows = sum(len(read_array(shard.keys)) for shard in list_shards(directory))
    if not meta.complete or meta.texts != rows:
        meta.texts, meta.complete = rows, True
        write_meta(directory, meta)
    return meta


def _sum_training(directory: Path, dim: int, training: Iterable[str]) -> tuple[np.ndarray, int]:
    """Sum the vectors of training texts in float64, shard by shard, so that the order of the input does not matter."""
    wanted = KeyIndex(np.unique(hash_texts(training), axis=0))
    total, count = np.zeros(dim, dtype=np.float64), 0
    for shard in list_shards(directory):
        chosen = wanted.find(read_array(shard.keys)) >= 0
        total += read_array(shard.vectors)[chosen].astype(np.float64).sum(axis=0)
        count += int(chosen.sum())
    return total, count
