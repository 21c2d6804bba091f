"""Recordings on their way into a model: read, cut at pauses, and batched by length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairseq_samu.data.audio import SAMPLE_RATE, read_audio
from fairseq_samu.data.collate import pad
from fairseq_samu.errors import AudioError, explain
from fairseq_samu.inference.segmentation import Segment, segment_wave

# A path, an archive spec, or samples at 16 kHz.
Recording = Union[str, Path, NDArray[np.float32], Tensor]

RECORDINGS_AT_ONCE = 256  # are held in memory, and sorted by length together


@dataclass(frozen=True)
class Piece:
    """A segment of a recording.

    Attributes:
        recording: index of the recording.
        segment: where in the recording it stands.
        wave: (N,) its samples at 16 kHz.
    """

    recording: int
    segment: Segment
    wave: NDArray[np.float32]


@dataclass(frozen=True)
class Batching:
    """How recordings are read, cut and batched.

    Attributes:
        batch_seconds: audio in one batch, with padding, in seconds.
        max_seconds: longest segment, in seconds.
        root: folder that relative paths start from.
    """

    batch_seconds: float = 60.0
    max_seconds: float = 20.0
    root: str | Path | None = None


def list_recordings(recordings: Sequence[Recording] | Recording) -> list[Recording]:
    """Take one recording alone as a list of one; a two-dimensional array is a list of its rows."""
    if isinstance(recordings, (str, Path)):
        return [recordings]
    if isinstance(recordings, (np.ndarray, Tensor)) and recordings.ndim == 1:
        return [recordings]
    return list(recordings)


def batch_recordings(recordings: Sequence[Recording], batching: Batching) -> Iterator[list[Piece]]:
    """Read recordings, cut those that are long at pauses, and group segments of like length.

    Args:
        recordings: paths, archive specs or samples.
        batching: lengths, and where relative paths start.

    Yields:
        Segments that make a padded batch of at most ``batch_seconds``, or one segment; each segment once, in no
        particular order.

    Raises:
        AudioError: naming the recording, when one cannot be read or holds no samples.
    """
    for first in range(0, len(recordings), RECORDINGS_AT_ONCE):
        pieces: list[Piece] = []
        for index in range(first, min(first + RECORDINGS_AT_ONCE, len(recordings))):
            wave = read_recording(recordings[index], index, batching.root)
            for segment in segment_wave(wave, batching.max_seconds, min(1.0, batching.max_seconds / 4)):
                pieces.append(Piece(index, segment, wave[segment.start : segment.end]))
        yield from _batches(pieces, int(batching.batch_seconds * SAMPLE_RATE))


def pad_pieces(pieces: Sequence[Piece], device: torch.device) -> tuple[Tensor, Tensor]:
    """Pad segments to a batch.

    Returns:
        (B, N) float32 waves and their (B, N) mask, True = padding, on ``device``.
    """
    source, padding_mask = pad([piece.wave for piece in pieces])
    return source.to(device), padding_mask.to(device)


def read_recording(recording: Recording, index: int, root: str | Path | None = None) -> NDArray[np.float32]:
    """Read a recording, or check given samples.

    Args:
        recording: a path, an archive spec, or samples.
        index: number of the recording, for messages.
        root: folder that a relative path starts from.

    Returns:
        (N,) samples at 16 kHz.

    Raises:
        AudioError: it cannot be read, or is no mono wave of finite samples.
    """
    if isinstance(recording, (str, Path)):
        return read_audio(str(recording), root)
    samples = recording.detach().cpu().numpy() if isinstance(recording, Tensor) else np.asarray(recording)
    fault = None
    if samples.ndim != 1 or not len(samples):
        fault = f"an array of shape {samples.shape}"
    elif samples.dtype.kind != "f":
        fault = f"an array of {samples.dtype}"
    elif not np.isfinite(samples).all():
        fault = "an array with NaN or infinite values"
    if fault:
        mend = "Average the channels, resample to 16 kHz, and scale to [-1, 1]."
        rule = "(N,) finite float samples at 16 kHz in [-1, 1]"
        raise AudioError(explain(f"recording {index}", "samples", rule, fault, mend))
    return np.ascontiguousarray(samples, dtype=np.float32)


def _batches(pieces: list[Piece], max_samples: int) -> Iterator[list[Piece]]:
    """Group segments of like length so that a padded batch holds at most ``max_samples``, or one segment."""
    batch: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: len(piece.wave), reverse=True):
        # Longest first: the first of a batch tells how long its padded rows are.
        if batch and (len(batch) + 1) * len(batch[0].wave) > max_samples:
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch
