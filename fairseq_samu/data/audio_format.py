"""What a recording's first and last bytes tell: its kind, and whether it was cut short.

libsndfile decodes a file that was cut short without a word where the format allows it, and says no more than "format
not recognised" of one that it lacks; both are told apart here.
"""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import BinaryIO

_SINCE: Mapping[str, tuple[int, int, int]] = MappingProxyType({"Ogg Opus": (1, 0, 29), "MP3": (1, 1, 0)})
"""First version of libsndfile that decodes a format."""

_STARTS = (
    (b"fLaC", "FLAC"),
    (b"ID3", "MP3"),
    (b"FORM", "AIFF"),
    (b".snd", "AU"),
    (b"PK", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (b"#!AMR", "AMR"),
    (b"0&\xb2u", "Windows Media"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89PNG", "a PNG picture"),
    (b"<", "a web page or XML"),
    (b"{", "JSON"),
    (b"version https://git-lfs", "a Git LFS pointer, not the recording itself"),
)
_STREAMED = 0x7FFF0000
"""A WAV header written before its length was known declares a size from here up."""

_OGG_TAIL = 1 << 17
"""Two times the longest Ogg page: the last page starts within it."""


def sniff(head: bytes) -> str:
    """Name what a file holds by its first bytes.

    Args:
        head: 64 bytes or more from the start, fewer where the file is shorter.

    Returns:
        A name such as ``"Ogg Opus"``, or ``"no known audio format"``.
    """
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "WAV"
    if head.startswith(b"OggS"):
        return "Ogg Opus" if b"OpusHead" in head[:64] else "Ogg Vorbis" if b"\x01vorbis" in head[:64] else "Ogg"
    if head[4:8] == b"ftyp":
        return "MP4 or AAC"
    for start, name in _STARTS:
        if head.startswith(start):
            return name
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "MP3" if head[1] & 0x06 == 0x02 else "AAC or another MPEG stream"
    return "no known audio format"


def missing_formats(libsndfile_version: str) -> list[str]:
    """Name the formats that a version of libsndfile is too old for.

    Args:
        libsndfile_version: such as ``"1.0.28"``.

    Returns:
        ``"Ogg Opus"`` (before 1.0.29) and ``"MP3"`` (before 1.1.0), as far as they are missing.
    """
    digits = [int("".join(c for c in part if c.isdigit()) or 0) for part in libsndfile_version.split(".")]
    version = tuple([*digits, 0, 0, 0][:3])
    return [name for name, since in _SINCE.items() if version < since]


def cut_short(stream: BinaryIO, kind: str) -> str:
    """Tell whether a recording's container ends before it should.

    A WAV file names its size, an Ogg stream marks its last page. A cut FLAC file fails in decoding, a cut MP3 file with
    an Info header decodes to fewer samples than it declares; without one it cannot be told from a whole one.

    Args:
        stream: the encoded recording; its position is restored.
        kind: what ``sniff`` says of it.

    Returns:
        What is missing, or the empty string where nothing is.
    """
    position = stream.tell()
    size = stream.seek(0, os.SEEK_END)
    try:
        if kind == "WAV":
            return _wav_cut(stream, size)
        return _ogg_cut(stream, size) if kind.startswith("Ogg") else ""
    finally:
        stream.seek(position)


def _wav_cut(stream: BinaryIO, size: int) -> str:
    """Walk the chunks of a WAV file up to its samples."""
    at = 12
    while at + 8 <= size:
        stream.seek(at)
        header = stream.read(8)
        declared = int.from_bytes(header[4:], "little")
        if header[:4] == b"data":
            present = size - at - 8
            cut = present < declared < _STREAMED
            return f"{present} of {declared} bytes of sound" if cut else ""
        at += 8 + declared + declared % 2
    return "a header without sound"


def _ogg_cut(stream: BinaryIO, size: int) -> str:
    """Look at the last page: it must be whole and carry the end-of-stream flag."""
    stream.seek(max(0, size - _OGG_TAIL))
    tail = stream.read(_OGG_TAIL)
    at = tail.rfind(b"OggS")
    page = tail[at:]
    if at < 0 or len(page) < 27 or len(page) < 27 + page[26]:
        return "no whole last page"
    if len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]]):
        return "a last page that breaks off"
    return "" if page[5] & 4 else "no page that ends the stream"
