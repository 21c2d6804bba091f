"""SentencePiece models as bytes: what pieces they have, and switching pieces off."""

from collections.abc import Container, Iterator
from typing import Any

from fairseq_samu.errors import ConfigError, explain

# Field numbers of sentencepiece_model.proto: ModelProto.pieces, SentencePiece.piece and SentencePiece.type.
_PIECES, _PIECE, _TYPE = 1, 1, 3
_NORMAL, _USER_DEFINED, _UNUSED = 1, 4, 5
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}
_SWITCH_OFF = bytes([_TYPE << 3 | _VARINT, _UNUSED])  # a field that comes again replaces what it said before


def load_processor(model: bytes, where: str = "") -> Any:
    """Build SentencePiece's processor.

    Args:
        model: contents of a SentencePiece model file.
        where: name of the file, for messages.

    Returns:
        A ``sentencepiece.SentencePieceProcessor``.

    Raises:
        ConfigError: when these are not the contents of a whole model.
    """
    from sentencepiece import SentencePieceProcessor

    try:
        return SentencePieceProcessor(model_proto=model)
    except RuntimeError as error:
        mend = "Copy the file again, or train one with `fairseq-samu prepare sentencepiece`."
        size = f"{len(model)} bytes of something else"
        raise ConfigError(explain(where, "sentencepiece model", "a whole SentencePiece model", size, mend)) from error


def list_pieces(processor: Any) -> list[str]:
    """Pieces of a model in its order, without its own marks such as ``<s>`` and ``<unk>``."""
    ids = range(processor.get_piece_size())
    return [processor.id_to_piece(i) for i in ids if not (processor.is_control(i) or processor.is_unknown(i))]


def byte_pieces(processor: Any) -> list[str]:
    """Pieces that stand for one byte each, of a model that spells unknown characters by their bytes."""
    return [processor.id_to_piece(i) for i in range(processor.get_piece_size()) if processor.is_byte(i)]


def switch_off(model: bytes, kept: Container[str]) -> bytes:
    """Mark pieces as unused, so that texts are encoded by the others.

    Scores, normalisation and the numbers of the pieces stay. The best segmentation of a text remains the best where
    all of its pieces are kept.

    Args:
        model: contents of a SentencePiece model file.
        kept: the pieces that stay in use; marks and bytes always do.

    Returns:
        Contents of the changed model.
    """
    parts: list[bytes] = []
    for number, wire, start, body, end in _fields(model):
        if number == _PIECES and wire == _BYTES:
            piece, kind = _read_piece(model[body:end])
            if kind in (_NORMAL, _USER_DEFINED) and piece not in kept:
                message = model[body:end] + _SWITCH_OFF
                parts += [_varint(_PIECES << 3 | _BYTES), _varint(len(message)), message]
                continue
        parts.append(model[start:end])
    return b"".join(parts)


def _read_piece(message: bytes) -> tuple[str, int]:
    piece, kind = "", _NORMAL
    for number, wire, _, body, end in _fields(message):
        if number == _PIECE and wire == _BYTES:
            piece = message[body:end].decode("utf-8")
        elif number == _TYPE and wire == _VARINT:
            kind, _ = _read_varint(message, body)
    return piece, kind


def _fields(message: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Walk a protocol buffer: number, wire type, start, start of the contents, and end of each field."""
    position = 0
    while position < len(message):
        start = position
        tag, position = _read_varint(message, position)
        number, wire = tag >> 3, tag & 7
        if wire == _BYTES:
            length, position = _read_varint(message, position)
            end = position + length
        elif wire == _VARINT:
            _, end = _read_varint(message, position)
        else:
            end = position + _SIZES[wire]
        yield number, wire, start, position, end
        position = end


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _varint(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
