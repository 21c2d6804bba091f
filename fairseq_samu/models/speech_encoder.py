"""The one interface behind which every speech encoder stands."""

from abc import abstractmethod
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from fairseq_samu.models.encoder_stages import EncoderStages
from fairseq_samu.models.training_draws import TrainingDraws
from fairseq_samu.modules.named_adapters import AdaptedRows
from fairseq_samu.modules.transformer_layer import valid_keys

STEADY_SAMPLES = 320_000  # 20 s, many frames of any encoder, and a multiple of their distance


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


class SpeechEncoder(EncoderStages):
    """Turns waves into frames.

    Every encoder gives the same for a padded batch as for each row alone, whatever stands in the padding.
    """

    def forward(
        self,
        source: Tensor,
        padding_mask: Tensor | None = None,
        draws: TrainingDraws | None = None,
        return_layers: bool = False,
        adapters: Tensor | None = None,
    ) -> SpeechEncoderOutput:
        """Encode waves.

        Args:
            source: (B, N) float wave at 16 kHz in [-1, 1].
            padding_mask: (B, N) bool, True = padding (at the end of rows), or None where nothing is padded.
            draws: seeds of masking and layerdrop, given in training alone; None for neither.
            return_layers: hand out the output of every layer too.
            adapters: (B,) int64, number of the named adapter that each row goes through in every layer, -1 for none;
                None for none of all.

        Returns:
            Frames with their mask.

        Raises:
            AudioError: when a row is longer than the encoder's positions reach.
        """
        features, frames_mask = self.extract_features(source, padding_mask)
        return self.encode_features(features, frames_mask, draws, return_layers, adapters)

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
    def embed_features(self, features: Tensor, padding_mask: Tensor, draws: TrainingDraws | None = None) -> Tensor:
        """Run what stands between the convolutions and the first layer: projection, masking, positions.

        Args:
            features: (B, T, C) float output of :meth:`extract_features`.
            padding_mask: (B, T) bool, True = padding.
            draws: as in :meth:`forward`.

        Returns:
            (B, T, D), zero at padding.
        """

    @abstractmethod
    def normalise(self, x: Tensor) -> Tensor:
        """Apply the final norm to (B, T, D), where there is one."""

    def encode_features(
        self,
        features: Tensor,
        padding_mask: Tensor,
        draws: TrainingDraws | None = None,
        return_layers: bool = False,
        adapters: Tensor | None = None,
    ) -> SpeechEncoderOutput:
        """Run everything behind the convolutions.

        Args:
            features: (B, T, C) float output of :meth:`extract_features`.
            padding_mask: (B, T) bool, True = padding.
            draws: as in :meth:`forward`.
            return_layers: as in :meth:`forward`.
            adapters: as in :meth:`forward`.

        Returns:
            Frames with their mask.
        """
        x = self.embed_features(features, padding_mask, draws)
        return self._run_from(0, x, padding_mask, draws, return_layers, adapters)

    def _run_from(
        self,
        first: int,
        x: Tensor,
        padding_mask: Tensor,
        draws: TrainingDraws | None,
        return_layers: bool,
        adapters: Tensor | None,
    ) -> SpeechEncoderOutput:
        """Run the layers from ``first`` on and the final norm over (B, T, D)."""
        mask = padding_mask if bool(padding_mask.any()) else None
        x, layers = self.run_layers(x, mask, draws, return_layers, first, None, adapters)
        return SpeechEncoderOutput(zero_padding(self.normalise(x), mask), padding_mask, layers)

    # ---- stages: what is constant can be computed once --------------------------------------------------------------

    def run_to_stage(self, source: Tensor, padding_mask: Tensor | None, stage: int) -> tuple[Tensor, Tensor]:
        """Run the part of the encoder in front of a stage, without any draw.

        Args:
            source: (B, N) float wave at 16 kHz in [-1, 1].
            padding_mask: (B, N) bool, True = padding, or None.
            stage: 0 for the convolutions alone; ``s`` up to the number of layers for what enters layer ``s`` (counted
                from 0), or the final norm; :attr:`whole_stage` for frames.

        Returns:
            (B, T, D) features (C of them at stage 0) and their (B, T) bool mask, True = padding.
        """
        features, padding_mask = self.extract_features(source, padding_mask)
        if stage == 0:
            return features, padding_mask
        if stage == self.whole_stage:
            return self.encode_features(features, padding_mask).frames, padding_mask
        x = self.embed_features(features, padding_mask)
        mask = padding_mask if bool(padding_mask.any()) else None
        return zero_padding(self.run_layers(x, mask, None, False, 0, stage)[0], mask), padding_mask

    def run_from_stage(
        self,
        features: Tensor,
        padding_mask: Tensor,
        stage: int,
        draws: TrainingDraws | None = None,
        return_layers: bool = False,
        adapters: Tensor | None = None,
    ) -> SpeechEncoderOutput:
        """Run the part of the encoder behind a stage.

        Args:
            features: (B, T, D or C) of :meth:`run_to_stage`.
            padding_mask: (B, T) bool, True = padding.
            stage: of the features.
            draws: as in :meth:`forward`.
            return_layers: hand out the input of the first layer that runs, and the output of each.
            adapters: as in :meth:`forward`.

        Returns:
            Frames with their mask.
        """
        features = features.to(next(self.parameters()).dtype)
        if stage == 0:
            return self.encode_features(features, padding_mask, draws, return_layers, adapters)
        if stage == self.whole_stage:
            return SpeechEncoderOutput(features, padding_mask)
        return self._run_from(stage, features, padding_mask, draws, return_layers, adapters)

    @abstractmethod
    def count_frames(self, num_samples: Tensor) -> Tensor:
        """Count the frames of waves: (B,) int64 samples at 16 kHz to (B,) int64 frames, at least one each."""

    @property
    def samples_per_frame(self) -> int:
        """Samples at 16 kHz from the beginning of one frame to that of the next."""
        first, last = self.count_frames(torch.tensor([STEADY_SAMPLES, 2 * STEADY_SAMPLES])).tolist()
        return round(STEADY_SAMPLES / (last - first))

    def run_layers(
        self,
        x: Tensor,
        padding_mask: Tensor | None,
        draws: TrainingDraws | None,
        return_layers: bool,
        first: int = 0,
        end: int | None = None,
        adapters: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Send frames through the transformer layers.

        Args:
            x: (B, T, D).
            padding_mask: (B, T) bool, True = padding, or None where nothing is padded.
            draws: seeds of layerdrop; None keeps all layers.
            return_layers: collect the input of the first and the output of every layer.
            first: layer to begin with.
            end: layer to stop in front of; None for the last layer's end.
            adapters: as in :meth:`forward`.

        Returns:
            (B, T, D) and the list of (B, T, D), zero at padding.
        """
        attention_mask = None if padding_mask is None else valid_keys(padding_mask)
        rows = None if adapters is None else AdaptedRows.of(adapters)  # once for all layers
        collected = [x] if return_layers else []
        for index, layer in list(enumerate(self.transformer_layers()))[first:end]:
            if draws is None or draws.keeps_layer(index, self.layerdrop):
                if self.checkpoint_activations and torch.is_grad_enabled():
                    x = checkpoint(layer, x, attention_mask, rows, use_reentrant=False)
                else:
                    x = layer(x, attention_mask, rows)
            if return_layers:
                collected.append(x)
        return x, [zero_padding(states, padding_mask) for states in collected]


def zero_padding(x: Tensor, padding_mask: Tensor | None) -> Tensor:
    """Set (B, T, D) features to zero where the (B, T) mask says padding."""
    return x if padding_mask is None else x.masked_fill(padding_mask[:, :, None], 0.0)
