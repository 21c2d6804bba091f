"""The one interface behind which every speech encoder stands."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fairseq_samu.models.encoder_configs import EncoderConfig
from fairseq_samu.modules.transformer_layer import valid_keys
from fairseq_samu.ops.masking import draw_span_masks

# What a seed is for, so that two draws for the same row or layer are independent.
TIME_STREAM, CHANNEL_STREAM, LAYER_STREAM = 1, 2, 3


@dataclass
class SpeechEncoderOutput:
    """What a speech encoder hands out.

    Attributes:
        frames: (B, T, D) float, zero at padding.
        padding_mask: (B, T) bool, True = padding.
        layers: (B, T, D) each: the input of the first transformer layer, then the output of every layer, before any
            final norm; empty unless asked for.
    """

    frames: Tensor
    padding_mask: Tensor
    layers: list[Tensor] = field(default_factory=list)


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


class SpeechEncoder(nn.Module, ABC):
    """Turns waves into frames.

    Every encoder gives the same for a padded batch as for each row alone, whatever stands in the padding.

    Attributes:
        dim: features D of a frame.
        feature_dim: features C of the convolutions' output.
        num_layers: transformer layers.
        layerdrop: probability of skipping a layer in training.
        masking: random masking in training.
        checkpoint_activations: recompute the layers' activations in the backward pass, to save memory.

    Args:
        config: sizes and training options that all families share.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dim = config.dim
        self.feature_dim = config.dim
        self.num_layers = config.num_layers
        self.layerdrop = config.layerdrop
        self.checkpoint_activations = config.checkpoint_activations
        self.masking = MaskingOptions(
            config.mask_time_prob, config.mask_time_length, config.mask_channel_prob, config.mask_channel_length
        )

    def forward(
        self,
        source: Tensor,
        padding_mask: Tensor | None = None,
        draws: TrainingDraws | None = None,
        return_layers: bool = False,
    ) -> SpeechEncoderOutput:
        """Encode waves.

        Args:
            source: (B, N) float wave at 16 kHz in [-1, 1].
            padding_mask: (B, N) bool, True = padding (at the end of rows), or None where nothing is padded.
            draws: seeds of masking and layerdrop, given in training alone; None for neither.
            return_layers: hand out the output of every layer too.

        Returns:
            Frames with their mask.

        Raises:
            AudioError: when a row is longer than the encoder's positions reach.
        """
        features, frames_mask = self.extract_features(source, padding_mask)
        return self.encode_features(features, frames_mask, draws, return_layers)

    @abstractmethod
    def extract_features(self, source: Tensor, padding_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run the convolutions alone; what they give for a wave does not depend on any draw.

        Args:
            source: (B, N) float wave at 16 kHz in [-1, 1].
            padding_mask: (B, N) bool, True = padding (at the end of rows), or None where nothing is padded.

        Returns:
            (B, T, C) features and their (B, T) bool mask, True = padding.

        Raises:
            AudioError: when a row is longer than the encoder's positions reach.
        """

    @abstractmethod
    def encode_features(
        self,
        features: Tensor,
        padding_mask: Tensor,
        draws: TrainingDraws | None = None,
        return_layers: bool = False,
    ) -> SpeechEncoderOutput:
        """Run everything behind the convolutions.

        Args:
            features: (B, T, C) float output of :meth:`extract_features`.
            padding_mask: (B, T) bool, True = padding.
            draws: as in :meth:`forward`.
            return_layers: as in :meth:`forward`.

        Returns:
            Frames with their mask.
        """

    @abstractmethod
    def count_frames(self, num_samples: Tensor) -> Tensor:
        """Count the frames of waves: (B,) int64 samples at 16 kHz to (B,) int64 frames, at least one each."""

    @abstractmethod
    def transformer_layers(self) -> nn.ModuleList:
        """Layers in their order; each is a ``TransformerLayer`` with places for adapters."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Plain JSON with ``family`` and every size that :func:`build_speech_encoder` needs to build the like."""

    @abstractmethod
    def group_of(self, name: str) -> str:
        """Name the group of a parameter: ``feature_extractor``, ``embedding``, ``layer.N`` or ``final_norm``."""

    def parameter_groups(self) -> dict[str, list[str]]:
        """Sort the names of all parameters into groups, from the input to the output.

        Returns:
            ``feature_extractor`` (convolutions that read the wave or its spectrogram), ``embedding`` (what stands
            between them and the layers), ``layer.0`` ..., ``final_norm`` where there is one.
        """
        order = ["feature_extractor", "embedding", *(f"layer.{i}" for i in range(self.num_layers)), "final_norm"]
        groups: dict[str, list[str]] = {group: [] for group in order}
        for name, _ in self.named_parameters():
            groups[self.group_of(name)].append(name)
        return {group: names for group, names in groups.items() if names}

    def draw_time_mask(self, lengths: Tensor, size: int, draws: TrainingDraws | None) -> Tensor | None:
        """Draw the (B, size) bool mask of masked positions, or None where nothing is masked."""
        if draws is None or self.masking.time_prob <= 0.0:
            return None
        seeds = draws.row_seeds(TIME_STREAM)
        masks = draw_span_masks(lengths.tolist(), size, self.masking.time_prob, self.masking.time_length, seeds)
        return masks.to(lengths.device)

    def draw_channel_mask(self, batch: Tensor, channels: int, draws: TrainingDraws | None) -> Tensor | None:
        """Draw the (B, channels) bool mask of channels that are zeroed, or None where none is."""
        if draws is None or self.masking.channel_prob <= 0.0:
            return None
        seeds = draws.row_seeds(CHANNEL_STREAM)
        lengths = [channels] * batch.size(0)
        masks = draw_span_masks(lengths, channels, self.masking.channel_prob, self.masking.channel_length, seeds)
        return masks.to(batch.device)

    def run_layers(
        self, x: Tensor, padding_mask: Tensor | None, draws: TrainingDraws | None, return_layers: bool
    ) -> tuple[Tensor, list[Tensor]]:
        """Send frames through the transformer layers.

        Args:
            x: (B, T, D).
            padding_mask: (B, T) bool, True = padding, or None where nothing is padded.
            draws: seeds of layerdrop; None keeps all layers.
            return_layers: collect the input of the first and the output of every layer.

        Returns:
            (B, T, D) and the list of (B, T, D), zero at padding.
        """
        attention_mask = None if padding_mask is None else valid_keys(padding_mask)
        collected = [x] if return_layers else []
        for index, layer in enumerate(self.transformer_layers()):
            if draws is None or draws.keeps_layer(index, self.layerdrop):
                if self.checkpoint_activations and torch.is_grad_enabled():
                    x = checkpoint(layer, x, attention_mask, use_reentrant=False)
                else:
                    x = layer(x, attention_mask)
            if return_layers:
                collected.append(x)
        return x, [zero_padding(states, padding_mask) for states in collected]


def zero_padding(x: Tensor, padding_mask: Tensor | None) -> Tensor:
    """Set (B, T, D) features to zero where the (B, T) mask says padding."""
    return x if padding_mask is None else x.masked_fill(padding_mask[:, :, None], 0.0)
