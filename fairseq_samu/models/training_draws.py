"""What is drawn in training, seeded so that a resumed run draws what an unbroken one would."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from fairseq_samu.ops.masking import draw_span_masks

# What a seed is for, so that two draws for the same row or layer are independent.
TIME_STREAM, CHANNEL_STREAM, LAYER_STREAM = 1, 2, 3


@dataclass(frozen=True)
class TrainingDraws:
    """What random masking and layerdrop are seeded from, so that a resumed run draws what an unbroken one would.

    Attributes:
        seed: seed of the run.
        update: number of the update.
        row_ids: (B,) int64, each row's number in its data set: a row is masked alike in whatever batch it stands.
    """

    seed: int
    update: int
    row_ids: Tensor

    def row_seeds(self, stream: int) -> list[tuple[int, ...]]:
        """Seeds of the rows for one kind of draw."""
        return [(self.seed, self.update, stream, row) for row in self.row_ids.tolist()]

    def keeps_layer(self, layer: int, layerdrop: float) -> bool:
        """Decide whether a layer is used in this update; every worker decides the same."""
        if layerdrop <= 0.0:
            return True
        return np.random.default_rng([self.seed, self.update, LAYER_STREAM, layer]).random() >= layerdrop


@dataclass(frozen=True)
class MaskingOptions:
    """Random masking of features in time and channel.

    Attributes:
        time_prob: share of a row's positions that time spans are drawn for.
        time_length: length of a time span, in positions.
        channel_prob: share of the channels that channel spans are drawn for.
        channel_length: length of a channel span, in channels.
    """

    time_prob: float = 0.0
    time_length: int = 10
    channel_prob: float = 0.0
    channel_length: int = 10

    def draw_time_mask(self, lengths: Tensor, size: int, draws: TrainingDraws | None) -> Tensor | None:
        """Draw the (B, size) bool mask of masked positions, or None where nothing is masked."""
        if draws is None or self.time_prob <= 0.0:
            return None
        seeds = draws.row_seeds(TIME_STREAM)
        masks = draw_span_masks(lengths.tolist(), size, self.time_prob, self.time_length, seeds)
        return masks.to(lengths.device)

    def draw_channel_mask(self, batch: Tensor, channels: int, draws: TrainingDraws | None) -> Tensor | None:
        """Draw the (B, channels) bool mask of channels that are zeroed, or None where none is."""
        if draws is None or self.channel_prob <= 0.0:
            return None
        seeds = draws.row_seeds(CHANNEL_STREAM)
        lengths = [channels] * batch.size(0)
        masks = draw_span_masks(lengths, channels, self.channel_prob, self.channel_length, seeds)
        return masks.to(batch.device)
