"""Raw G.722 (16 kHz speech in 64 kbit/s, no header), which libsndfile cannot read: decoded by ffmpeg."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fairseq_samu.errors import AudioError

_BATCH = 40  # files a process: starting one costs more than decoding a prompt


def has_ffmpeg() -> bool:
    """Whether the program ``ffmpeg`` can be started."""
    return shutil.which("ffmpeg") is not None


def decode_g722(paths: Sequence[Path]) -> Iterator[np.ndarray | AudioError]:
    """Decode raw G.722 files.

    Args:
        paths: the files.

    Yields:
        For each file its samples (N,) float32 in [-1, 1], 16 kHz, or why it has none.
    """
    for start in range(0, len(paths), _BATCH):
        batch = paths[start : start + _BATCH]
        waves = _decode_batch(batch)
        # One bad file fails its whole batch, so that a failed batch goes file by file.
        yield from waves if waves is not None else (_decode_one(path) for path in batch)


def _decode_one(path: Path) -> np.ndarray | AudioError:
    waves = _decode_batch([path])
    return waves[0] if waves else AudioError(f"ffmpeg cannot decode {path.name} as G.722")


def _decode_batch(paths: Sequence[Path]) -> list[np.ndarray] | None:
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder, f"{at}.raw") for at in range(len(paths))]
        command: list[str | Path] = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1"]
        for path in paths:
            command += ["-f", "g722", "-i", path]
        for at, output in enumerate(outputs):
            command += ["-map", f"{at}:a", "-f", "s16le", "-ac", "1", "-ar", "16000", output]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode or any(output.stat().st_size == 0 for output in outputs):
            return None
        return [np.fromfile(output, "<i2").astype(np.float32) / 32768 for output in outputs]
