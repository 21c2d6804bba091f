"""Where a recording lies: a file, the bytes of one inside an archive, or a stretch of samples of a longer recording."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn, Optional

from fairseq_samu.errors import AudioError, explain

SOUND_SUFFIXES = frozenset(
    {".wav", ".w64", ".rf64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".sph"}
)
"""A range in a file that ends so, in any case, counts samples of the recording; in any other file, bytes."""

_RANGE = re.compile(r"(.+):(\d{1,18}):(\d{1,18})", re.DOTALL)


class AudioSource(NamedTuple):
    """Where a recording lies.

    Args:
        path: the file, the archive that holds it uncompressed, or the longer recording that it is a part of.
        offset: first byte inside an archive, first sample inside a recording; None for all of a file.
        length: number of bytes inside an archive, of samples inside a recording; None for all of a file.
    """

    path: Path
    offset: Optional[int]
    length: Optional[int]

    @property
    def sample_range(self) -> Optional[tuple[int, int]]:
        """Offset and length of a part of a recording, in samples of one channel at the file's own rate, or None."""
        if self.offset is None or self.length is None or self.path.suffix.lower() not in SOUND_SUFFIXES:
            return None
        return self.offset, self.length

    @property
    def byte_range(self) -> Optional[tuple[int, int]]:
        """Offset and length of a file inside an archive, or None."""
        if self.offset is None or self.length is None or self.path.suffix.lower() in SOUND_SUFFIXES:
            return None
        return self.offset, self.length


def parse_audio_spec(spec: str, root: Path | str | None = None) -> AudioSource:
    """Split ``path``, ``archive.zip:offset:length`` (bytes) or ``talk.wav:offset:length`` (samples of the talk).

    Which of the two a range counts goes by the suffix alone, so that a manifest means the same wherever it is read.
    The host reads bytes for any name, and so agrees on archives; it knows no parts of recordings.

    Args:
        spec: value of the column ``audio``.
        root: folder that a relative path starts from.

    Returns:
        The file and the range in it.
    """
    match = _RANGE.fullmatch(spec)
    path, offset, length = (match[1], int(match[2]), int(match[3])) if match else (spec, None, None)
    return AudioSource(Path(root or "", path), offset, length)


class Fail:
    """Raises an AudioError that names the row and the recording."""

    def __init__(self, spec: str, where: str) -> None:
        self.spec = spec if spec.isprintable() else ascii(spec)
        self.where = where

    def __call__(self, rule: str, value: object, mend: str, cause: Optional[BaseException] = None) -> NoReturn:
        """See ``explain``; ``cause`` is the error behind it."""
        raise AudioError(explain(self.where, self.spec[:300], rule, value, mend)) from cause


@contextmanager
def opened(source: AudioSource, root: Path | str | None, fail: Fail) -> Iterator[tuple[BinaryIO, int]]:
    """Open the file at the first byte of the encoded recording.

    Args:
        source: as ``parse_audio_spec`` gives it.
        root: named where the file is missing.
        fail: words and raises what is at fault.

    Yields:
        The stream and the number of encoded bytes from there on; for a part of a recording, those of all of it.

    Raises:
        AudioError: there is no such file, the bytes lie outside of it, or it is empty.
    """
    try:
        status = source.path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would block for ever
            fail("a file", "a directory or device", "Name the recording itself.")
        stream = source.path.open("rb")
    except FileNotFoundError as error:
        fail("an existing file", "missing", f"Relative paths start at '{root or '.'}'.", error)
    except (OSError, ValueError) as error:
        if isinstance(error, AudioError):
            raise
        fail("a readable file", getattr(error, "strerror", None) or error, "Check the path and permissions.", error)
    with stream:
        size = status.st_size
        if source.byte_range is not None:
            offset, length = source.byte_range
            if length == 0 or offset + length > size:
                rule = f"a range inside the {size} bytes of the archive"
                fail(rule, f"{offset}:{length}", "Make archive and manifest anew, together.")
            stream.seek(offset)
            size = length
        if size == 0:
            fail("a recording", "an empty file", "Copy the file again or remove the row.")
        yield stream, size


def read_encoded(source: AudioSource, root: Path | str | None, fail: Fail) -> bytes:
    """Read the encoded bytes of a file, or of one inside an archive.

    Args:
        source: as for ``opened``.
        root: as for ``opened``.
        fail: as for ``opened``.

    Returns:
        All of them.

    Raises:
        AudioError: as ``opened``, or there are fewer than the file system says.
    """
    with opened(source, root, fail) as (stream, size):
        data = stream.read(size)
    if len(data) < size:
        fail("readable to its end", f"{len(data)} of {size} bytes", "Copy the file again.")
    return data


def identify_audio(spec: str, root: Path | str | None = None, where: str = "") -> bytes:
    """Read what tells a recording from all others, such as a cache takes its key from.

    Args:
        spec: value of the column ``audio``.
        root: folder that a relative path starts from.
        where: the row, such as ``train.tsv:17``; opens the message of an error.

    Returns:
        The encoded bytes; of a part of a recording, a digest of the whole file and the range. A file is digested once
        in a process, however many parts are asked for.

    Raises:
        AudioError: there is no such file, the bytes lie outside of it, or it is empty.
    """
    fail, source = Fail(spec, where), parse_audio_spec(spec, root)
    if source.sample_range is None:
        return read_encoded(source, root, fail)
    with opened(source, root, fail) as (stream, _):
        status = os.fstat(stream.fileno())
        digest = _digest_file(source.path, (status.st_size, status.st_mtime_ns, status.st_ino))
    return f"{digest}:{source.sample_range[0]}:{source.sample_range[1]}".encode()


@lru_cache(maxsize=1 << 16)
def _digest_file(path: Path, state: tuple[int, int, int]) -> str:
    """Digest of a file in the state of this size, time and inode."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
