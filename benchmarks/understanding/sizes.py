"""Sizes of what is measured: `tiny` for the test, `small` by default, `paper` as in arXiv:2406.12141."""

from dataclasses import dataclass
from typing import Any

from benchmarks.measuring.encoders import wav2vec2_config as encoder

BLANK, PAD, EOS = 0, 1, 2
FIRST_LABEL = 4  # the four specials of the package's label files come first
BEAM = 10
EMBEDDING = 768  # of the teacher, LaBSE


@dataclass(frozen=True)
class Sizes:
    """Model and work.

    Attributes:
        name: what `--size` takes.
        encoder: encoder config of the package (plain JSON), wave in.
        lstm_dim: size of a direction of the tagging head's LSTM, and of the layer behind it.
        num_lstm_layers: its layers.
        labels: V, characters and concept tags with the blank.
        utterances: rows of the batch.
        seconds: shortest and longest recording of the batch.
        repetitions: of each measurement.
    """

    name: str
    encoder: dict[str, Any]
    lstm_dim: int
    num_lstm_layers: int
    labels: int
    utterances: int
    seconds: tuple[float, float]
    repetitions: int


SIZES = {
    sizes.name: sizes
    for sizes in (
        Sizes("tiny", encoder(64, 2, 4, 16, 16), 32, 2, 20, 3, (0.5, 0.9), 2),
        Sizes("small", encoder(512, 6, 8, 256), 512, 3, 120, 8, (2.5, 4.0), 5),
        Sizes("paper", encoder(1024, 24, 16, 512), 1024, 3, 120, 4, (3.0, 4.0), 1),
    )
}
