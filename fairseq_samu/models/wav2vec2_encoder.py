"""The wav2vec 2.0 family (wav2vec 2.0, XLS-R, HuBERT) on the host's modules, the same alone as in a padded batch."""

from typing import Any

import torch
import torch.nn.functional as F
from fairseq.models.wav2vec.wav2vec2 import ConvFeatureExtractionModel, TransformerEncoder, Wav2Vec2Config
from torch import Tensor, nn

from fairseq_samu.models.encoder_configs import Wav2Vec2EncoderConfig
from fairseq_samu.models.speech_encoder import SpeechEncoder, zero_padding
from fairseq_samu.models.training_draws import TrainingDraws
from fairseq_samu.modules.masked_group_norm import ChannelLayerNorm, MaskedChannelNorm
from fairseq_samu.modules.positional_convolution import WeightNormConvolution
from fairseq_samu.modules.transformer_layer import TransformerLayer
from fairseq_samu.ops.masking import lengths_to_padding_mask, padding_mask_to_lengths

HOST_EXTRACTOR_MODES = {"layer": "layer_norm", "group": "default"}
VARIANCE_FLOOR = 1e-5  # of the normalised wave, as in the host


class WaveConvolutions(ConvFeatureExtractionModel):
    """The host's convolutions over the wave, with norms that heed padding and keep double precision."""

    def __init__(self, config: Wav2Vec2EncoderConfig) -> None:
        mode = HOST_EXTRACTOR_MODES[config.extractor_norm]
        super().__init__([tuple(layer) for layer in config.conv_layers], mode=mode, conv_bias=config.conv_bias)
        for block, (channels, _, _) in zip(self.conv_layers, config.conv_layers, strict=True):
            if config.extractor_norm == "layer":
                block[2] = nn.Sequential(nn.Identity(), ChannelLayerNorm(channels))
        self._norm_is_local = config.extractor_norm == "layer"
        if config.extractor_norm == "group":
            self.conv_layers[0][2] = MaskedChannelNorm(config.conv_layers[0][0])

    def forward(self, source: Tensor, num_samples: Tensor) -> Tensor:
        """Turn (B, N) waves of (B,) samples into (B, C, T) features."""
        if self._norm_is_local and source.device.type == "cpu":
            return self._convolve_channels_last(source)
        x = source.unsqueeze(1)
        for block in self.conv_layers:
            convolution, *others = block
            x = convolution(x)
            for module in others:
                if isinstance(module, MaskedChannelNorm):
                    lengths = _count_after([(convolution.kernel_size[0], convolution.stride[0])], num_samples)
                    x = module(x, lengths_to_padding_mask(lengths, x.size(2)))
                else:
                    x = module(x)
        return x

    def _convolve_channels_last(self, source: Tensor) -> Tensor:
        """The same with the channels of a frame side by side, where a CPU normalises them a third faster."""
        x = source[:, None, None, :]  # (B, C, 1, T)
        for convolution, dropout, norm, activation in self.conv_layers:
            weight = convolution.weight.unsqueeze(2)
            x = F.conv2d(
                x.contiguous(memory_format=torch.channels_last),
                weight.contiguous(memory_format=torch.channels_last),
                convolution.bias,
                stride=(1, convolution.stride[0]),
            ).contiguous(memory_format=torch.channels_last)
            # (B, C, 1, T) -> (B, C, T), whose norm reads it as (B, T, C) without a copy
            x = activation(norm(dropout(x.squeeze(2)))).unsqueeze(2)
        return x.squeeze(2)


class FrameTransformer(TransformerEncoder):
    """The host's transformer over frames, built of the package's layers, which share its parameter names."""

    def __init__(self, config: Wav2Vec2EncoderConfig) -> None:
        self._config = config.to_dict()
        super().__init__(_host_config(config), skip_pos_conv=True)
        convolution = WeightNormConvolution(config.dim, config.conv_pos, config.conv_pos_groups)
        self.pos_conv = nn.Sequential(convolution, nn.GELU())

    def build_encoder_layer(self, args: Wav2Vec2Config, **kwargs: Any) -> nn.Module:
        """Build one layer; called by the host's constructor."""
        config = self._config
        names = ("dim", "ffn_dim", "num_heads", "pre_norm", "activation")
        dropouts = ("dropout", "attention_dropout", "activation_dropout")
        return TransformerLayer(**{name: config[name] for name in names + dropouts})


class Wav2Vec2Encoder(SpeechEncoder):
    """wav2vec 2.0, XLS-R or HuBERT without pre-training heads (arXiv:2006.11477, 2111.09296, 2106.07447).

    Deviations from the host: padding is masked in the group norm, the positional convolution and the attention;
    masking and layerdrop are seeded; a wave shorter than the first frame's receptive field (25 ms) counts as filled up
    with zeros; the wave is normalised inside, over its valid samples, where the config says so.

    Args:
        config: sizes and training options.
    """

    def __init__(self, config: Wav2Vec2EncoderConfig) -> None:
        super().__init__(config)
        self._config = config
        self._strides = [(kernel, stride) for _, kernel, stride in config.conv_layers]
        channels = self.feature_dim = config.conv_layers[-1][0]
        self.feature_extractor = WaveConvolutions(config)
        self.layer_norm = nn.LayerNorm(channels)
        self.post_extract_proj = nn.Linear(channels, config.dim) if config.project_features else None
        self.mask_emb = nn.Parameter(torch.empty(config.dim).uniform_())
        self.encoder = FrameTransformer(config)

    @property
    def receptive_field(self) -> int:
        """Samples that the first frame is computed from."""
        samples = 1
        for kernel, stride in reversed(self._strides):
            samples = (samples - 1) * stride + kernel
        return samples

    def extract_features(self, source: Tensor, padding_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Convolve waves; see :class:`SpeechEncoder`."""
        samples = padding_mask_to_lengths(padding_mask, source)
        wave = self._prepare(source, samples)
        features = self.feature_extractor(wave, samples.clamp(min=self.receptive_field))
        x = features.transpose(1, 2)  # (B, C, T) -> (B, T, C)
        return x, lengths_to_padding_mask(self.count_frames(samples), x.size(1))

    def embed_features(self, features: Tensor, padding_mask: Tensor, draws: TrainingDraws | None = None) -> Tensor:
        """Project, mask and add positions; see :class:`SpeechEncoder`."""
        trains = self.training and self.first_tuned_stage() == 0  # what is frozen drops nothing out
        x = self.layer_norm(features.to(self.mask_emb.dtype))
        if self.post_extract_proj is not None:
            x = self.post_extract_proj(x)
        x = F.dropout(x, self._config.feature_dropout, trains)
        lengths = padding_mask_to_lengths(padding_mask, x)
        mask = padding_mask if bool(padding_mask.any()) else None
        x = zero_padding(self._mask_features(x, lengths, draws), mask)
        x = x + self.encoder.pos_conv(x.transpose(1, 2)).transpose(1, 2)
        if not self._config.pre_norm:
            x = self.encoder.layer_norm(x)
        return F.dropout(x, self._config.dropout, trains)

    def normalise(self, x: Tensor) -> Tensor:
        """Apply the final norm of the pre-norm family; see :class:`SpeechEncoder`."""
        return self.encoder.layer_norm(x) if self._config.pre_norm else x

    def _prepare(self, source: Tensor, samples: Tensor) -> Tensor:
        """Clear the padding of (B, N) waves, normalise them if so configured, and fill up to one frame."""
        padding = lengths_to_padding_mask(samples, source.size(1))
        wave = source.masked_fill(padding, 0.0)
        if self._config.normalize:
            dtype = torch.promote_types(wave.dtype, torch.float32)
            count = samples.clamp(min=1)[:, None]
            values = wave.to(dtype)
            centred = (values - values.sum(dim=1, keepdim=True) / count).masked_fill(padding, 0.0)
            variance = centred.square().sum(dim=1, keepdim=True) / count
            wave = centred * torch.rsqrt(variance + VARIANCE_FLOOR)
        wave = F.pad(wave, (0, max(0, self.receptive_field - wave.size(1))))
        return wave.to(self.mask_emb.dtype)

    def _mask_features(self, x: Tensor, lengths: Tensor, draws: TrainingDraws | None) -> Tensor:
        """Put the learned vector in masked frames, and zero in masked channels, of (B, T, D) features."""
        time_mask = self.masking.draw_time_mask(lengths, x.size(1), draws)
        if time_mask is not None:
            x = torch.where(time_mask[:, :, None], self.mask_emb.to(x.dtype), x)
        channel_mask = self.masking.draw_channel_mask(x, x.size(2), draws)
        return x if channel_mask is None else x.masked_fill(channel_mask[:, None, :], 0.0)

    def count_frames(self, num_samples: Tensor) -> Tensor:
        """Count the 20 ms frames of waves; see :class:`SpeechEncoder`."""
        return _count_after(self._strides, num_samples.clamp(min=self.receptive_field))

    def transformer_layers(self) -> nn.ModuleList:
        """Layers in their order."""
        return self.encoder.layers

    def config(self) -> dict[str, Any]:
        """Plain JSON to build the like."""
        return {"family": "wav2vec2", **self._config.to_dict()}

    def group_of(self, name: str) -> str:
        """Name the group of a parameter."""
        if name.startswith("feature_extractor."):
            return "feature_extractor"
        if name.startswith("encoder.layers."):
            return "layer." + name.split(".")[2]
        final = self._config.pre_norm and name.startswith("encoder.layer_norm.")
        return "final_norm" if final else "embedding"


def _count_after(strides: list[tuple[int, int]], lengths: Tensor) -> Tensor:
    """Count what unpadded convolutions of (kernel, stride) leave of (B,) lengths."""
    for kernel, stride in strides:
        lengths = (lengths - kernel) // stride + 1
    return lengths


def _host_config(config: Wav2Vec2EncoderConfig) -> Wav2Vec2Config:
    return Wav2Vec2Config(
        encoder_layers=config.num_layers,
        encoder_embed_dim=config.dim,
        layer_norm_first=config.pre_norm,
    )
