"""A store of a frozen encoder's frames on disk, so that training on it costs no more than its head."""

import fcntl
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.data.batching import make_batches
from fairseq_samu.errors import ConfigError, explain

logger = logging.getLogger(__name__)

BYTES_PER_VALUE = 2
Encode = Callable[[list[NDArray[np.float32]]], list[NDArray[np.floating[Any]]]]


def audio_key(identity: bytes, speed: float) -> str:
    """Key of a recording at a speed: the same bytes have the same frames wherever they lie.

    Args:
        identity: what tells it from all others, as ``audio_source.identify_audio`` gives it.
        speed: factor of the speed perturbation, 1 for none.

    Returns:
        32 hexadecimal digits, and the speed where it is not 1.
    """
    digest = hashlib.blake2b(identity, digest_size=16).hexdigest()
    return digest if speed == 1.0 else f"{digest}@{speed:g}"


class FeatureCache:
    """Frames by key, in one data file and one index beside it.

    Frames are appended first and named in the index afterwards, so that a writer killed at any time leaves a cache
    that misses rows but holds none that are wrong. One process writes at a time.

    Args:
        folder: parent of all caches; the one of this encoder lies below it, named by fingerprint.
        fingerprint: of the encoder's weights and sizes.
        dim: D, size of a frame; stored as float16.
    """

    def __init__(self, folder: str | Path, fingerprint: str, dim: int) -> None:
        self.folder = Path(folder) / fingerprint[:24]
        self.dim = dim
        self._frame_bytes = dim * BYTES_PER_VALUE
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            mend = "Choose a folder that can be written."
            raise ConfigError(explain("", "feature_cache", "a writable folder", folder, mend)) from error
        self._data_path = self.folder / "frames.f16"
        self._index_path = self.folder / "index.tsv"
        self._data_path.touch()
        self._index_path.touch()
        self._places: dict[str, tuple[int, int]] = {}
        self._map: NDArray[np.float16] | None = None
        self.refresh()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __getstate__(self) -> dict[str, Any]:
        # a data worker maps the file itself
        return {**self.__dict__, "_map": None}

    def refresh(self) -> None:
        """Read the index again; a last line that a kill cut short is ignored."""
        size = self._data_path.stat().st_size // self._frame_bytes
        places = {}
        for line in self._index_path.read_text("ascii", errors="replace").splitlines(keepends=True):
            fields = line.rstrip("\n").split("\t")
            if not line.endswith("\n") or len(fields) != 3 or not (fields[1] + fields[2]).isdigit():
                continue
            start, length = int(fields[1]), int(fields[2])
            if start + length <= size:
                places[fields[0]] = (start, length)
        self._places = places
        self._map = None

    def get(self, key: str) -> NDArray[np.float16]:
        """Frames (T, D) of a key, mapped from disk.

        Raises:
            KeyError: the key was never written.
        """
        start, length = self._places[key]
        if self._map is None:
            flat: NDArray[np.float16] = np.memmap(self._data_path, dtype=np.float16, mode="r")
            usable = len(flat) // self.dim
            self._map = flat[: usable * self.dim].reshape(usable, self.dim)
        return self._map[start : start + length]

    @property
    def build_seconds(self) -> float:
        """Seconds that all building of this cache has taken so far, interrupted runs included."""
        path = self.folder / "build.jsonl"
        return sum(json.loads(line)["seconds"] for line in path.read_text().splitlines()) if path.exists() else 0.0

    def build(
        self,
        wanted: Sequence[tuple[str, int]],
        read: Callable[[int], NDArray[np.float32] | None],
        encode: Encode,
        batch_samples: int,
    ) -> float:
        """Write the frames of all wanted keys that are missing.

        Args:
            wanted: key of each recording and its number of samples (for batching); position = argument of ``read``.
            read: gives the wave (N,) of a position, or None where it cannot be used.
            encode: turns waves into frames (T, D).
            batch_samples: most samples of a batch, padding included.

        Returns:
            Seconds spent.
        """
        with self._writing():
            self.refresh()
            seen = set(self._places)
            missing = []
            for position, (key, _) in enumerate(wanted):
                if key not in seen:
                    seen.add(key)
                    missing.append(position)
            started = time.monotonic()
            if missing:
                try:
                    self._append_all(wanted, missing, read, encode, batch_samples)
                finally:
                    self._note_build(len(missing), time.monotonic() - started)
            self.refresh()
        return time.monotonic() - started

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the cache's lock: a second process waits, then finds the work done."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _append_all(
        self,
        wanted: Sequence[tuple[str, int]],
        missing: list[int],
        read: Callable[[int], NDArray[np.float32] | None],
        encode: Encode,
        batch_samples: int,
    ) -> None:
        missing.sort(key=lambda position: wanted[position][1])
        batches = make_batches(missing, [wanted[position][1] for position in missing], batch_samples, None)
        done, last_told = 0, time.monotonic()
        # bytes behind the last whole frame are a killed writer's: the next frame starts on a frame's boundary
        size = self._data_path.stat().st_size // self._frame_bytes
        with self._data_path.open("r+b") as data, self._index_path.open("r+b") as index:
            data.truncate(size * self._frame_bytes)
            data.seek(0, 2)
            _end_last_line(index)
            for batch in batches:
                read_waves = [(position, read(position)) for position in batch]
                waves = [(position, wave) for position, wave in read_waves if wave is not None]
                frames = encode([wave for _, wave in waves]) if waves else []
                lines = []
                for (position, _), rows in zip(waves, frames, strict=True):
                    data.write(np.ascontiguousarray(rows, dtype=np.float16).tobytes())
                    lines.append(f"{wanted[position][0]}\t{size}\t{len(rows)}\n")
                    size += len(rows)
                data.flush()
                index.write("".join(lines).encode("ascii"))
                index.flush()
                done += len(batch)
                if time.monotonic() - last_told > 10:
                    last_told = time.monotonic()
                    logger.info(f"feature cache: {done} of {len(missing)} recordings encoded")

    def _note_build(self, count: int, seconds: float) -> None:
        with (self.folder / "build.jsonl").open("a") as file:
            file.write(json.dumps({"recordings": count, "seconds": round(seconds, 6)}) + "\n")


def _end_last_line(index: Any) -> None:
    """Put the writing position behind the last whole line of a binary file, closing a line that a kill cut short."""
    index.seek(0)
    whole = index.read().rfind(b"\n") + 1
    index.truncate(whole)
    index.seek(whole)
