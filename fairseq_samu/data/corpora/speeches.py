"""Long recordings of any kind, decoded once and cut into segments."""

import io
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from fairseq_samu.data.audio import SAMPLE_RATE, read_audio
from fairseq_samu.errors import AudioError

Times = tuple[float, float]
"""Start and end in seconds."""

END_SLACK = 0.5
"""Seconds by which a segment may end behind its recording: it is cut there."""

_BY_FFMPEG = (".m4a", ".mp4", ".aac")
_BY_LIBSNDFILE = (".wav", ".flac", ".ogg", ".mp3")


def find_speech(folder: Path, name: str) -> Path | None:
    """Find a recording by its name without suffix: one that libsndfile reads before one that needs ffmpeg."""
    paths = (folder / f"{name}{suffix}" for suffix in _BY_LIBSNDFILE + _BY_FFMPEG)
    return next((path for path in paths if path.exists()), None)


def needs_ffmpeg(path: Path) -> bool:
    """Whether libsndfile does not read a recording of this suffix."""
    return path.suffix in _BY_FFMPEG


def decode_speech(path: Path, channel: int | None = None) -> np.ndarray:
    """Decode a recording to 16 kHz mono.

    Args:
        path: of any kind that libsndfile or, by its suffix, ffmpeg decodes.
        channel: of this one alone, counted from 0; None averages all of them.

    Returns:
        Samples (N,) float32, full scale 1.

    Raises:
        AudioError: where it cannot be decoded to its end.
    """
    if not needs_ffmpeg(path):
        return read_audio(str(path), channel=channel)
    command = ["ffmpeg", "-nostdin", "-v", "error", "-xerror", "-threads", "1", "-i", str(path)]
    mono = ["-ac", "1"] if channel is None else ["-af", f"pan=mono|c0=c{channel}"]
    command += ["-map", "0:a:0", "-f", "s16le", *mono, "-ar", str(SAMPLE_RATE), "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode or len(done.stdout) < 2:
        lines = done.stderr.decode("utf-8", "replace").replace(str(path), path.name).strip().splitlines()
        raise AudioError(f"ffmpeg cannot decode {path.name}: {lines[-1] if lines else 'no sound'}")
    return np.frombuffer(done.stdout, "<i2").astype(np.float32) / 32768


def cut_speech(path: Path, times: Sequence[Times], channel: int | None = None) -> list[bytes | AudioError]:
    """Decode a recording once and encode some of its segments as FLAC (16 bits, 16 kHz).

    Args:
        path: the recording.
        times: of each segment.
        channel: as for :func:`decode_speech`.

    Returns:
        For each segment its file, or why there is none.
    """
    try:
        wave = decode_speech(path, channel)
    except AudioError as error:
        return [error] * len(times)
    return [_encode(wave, start, end, path.name) for start, end in times]


def _encode(wave: np.ndarray, start: float, end: float, name: str) -> bytes | AudioError:
    seconds = len(wave) / SAMPLE_RATE
    if end > seconds + END_SLACK:
        return AudioError(f"{name} has {seconds:.2f} s, the segment ends at {end:.2f} s")
    buffer = io.BytesIO()
    part = np.clip(wave[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)], -1.0, 32767 / 32768)
    soundfile.write(buffer, part, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
