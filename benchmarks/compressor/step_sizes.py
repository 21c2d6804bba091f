"""Sizes of the training steps: `tiny-step` for the test; `study`, as in examples/multitask_st/small; `paper`."""

from dataclasses import dataclass
from typing import Any

from benchmarks.measuring.encoders import wav2vec2_config

WHISPER_BASE = {"family": "whisper", "dim": 512, "ffn_dim": 2048, "num_layers": 6, "num_heads": 8}
HUBERT_BASE = {"family": "wav2vec2", "dim": 768, "ffn_dim": 3072, "num_layers": 12, "num_heads": 12}


@dataclass(frozen=True)
class StepSizes:
    """Model and batch of a training step.

    Attributes:
        name: what `--parts` takes.
        title: in tables.
        encoder: config of the acoustic encoder (plain JSON), wave in.
        text: sizes of textual encoder and decoder (plain JSON).
        vocabulary: V.
        utterances: rows of the batch.
        seconds: shortest and longest recording of the batch.
        tuned_layers: of the acoustic encoder; the others are frozen, and what they give comes from the feature cache.
            -1 tunes all behind the convolutions.
        repetitions: of each arm.
    """

    name: str
    title: str
    encoder: dict[str, Any]
    text: dict[str, int]
    vocabulary: int
    utterances: int
    seconds: tuple[float, float]
    tuned_layers: int = -1
    repetitions: int = 3


def _text(dim: int, heads: int, layers: int) -> dict[str, int]:
    return {"dim": dim, "ffn_dim": 4 * dim, "num_heads": heads, "num_layers": layers, "decoder_layers": layers}


STEPS = {
    sizes.name: sizes
    for sizes in (
        StepSizes("tiny-step", "tiny", wav2vec2_config(32, 2, 4, 16, 16), _text(16, 2, 2), 40, 3, (1.0, 1.4)),
        StepSizes("study", "Study's size, Whisper base tuned", WHISPER_BASE, _text(256, 4, 4), 2000, 16, (3.0, 6.0)),
        StepSizes(
            "study-cached",
            "Study's size, two layers of Whisper base tuned, frames in front of them from the cache",
            WHISPER_BASE,
            _text(256, 4, 4),
            2000,
            16,
            (3.0, 6.0),
            tuned_layers=2,
        ),
        StepSizes(
            "paper",
            "Paper's size, HuBERT base tuned",
            HUBERT_BASE,
            _text(512, 8, 6),
            10_000,
            8,
            (5.0, 6.0),
            repetitions=1,
        ),
    )
}
