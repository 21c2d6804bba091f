"""Recordings of any common kind to 16 kHz mono, each fault named with the row that it belongs to.

WAV, FLAC, Ogg (Vorbis, Opus) and MP3 are decoded by libsndfile, every file at its own rate and number of channels;
channels are averaged, then resampled by soxr (quality HQ). Of a part of a longer recording nothing but the part is
decoded, and it sounds as if it had been cut into a file of its own. Each call opens and closes its file, so data
workers share nothing.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from fairseq_samu.data.audio_decoding import SAMPLE_RATE, check_length, mono_blocks, open_sound, resampled_length
from fairseq_samu.data.audio_source import AudioSource, Fail, parse_audio_spec, read_encoded

if TYPE_CHECKING:
    import numpy as np

__all__ = ["SAMPLE_RATE", "audio_samples", "parse_audio_spec", "read_audio", "read_audio_bytes", "resampled_length"]


def read_audio_bytes(spec: str, root: Path | str | None = None, where: str = "") -> bytes:
    """Read the encoded bytes of a recording, such as a page plays.

    Args:
        spec: as for ``read_audio``.
        root: folder that a relative path starts from.
        where: the row, such as ``train.tsv:17``; opens the message of an error.

    Returns:
        The bytes as they lie in the file; a part of a recording becomes a FLAC file of its own (mono, 16 bits, the
        recording's own rate).

    Raises:
        AudioError: there is no such file, the range lies outside of it, or it is empty; for a part, as ``read_audio``.
    """
    fail, source = Fail(spec, where), parse_audio_spec(spec, root)
    if source.sample_range is not None:
        return _encode_part(source, root, fail)
    return read_encoded(source, root, fail)


def _encode_part(source: AudioSource, root: Path | str | None, fail: Fail) -> bytes:
    """Decode a part of a recording and encode it as FLAC."""
    import numpy as np
    import soundfile

    with open_sound(source, root, fail) as sound:
        wave, rate = np.concatenate(list(mono_blocks(sound, fail))), sound.file.samplerate
    stream = io.BytesIO()
    soundfile.write(stream, np.clip(wave, -1.0, 32767 / 32768), rate, format="FLAC", subtype="PCM_16")
    return stream.getvalue()


def read_audio(
    spec: str, root: Path | str | None = None, where: str = "", channel: Optional[int] = None
) -> "np.ndarray":
    """Read a recording as 16 kHz mono.

    Args:
        spec: a path; ``archive.zip:offset:length`` for bytes inside an archive that stores without compression; or
            ``talk.wav:offset:length`` for samples of a longer recording, counted at its own rate.
        root: folder that a relative path starts from.
        where: the row, such as ``train.tsv:17``; opens the message of an error.
        channel: read this one alone, counted from 0; None averages all of them.

    Returns:
        Samples (N,) float32, full scale 1.0, N = ``resampled_length`` of what the file or the part holds. Integer
        formats lie in [-1, 1); floating-point formats are taken as they are.

    Raises:
        AudioError: the recording is missing, no audio, of a format that this libsndfile lacks, cut short, empty,
            shorter than 25 ms, silent throughout, or holds NaN or infinite samples, or lacks the channel; or the
            range lies outside of it.
    """
    import numpy as np

    fail = Fail(spec, where)
    with open_sound(parse_audio_spec(spec, root), root, fail) as sound:
        blocks, rate = mono_blocks(sound, fail, channel), sound.file.samplerate
        wave = np.concatenate(list(blocks)) if rate == SAMPLE_RATE else _resample(blocks, rate)
    if not np.isfinite(wave).all():
        fail("finite numbers", "too loud to resample", "Scale it to [-1, 1].")
    return wave


def audio_samples(spec: str, root: Path | str | None = None, where: str = "", decode: bool = False) -> int:
    """Count the samples that ``read_audio`` would give, without keeping or resampling them.

    Args:
        spec: as for ``read_audio``.
        root: as for ``read_audio``.
        where: as for ``read_audio``.
        decode: also decode all of it, and so find every fault that ``read_audio`` finds. Without it the header is
            believed, except for MP3, whose header may only estimate.

    Returns:
        Number of samples at 16 kHz.

    Raises:
        AudioError: as ``read_audio``; without ``decode`` only for what the container shows.
    """
    fail = Fail(spec, where)
    with open_sound(parse_audio_spec(spec, root), root, fail) as sound:
        if decode or sound.kind == "MP3" or sound.declared is None:
            frames = sum(len(block) for block in mono_blocks(sound, fail))
        else:
            frames = sound.declared
        check_length(frames, sound.file.samplerate, fail)
        return resampled_length(frames, sound.file.samplerate)


def _resample(blocks: "Iterator[np.ndarray]", rate: int) -> "np.ndarray":
    """Bring blocks at ``rate`` Hz to one array at 16 kHz, of exactly ``resampled_length`` samples."""
    import numpy as np
    import soxr

    stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
    frames, pieces = 0, []
    for block in blocks:
        frames += len(block)
        pieces.append(stream.resample_chunk(block))
    pieces.append(stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True))
    wave, length = np.concatenate(pieces), resampled_length(frames, rate)
    # Every version tried gives that length; another may not be allowed to move a row's n_frames.
    return wave if len(wave) == length else np.pad(wave[:length], (0, max(0, length - len(wave))))
