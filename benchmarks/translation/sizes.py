"""Sizes of what is measured: `tiny` for the test, `small` by default, `paper` as in arXiv:2306.00789."""

from dataclasses import dataclass, replace
from typing import Any

from benchmarks.measuring.encoders import wav2vec2_config as encoder

PAD, EOS, UNK = 1, 2, 3
TAG = 4  # the language tag that every target begins with
BEAM = 5
MBART = 250054  # tokens of mBART-50
LABEL_SMOOTHING = 0.3  # the paper's


@dataclass(frozen=True)
class Sizes:
    """Model and work.

    Attributes:
        name: what `--size` takes.
        encoder: encoder config of the package (plain JSON), wave in.
        decoder: decoder config of the package without ``vocabulary_size``.
        bottleneck: inner features of the adapters.
        vocabulary: tokens V of the whole vocabulary.
        trimmed: tokens V' of the trimmed vocabulary.
        utterances: rows of the batch.
        seconds: shortest and longest recording of the batch.
        epoch: utterances of the measurement of batching.
        text_length: tokens after which the random decoder tends to end.
        repetitions: of each measurement.
    """

    name: str
    encoder: dict[str, Any]
    decoder: dict[str, Any]
    bottleneck: int
    vocabulary: int
    trimmed: int
    utterances: int
    seconds: tuple[float, float]
    epoch: int
    text_length: int
    repetitions: int

    @property
    def max_tokens(self) -> int:
        """Longest hypothesis, tag and end included: far enough for none to be cut off."""
        return 4 * self.text_length

    def with_trimmed_vocabulary(self) -> "Sizes":
        """The same with the trimmed vocabulary."""
        return replace(self, vocabulary=self.trimmed)


def _decoder(dim: int, layers: int, heads: int) -> dict[str, Any]:
    return {"dim": dim, "ffn_dim": 4 * dim, "num_layers": layers, "num_heads": heads, "max_positions": 1024}


SIZES = {
    sizes.name: sizes
    for sizes in (
        Sizes("tiny", encoder(64, 2, 4, 16, 16), _decoder(64, 2, 4), 8, 300, 100, 3, (0.4, 0.8), 6, 24, 2),
        Sizes("small", encoder(512, 6, 8, 256), _decoder(512, 6, 8), 128, MBART, 32000, 4, (3.0, 5.0), 32, 12, 3),
        Sizes("paper", encoder(1024, 24, 16, 512), _decoder(1024, 12, 16), 256, MBART, 32000, 2, (4.0, 6.0), 6, 12, 2),
    )
}
