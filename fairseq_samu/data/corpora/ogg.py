"""Ogg streams that are the same bytes at every encoding of the same wave."""

import io
import struct

import numpy as np
import soundfile

from fairseq_samu.errors import AudioError

SAMPLE_RATE = 16000
# Capture pattern, version, flags, granule position, serial number, sequence number, checksum, number of segments.
_HEADER = struct.Struct("<4sBBqIIIB")
_SERIAL_AT, _CHECKSUM_AT = 14, 22


def _checksum_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


_TABLE = _checksum_table()


def page_checksum(page: bytes) -> int:
    """Compute the checksum of an Ogg page (RFC 3533, section 6: CRC-32 of 0x04C11DB7, not reflected, from 0).

    Args:
        page: the page with zeros in the field of its checksum.

    Returns:
        The checksum.
    """
    value = 0
    for byte in page:
        value = ((value << 8) & 0xFFFFFFFF) ^ _TABLE[(value >> 24) ^ byte]
    return value


def fix_serial(stream: bytes, serial: int = 1) -> bytes:
    """Replace the random serial number that an encoder gives a stream, so that equal waves make equal files.

    Args:
        stream: whole Ogg file of one logical stream.
        serial: number to write into each page.

    Returns:
        The same file with another serial number and valid checksums.

    Raises:
        AudioError: where the bytes are no row of whole Ogg pages.
    """
    out = bytearray(stream)
    start = 0
    while start < len(out):
        if len(out) - start < _HEADER.size or out[start : start + 4] != b"OggS":
            raise AudioError(f"byte {start} of an encoded recording must start an Ogg page.")
        body = start + _HEADER.size + out[start + _HEADER.size - 1]
        end = body + sum(out[start + _HEADER.size : body])
        out[start + _SERIAL_AT : start + _SERIAL_AT + 4] = struct.pack("<I", serial)
        out[start + _CHECKSUM_AT : start + _CHECKSUM_AT + 4] = bytes(4)
        checksum = page_checksum(bytes(out[start:end]))
        out[start + _CHECKSUM_AT : start + _CHECKSUM_AT + 4] = struct.pack("<I", checksum)
        start = end
    return bytes(out)


def encode_opus(wave: np.ndarray, compression: float = 0.94) -> bytes:
    """Encode speech as Ogg Opus: the header of Vorbis, libsndfile's other small codec, alone outweighs a prompt.

    Args:
        wave: (N,) float32 in [-1, 1], 16 kHz, mono.
        compression: libsndfile's compression level, 0 to 1; 0.94 is about 22 kbit/s.

    Returns:
        The file; it decodes to exactly N samples at 16 kHz.

    Raises:
        AudioError: where the decoded length differs from N, or libsndfile has no Opus.
    """
    return _encode(wave, "OPUS", compression)


def encode_vorbis(wave: np.ndarray, compression: float = 0.8) -> bytes:
    """Encode speech as Ogg Vorbis: a tenth of the time that Opus takes, for one and a half times the bytes.

    Args:
        wave: (N,) float32 in [-1, 1], 16 kHz, mono.
        compression: libsndfile's compression level, 0 to 1; 0.8 is about 35 kbit/s.

    Returns:
        The file; it decodes to exactly N samples at 16 kHz.

    Raises:
        AudioError: where the decoded length differs from N, or libsndfile has no Vorbis.
    """
    return _encode(wave, "VORBIS", compression)


def _encode(wave: np.ndarray, kind: str, compression: float) -> bytes:
    buffer = io.BytesIO()
    try:
        soundfile.write(buffer, wave, SAMPLE_RATE, format="OGG", subtype=kind, compression_level=compression)
    except (soundfile.LibsndfileError, ValueError, TypeError) as error:
        raise AudioError(
            f"libsndfile cannot write Ogg {kind.title()} ({error}). Install soundfile 0.13 or later."
        ) from error
    stream = fix_serial(buffer.getvalue())
    info = soundfile.info(io.BytesIO(stream))
    if (info.samplerate, info.frames) != (SAMPLE_RATE, len(wave)):
        raise AudioError(f"an encoded recording must hold {len(wave)} samples at 16 kHz, but holds {info.frames}.")
    return stream
