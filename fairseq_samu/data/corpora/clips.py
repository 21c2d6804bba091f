"""Recordings that a corpus holds as one file an utterance: measured on several threads, named in place or copied."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

from fairseq_samu.data.audio import audio_samples
from fairseq_samu.data.corpora.writer import CorpusWriter
from fairseq_samu.errors import AudioError

_CHUNK = 1024

Thing = TypeVar("Thing")
Result = TypeVar("Result")


def map_threads(
    work: Callable[[Thing], Result], things: Iterator[Thing], workers: int, ahead: int = _CHUNK
) -> Iterator[tuple[Thing, Result]]:
    """Work on things on several threads, some at a time.

    Args:
        work: what is done with each.
        things: read as they are needed.
        workers: number of threads.
        ahead: how many results may wait in memory.

    Yields:
        Each thing and its result, in the order of the things.
    """
    with ThreadPoolExecutor(max(1, workers)) as pool:
        while chunk := list(islice(things, ahead)):
            yield from zip(chunk, pool.map(work, chunk), strict=True)


def measure_clip(path: Path, where: str) -> int | AudioError:
    """Count the samples at 16 kHz of a recording by decoding it, or say why that fails."""
    try:
        return audio_samples(str(path), where=where, decode=True)
    except AudioError as error:
        return error


def place_clip(writer: CorpusWriter, path: Path, name: str, absolute: bool) -> str:
    """Name a recording as manifests do: where it lies, or in the archive where the output has one.

    Args:
        writer: takes a copy where it has an archive.
        path: the recording.
        name: path inside the archive, without suffix.
        absolute: by its absolute path, not relative to the output.

    Returns:
        Value of the column ``audio``.
    """
    if writer.zip is not None:
        return writer.zip.add(f"{name}{path.suffix}", path.read_bytes())
    return str(path.resolve()) if absolute else os.path.relpath(path, writer.output)
