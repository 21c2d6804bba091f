"""Recordings of any common kind to 16 kHz mono, each fault named with the row that it belongs to.

WAV, FLAC, Ogg (Vorbis, Opus) and MP3 are decoded by libsndfile, every file at its own rate and number of channels;
channels are averaged, then resampled by soxr (quality HQ). Each call opens and closes its file, so data workers share
nothing.
"""

import io
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, NoReturn, Optional

from fairseq_samu.data.audio_format import cut_short, missing_formats, sniff
from fairseq_samu.errors import AudioError, explain

if TYPE_CHECKING:
    import numpy as np

SAMPLE_RATE = 16000
"""Hz; what every speech encoder of the package takes."""

MIN_SAMPLES = 400
"""25 ms at 16 kHz: the first frame of a wav2vec 2.0 encoder sees this many samples."""

SILENCE_PEAK = 2.0**-16
"""Half a step of 16-bit sound: what stays below it everywhere is silence."""

_RATES = (1000, 768000)
_BLOCK = 1 << 22  # samples of all channels decoded at once: 16 MiB
_WHOLE_FILE = 1 << 26  # bytes up to which a file is read at once; libsndfile reads longer ones piece by piece
_MP3_SLACK = 1152  # samples; players count the frame of an Info header differently
_SLICE = re.compile(r"(.+):(\d{1,18}):(\d{1,18})", re.DOTALL)


class AudioSource(NamedTuple):
    """Where the encoded bytes of a recording lie.

    Args:
        path: the file, or the archive that holds it uncompressed.
        offset: first byte inside an archive; None for a file of its own.
        length: number of bytes inside an archive; None for a file of its own.
    """

    path: Path
    offset: Optional[int]
    length: Optional[int]


def parse_audio_spec(spec: str, root: Path | str | None = None) -> AudioSource:
    """Split ``path`` or ``archive.zip:offset:length``; a relative path is taken from ``root``."""
    match = _SLICE.fullmatch(spec)
    path, offset, length = (match[1], int(match[2]), int(match[3])) if match else (spec, None, None)
    return AudioSource(Path(root or "", path), offset, length)


def resampled_length(num_samples: int, rate: int) -> int:
    """Length at 16 kHz of a recording: ``num_samples * 16000 / rate``, rounded half up.

    Args:
        num_samples: samples of one channel at ``rate``.
        rate: Hz.

    Returns:
        Exactly the length that ``read_audio`` gives.
    """
    return (2 * num_samples * SAMPLE_RATE + rate) // (2 * rate)


def read_audio_bytes(spec: str, root: Path | str | None = None, where: str = "") -> bytes:
    """Read the encoded bytes of a recording, such as a cache takes its key from.

    Args:
        spec: a path, or ``archive.zip:offset:length`` for bytes inside an archive that stores without compression.
        root: folder that a relative path starts from.
        where: the row, such as ``train.tsv:17``; opens the message of an error.

    Returns:
        The bytes as they lie in the file.

    Raises:
        AudioError: there is no such file, the range lies outside of it, or it is empty.
    """
    fail = _Fail(spec, where)
    with _opened(spec, root, fail) as (stream, size):
        data = stream.read(size)
    if len(data) < size:
        fail("readable to its end", f"{len(data)} of {size} bytes", "Copy the file again.")
    return data


def read_audio(
    spec: str, root: Path | str | None = None, where: str = "", channel: Optional[int] = None
) -> "np.ndarray":
    """Read a recording as 16 kHz mono.

    Args:
        spec: a path, or ``archive.zip:offset:length`` for bytes inside an archive that stores without compression.
        root: folder that a relative path starts from.
        where: the row, such as ``train.tsv:17``; opens the message of an error.
        channel: read this one alone, counted from 0; None averages all of them.

    Returns:
        Samples (N,) float32, full scale 1.0, N = ``resampled_length`` of what the file holds. Integer formats lie in
        [-1, 1); floating-point formats are taken as they are.

    Raises:
        AudioError: the recording is missing, no audio, of a format that this libsndfile lacks, cut short, empty,
            shorter than ``MIN_SAMPLES``, silent throughout, or holds NaN or infinite samples, or lacks the channel.
    """
    import numpy as np

    fail = _Fail(spec, where)
    with _decoder(spec, root, fail) as (sound, kind):
        blocks, rate = _mono_blocks(sound, kind, fail, channel), sound.samplerate
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
    fail = _Fail(spec, where)
    with _decoder(spec, root, fail) as (sound, kind):
        # A FLAC file that was streamed declares no length: libsndfile then gives the greatest number it has.
        if decode or kind == "MP3" or sound.frames >= 1 << 48:
            frames = sum(len(block) for block in _mono_blocks(sound, kind, fail))
        else:
            frames = sound.frames
        _check_length(frames, sound.samplerate, fail)
        return resampled_length(frames, sound.samplerate)


class _Fail:
    """Raises an AudioError that names the row and the recording."""

    def __init__(self, spec: str, where: str) -> None:
        self.spec = spec if spec.isprintable() else ascii(spec)
        self.where = where

    def __call__(self, rule: str, value: object, mend: str, cause: Optional[BaseException] = None) -> NoReturn:
        raise AudioError(explain(self.where, self.spec[:300], rule, value, mend)) from cause


@contextmanager
def _opened(spec: str, root: Path | str | None, fail: _Fail) -> Iterator[tuple[BinaryIO, int]]:
    """Open the file at the start of the recording; gives the stream and the number of its bytes."""
    source = parse_audio_spec(spec, root)
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
        if source.offset is not None and source.length is not None:
            if source.length == 0 or source.offset + source.length > size:
                rule = f"a range inside the {size} bytes of the archive"
                fail(rule, f"{source.offset}:{source.length}", "Make archive and manifest anew, together.")
            stream.seek(source.offset)
            size = source.length
        if size == 0:
            fail("a recording", "an empty file", "Copy the file again or remove the row.")
        yield stream, size


@contextmanager
def _decoder(spec: str, root: Path | str | None, fail: _Fail) -> Iterator[tuple[Any, str]]:
    """Open a recording for decoding; gives soundfile's object and the kind of the container."""
    import soundfile

    try:
        with _opened(spec, root, fail) as (stream, size):
            in_archive = parse_audio_spec(spec).offset is not None
            encoded = io.BytesIO(stream.read(size)) if in_archive or size <= _WHOLE_FILE else stream
            kind = sniff(encoded.read(64))
            encoded.seek(0)
            missing = cut_short(encoded, kind)
            if missing:
                fail("a whole recording", f"{kind} cut short: {missing}", "Copy or convert it again.")
            try:
                sound = soundfile.SoundFile(encoded)
            except (RuntimeError, TypeError) as error:  # soundfile asks for a rate where it takes a file for headerless
                _unreadable(kind, in_archive, soundfile.__libsndfile_version__, fail, error)
            # soundfile would seek after every read; streamed FLAC refuses that, MP3 and Opus restart their decoders.
            sound.seekable = lambda: False
            with sound:
                if not _RATES[0] <= sound.samplerate <= _RATES[1]:
                    fail(f"sound of {_RATES[0]} to {_RATES[1]} Hz", f"{sound.samplerate} Hz", "Convert it again.")
                yield sound, kind
    except (RuntimeError, OSError) as error:
        fail("decodable throughout", str(error).strip().rstrip("."), "Copy or convert it again.", error)


def _unreadable(kind: str, in_archive: bool, version: str, fail: _Fail, error: BaseException) -> NoReturn:
    """Say why libsndfile would not open a recording."""
    if kind in missing_formats(version):
        fail("of a format that libsndfile decodes", f"{kind} (libsndfile {version})", _NEWER[kind], error)
    mend = "Convert it to WAV, FLAC, Ogg or MP3."
    if in_archive:
        mend = "The range must be exactly a file that the archive stores without compression (zip -0)."
    fail("a readable recording", kind, mend, error)


_NEWER = {
    "Ogg Opus": "Opus needs libsndfile 1.0.29 or later: pip install --upgrade soundfile, or convert to FLAC.",
    "MP3": "MP3 needs libsndfile 1.1.0 or later: pip install --upgrade soundfile, or convert to FLAC.",
}


def _mono_blocks(sound: Any, kind: str, fail: _Fail, channel: Optional[int] = None) -> "Iterator[np.ndarray]":
    """Decode to blocks (N,) float32 of one channel; at the end check what can only be said of the whole."""
    import numpy as np

    if channel is not None and channel >= sound.channels:
        fail(f"of at least {channel + 1} channels", sound.channels, "Take the recording as it was published.")
    frames, peak, per_block = 0, 0.0, max(1, _BLOCK // sound.channels)
    # A header may declare too few samples, so one read goes beyond.
    while len(block := sound.read(min(per_block, max(4096, sound.frames - frames)), "float32", always_2d=True)):
        # Channels that are absurdly loud may overflow in the mean; the check below names that.
        with np.errstate(over="ignore", invalid="ignore"):
            single = 0 if sound.channels == 1 else channel
            mono = block.mean(axis=1) if single is None else block[:, single]
        top = max(float(mono.max()), -float(mono.min()))
        if not np.isfinite(top):
            at = frames + int(np.argmin(np.isfinite(mono)))
            value = f"NaN or infinite at {at / sound.samplerate:.3f} s"
            fail("finite numbers throughout", value, "Convert it again or remove the row.")
        frames, peak = frames + len(mono), max(peak, top)
        yield mono
    declared = sound.frames if sound.frames < 1 << 48 else frames
    if frames < declared - (_MP3_SLACK if kind == "MP3" else 0):
        value = f"{kind} cut short: {frames} of {declared} samples"
        fail("a whole recording", value, "Copy or convert it again.")
    _check_length(frames, sound.samplerate, fail)
    if peak < SILENCE_PEAK:
        fail("audible somewhere", "silent throughout", "Remove the row or record it again.")


def _check_length(frames: int, rate: int, fail: _Fail) -> None:
    if resampled_length(frames, rate) < MIN_SAMPLES:
        value = f"{frames / rate * 1000:.1f} ms" if frames else "empty"
        fail(f"at least {MIN_SAMPLES * 1000 // SAMPLE_RATE} ms long", value, "Remove the row.")


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
