"""Decoding of a recording, or of a part of one, to blocks of one channel at its own rate, with every fault named."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Optional

from fairseq_samu.data.audio_format import cut_short, missing_formats, sniff
from fairseq_samu.data.audio_source import AudioSource, Fail, opened

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
_MP3_RUN_UP = 16 * 1152  # samples decoded before a part: a frame may draw on the bits of those before it
_UNKNOWN = 1 << 48  # a FLAC file that was streamed declares no length: libsndfile then gives its greatest number


def resampled_length(num_samples: int, rate: int) -> int:
    """Length at 16 kHz of a recording: ``num_samples * 16000 / rate``, rounded half up.

    Args:
        num_samples: samples of one channel at ``rate``.
        rate: Hz.

    Returns:
        Exactly the length that ``read_audio`` gives.
    """
    return (2 * num_samples * SAMPLE_RATE + rate) // (2 * rate)


class Sound(NamedTuple):
    """A recording that is open for decoding.

    Args:
        file: soundfile's object, at the first sample that is wanted.
        kind: of the container.
        part: offset and length in samples, where not all of it is wanted.
    """

    file: Any
    kind: str
    part: Optional[tuple[int, int]]

    @property
    def declared(self) -> Optional[int]:
        """Number of samples that there should be to read, or None where nothing says it."""
        if self.part is not None:
            return self.part[1]
        return int(self.file.frames) if self.file.frames < _UNKNOWN else None


@contextmanager
def open_sound(source: AudioSource, root: Path | str | None, fail: Fail) -> Iterator[Sound]:
    """Open a recording for decoding, at the first sample that is wanted.

    Args:
        source: where it lies.
        root: folder that a relative path started from.
        fail: words and raises what is at fault.

    Yields:
        The open recording.

    Raises:
        AudioError: it is missing, no audio, of a format that this libsndfile lacks or of an absurd rate; a whole one is
            cut short, a part lies outside of its recording; or decoding fails, also while it is open.
    """
    import soundfile

    try:
        with opened(source, root, fail) as (stream, size):
            at_once = source.sample_range is None and (source.byte_range is not None or size <= _WHOLE_FILE)
            encoded = io.BytesIO(stream.read(size)) if at_once else stream
            kind = sniff(encoded.read(64))
            encoded.seek(0)
            # The end of a talk is no business of its parts: what they need of it is found to be there or not.
            missing = "" if source.sample_range else cut_short(encoded, kind)
            if missing:
                fail("a whole recording", f"{kind} cut short: {missing}", "Copy or convert it again.")
            try:
                file = soundfile.SoundFile(encoded)
            except (RuntimeError, TypeError) as error:  # soundfile asks for a rate where it takes a file for headerless
                _unreadable(kind, source, soundfile.__libsndfile_version__, fail, error)
            with file:
                if not _RATES[0] <= file.samplerate <= _RATES[1]:
                    fail(f"sound of {_RATES[0]} to {_RATES[1]} Hz", f"{file.samplerate} Hz", "Convert it again.")
                sound = Sound(file, kind, source.sample_range)
                _go_to_part(sound, fail)
                yield sound
    except (RuntimeError, OSError) as error:
        fail("decodable throughout", str(error).strip().rstrip("."), "Copy or convert it again.", error)


def _go_to_part(sound: Sound, fail: Fail) -> None:
    """Seek to the first sample of a part, which must lie inside its recording, and forbid all further seeking."""
    run_up = 0
    if sound.part is not None:
        offset, length = sound.part
        if length == 0 or offset + length > sound.file.frames:
            _outside(sound, sound.file.frames, fail)
        run_up = min(offset, _MP3_RUN_UP) if sound.kind == "MP3" else 0
        sound.file.seek(offset - run_up)
    # soundfile would seek after each read; streamed FLAC refuses that, MP3 and Opus restart their decoders.
    sound.file.seekable = lambda: False
    sound.file.read(run_up)


def _outside(sound: Sound, frames: int, fail: Fail) -> NoReturn:
    offset, length = sound.part or (0, 0)
    rule = f"a range inside the {frames} samples (at {sound.file.samplerate} Hz) of the recording"
    fail(rule, f"{offset}:{length}", "Copy the recording again if it was cut short, or prepare the corpus again.")


def _unreadable(kind: str, source: AudioSource, version: str, fail: Fail, error: BaseException) -> NoReturn:
    """Say why libsndfile would not open a recording."""
    if kind in missing_formats(version):
        fail("of a format that libsndfile decodes", f"{kind} (libsndfile {version})", _NEWER[kind], error)
    mend = "Convert it to WAV, FLAC, Ogg or MP3."
    if source.byte_range is not None:
        mend = "The range must be exactly a file that the archive stores without compression (zip -0)."
    fail("a readable recording", kind, mend, error)


_NEWER = {
    "Ogg Opus": "Opus needs libsndfile 1.0.29 or later: pip install --upgrade soundfile, or convert to FLAC.",
    "MP3": "MP3 needs libsndfile 1.1.0 or later: pip install --upgrade soundfile, or convert to FLAC.",
}


def mono_blocks(sound: Sound, fail: Fail, channel: Optional[int] = None) -> "Iterator[np.ndarray]":
    """Decode, and at the end check what can only be said of the whole.

    Args:
        sound: open at its first sample.
        fail: words and raises what is at fault.
        channel: decode this one alone, counted from 0; None averages all of them.

    Yields:
        Blocks (N,) float32 at the recording's own rate.

    Raises:
        AudioError: it is cut short, too short, silent throughout, holds NaN or infinite samples, or lacks the channel.
    """
    import numpy as np

    file = sound.file
    if channel is not None and channel >= file.channels:
        fail(f"of at least {channel + 1} channels", file.channels, "Take the recording as it was published.")
    frames, peak = 0, 0.0
    while len(block := file.read(_block_size(sound, frames), "float32", always_2d=True)):
        # Channels that are absurdly loud may overflow in the mean; the check below names that.
        with np.errstate(over="ignore", invalid="ignore"):
            single = 0 if file.channels == 1 else channel
            mono = block.mean(axis=1) if single is None else block[:, single]
        top = max(float(mono.max()), -float(mono.min()))
        if not np.isfinite(top):
            at = frames + int(np.argmin(np.isfinite(mono)))
            value = f"NaN or infinite at {at / file.samplerate:.3f} s"
            fail("finite numbers throughout", value, "Convert it again or remove the row.")
        frames, peak = frames + len(mono), max(peak, top)
        yield mono
    _check_end(sound, frames, peak, fail)


def _block_size(sound: Sound, done: int) -> int:
    """Samples of a channel to decode next."""
    most = max(1, _BLOCK // sound.file.channels)
    if sound.part is not None:
        return min(most, sound.part[1] - done)
    # A header may declare too few samples, so one read goes beyond.
    return int(min(most, max(4096, sound.file.frames - done)))


def _check_end(sound: Sound, frames: int, peak: float, fail: Fail) -> None:
    """Refuse what turned out to be shorter than declared, too short, or silent."""
    if sound.part is not None and frames < sound.part[1]:
        _outside(sound, sound.part[0] + frames, fail)
    declared = frames if sound.declared is None else sound.declared
    if frames < declared - (_MP3_SLACK if sound.kind == "MP3" else 0):
        value = f"{sound.kind} cut short: {frames} of {declared} samples"
        fail("a whole recording", value, "Copy or convert it again.")
    check_length(frames, sound.file.samplerate, fail)
    if peak < SILENCE_PEAK:
        fail("audible somewhere", "silent throughout", "Remove the row or record it again.")


def check_length(frames: int, rate: int, fail: Fail) -> None:
    """Refuse a recording that is too short for an encoder.

    Args:
        frames: samples of one channel at ``rate``.
        rate: Hz.
        fail: words and raises what is at fault.
    """
    if resampled_length(frames, rate) < MIN_SAMPLES:
        value = f"{frames / rate * 1000:.1f} ms" if frames else "empty"
        fail(f"at least {MIN_SAMPLES * 1000 // SAMPLE_RATE} ms long", value, "Remove the row.")
