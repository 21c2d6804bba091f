"""Sizes of what is measured: `tiny` for the test, `base` (Whisper-base, the default)."""

from dataclasses import dataclass
from typing import Any

PAD, EOS = 1, 2
TAG = 4  # the language tag that every target begins with
SPECIALS = TAG + 1
WHISPER_BASE = "whisper-base"


@dataclass(frozen=True)
class Sizes:
    """Model and work.

    Attributes:
        name: what `--size` takes.
        encoder: encoder config of the package (plain JSON).
        decoder: decoder config of the package without ``vocabulary_size``; Whisper's own sizes.
        vocabulary: tokens V.
        bottleneck: inner features of the adapters, one behind each layer of the encoder.
        rank: of LoRA on queries and values of the encoder, for about as many parameters.
        utterances: rows of the batch.
        seconds: shortest and longest recording that may be in the batch.
        repetitions: of each measurement.
        is_pretrained: whether the encoder's weights are those of the data packages, where they are installed.
    """

    name: str
    encoder: dict[str, Any]
    decoder: dict[str, Any]
    vocabulary: int
    bottleneck: int
    rank: int
    utterances: int
    seconds: tuple[float, float]
    repetitions: int
    is_pretrained: bool = False


def _encoder(dim: int, layers: int, heads: int, frames: int) -> dict[str, Any]:
    sizes = {"dim": dim, "ffn_dim": 4 * dim, "num_layers": layers, "num_heads": heads}
    return {"family": "whisper", **sizes, "num_mel_bins": 80, "max_frames": frames}


def _decoder(dim: int, layers: int, heads: int) -> dict[str, Any]:
    sizes = {"dim": dim, "ffn_dim": 4 * dim, "num_layers": layers, "num_heads": heads}
    return {**sizes, "max_positions": 448, "scale_embedding": False}


SIZES = {
    sizes.name: sizes
    for sizes in (
        Sizes("tiny", _encoder(64, 2, 4, 1500), _decoder(64, 2, 4), 300, 64, 32, 3, (0.6, 1.0), 2),
        Sizes("base", _encoder(512, 6, 8, 1500), _decoder(512, 6, 8), 51865, 256, 128, 4, (4.0, 6.0), 5, True),
    )
}
