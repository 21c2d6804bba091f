"""Whisper's encoder on windows of any length up to 30 s, from the wave."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fairseq_samu.errors import AudioError, explain
from fairseq_samu.models.encoder_configs import WhisperEncoderConfig
from fairseq_samu.models.speech_encoder import SpeechEncoder, zero_padding
from fairseq_samu.models.training_draws import TrainingDraws
from fairseq_samu.modules.transformer_layer import TransformerLayer
from fairseq_samu.ops.log_mel import FRAMES_PER_SECOND, count_mel_frames, log_mel_spectrogram
from fairseq_samu.ops.masking import lengths_to_padding_mask, padding_mask_to_lengths
from fairseq_samu.ops.positions import sinusoidal_positions


class WhisperEncoder(SpeechEncoder):
    """Log-mel spectrogram, two convolutions, sinusoidal positions and a pre-norm transformer (arXiv:2212.04356).

    Deviation: a window is not filled up to 30 s. Positions are cut to its length and padding is masked everywhere, so
    that a short utterance costs little. A wave that is filled up with zeros to 30 s gives what Whisper gives for it.

    Args:
        config: sizes and training options.
    """

    def __init__(self, config: WhisperEncoderConfig) -> None:
        super().__init__(config)
        self._config = config
        self.conv1 = nn.Conv1d(config.num_mel_bins, config.dim, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(config.dim, config.dim, kernel_size=3, stride=2, padding=1)
        # A buffer, not a parameter: it is read from files that hold it, and never tuned.
        self.positions: Tensor
        self.register_buffer("positions", sinusoidal_positions(config.max_frames, config.dim))
        self.layers = nn.ModuleList(
            TransformerLayer(
                config.dim,
                config.ffn_dim,
                config.num_heads,
                pre_norm=True,
                dropout=config.dropout,
                attention_dropout=config.attention_dropout,
                activation_dropout=config.activation_dropout,
                activation=config.activation,
                key_bias=False,
            )
            for _ in range(config.num_layers)
        )
        self.layer_norm = nn.LayerNorm(config.dim)

    def extract_features(self, source: Tensor, padding_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Convolve the log-mel spectrogram; see :class:`SpeechEncoder`.

        Raises:
            AudioError: when a row is longer than the positions reach (30 s).
        """
        samples = padding_mask_to_lengths(padding_mask, source)
        self._check_length(source)
        # what a trainer in half precision hands over is exact only in double precision, see the dataset's options
        wave = source if self.conv1.weight.dtype == torch.float64 else source.float()
        mel = log_mel_spectrogram(wave, samples, self._config.num_mel_bins).to(self.conv1.weight.dtype)
        mel_lengths = count_mel_frames(samples)
        # A row that stands alone is surrounded by zeros before each convolution; so must be a row with padding.
        mel_padding = lengths_to_padding_mask(mel_lengths, mel.size(2))
        x = F.gelu(self.conv1(mel)).masked_fill(mel_padding[:, None, :], 0.0)
        x = F.gelu(self.conv2(x)).transpose(1, 2)  # (B, D, T) -> (B, T, D)
        return x, lengths_to_padding_mask((mel_lengths + 1) // 2, x.size(1))

    def embed_features(self, features: Tensor, padding_mask: Tensor, draws: TrainingDraws | None = None) -> Tensor:
        """Mask and add positions; see :class:`SpeechEncoder`. Masked frames and channels are zero."""
        mask = padding_mask if bool(padding_mask.any()) else None
        lengths = padding_mask_to_lengths(padding_mask, features)
        x = features.to(self.conv1.weight.dtype)
        time_mask = self.masking.draw_time_mask(lengths, x.size(1), draws)
        if time_mask is not None:
            x = zero_padding(x, time_mask)
        channel_mask = self.masking.draw_channel_mask(x, x.size(2), draws)
        if channel_mask is not None:
            x = x.masked_fill(channel_mask[:, None, :], 0.0)
        x = zero_padding(x + self.positions[: x.size(1)].to(x.dtype), mask)
        return F.dropout(x, self._config.dropout, self.training and self.first_tuned_stage() == 0)

    def normalise(self, x: Tensor) -> Tensor:
        """Apply the final norm; see :class:`SpeechEncoder`."""
        return self.layer_norm(x)

    def _check_length(self, source: Tensor) -> None:
        frames = int(self.count_frames(torch.tensor([source.size(1)])))
        if frames > self._config.max_frames:
            rule = f"at most {2 * self._config.max_frames / FRAMES_PER_SECOND:g} s long"
            value = f"{source.size(1)} samples"
            raise AudioError(explain("Whisper encoder", "source", rule, value, "Cut the recording into segments."))

    def count_frames(self, num_samples: Tensor) -> Tensor:
        """Count the 20 ms frames of waves; see :class:`SpeechEncoder`."""
        return (count_mel_frames(num_samples) + 1) // 2

    def transformer_layers(self) -> nn.ModuleList:
        """Layers in their order."""
        return self.layers

    def config(self) -> dict[str, Any]:
        """Plain JSON to build the like."""
        return {"family": "whisper", **self._config.to_dict()}

    def group_of(self, name: str) -> str:
        """Name the group of a parameter."""
        if name.startswith("layers."):
            return "layer." + name.split(".")[1]
        return "final_norm" if name.startswith("layer_norm.") else "feature_extractor"
