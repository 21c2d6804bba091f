"""Sizes and training options of the speech encoders, as they stand in checkpoints (plain JSON)."""

from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.modules.transformer_layer import ACTIVATIONS

ConfigType = TypeVar("ConfigType", bound="EncoderConfig")


@dataclass(frozen=True)
class EncoderConfig:
    """What all families share. Probabilities are in [0, 1] and act in training only.

    Attributes:
        dim: features of a frame.
        ffn_dim: inner features of the feed-forward networks.
        num_layers: transformer layers.
        num_heads: attention heads; must divide ``dim``.
        activation: non-linearity of the feed-forward networks.
        dropout: dropout before each residual sum.
        attention_dropout: dropout of the attention weights.
        activation_dropout: dropout inside the feed-forward networks.
        layerdrop: probability of skipping a layer, seeded by update.
        mask_time_prob: share of the positions that time spans are drawn for, seeded by update and row.
        mask_time_length: length of a time span, in frames of 20 ms.
        mask_channel_prob: share of the channels that channel spans are drawn for.
        mask_channel_length: length of a channel span, in features.
        checkpoint_activations: recompute activations in the backward pass, to save memory.
    """

    dim: int
    ffn_dim: int
    num_layers: int
    num_heads: int
    activation: str = "gelu"
    dropout: float = 0.0
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0
    layerdrop: float = 0.0
    mask_time_prob: float = 0.0
    mask_time_length: int = 10
    mask_channel_prob: float = 0.0
    mask_channel_length: int = 10
    checkpoint_activations: bool = False

    @classmethod
    def from_dict(cls: type[ConfigType], values: dict[str, Any]) -> ConfigType:
        """Build a config from plain JSON.

        Args:
            values: the fields; ``family`` is ignored.

        Raises:
            ConfigError: with every unknown, missing or impossible value at once.
        """
        given = {name: value for name, value in values.items() if name != "family"}
        known = {item.name: item for item in fields(cls)}
        faults = [f"encoder config: `{name}` is not a setting of {cls.__name__}" for name in given if name not in known]
        required = {name for name, item in known.items() if item.default is item.default_factory}
        faults += [f"encoder config: `{name}` is missing" for name in sorted(required - set(given))]
        if faults:
            raise ConfigError(report_all(faults))
        config = cls(**given)
        faults = config.faults()
        if faults:
            raise ConfigError(report_all(faults))
        return config

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON, without the family."""
        return asdict(self)

    def faults(self) -> list[str]:
        """Word every impossible value."""

        def fault(name: str, rule: str) -> str:
            return explain("encoder config", name, rule, getattr(self, name), "Check the source of the config.")

        sizes = ["dim", "ffn_dim", "num_layers", "num_heads", "mask_time_length", "mask_channel_length"]
        found = [fault(name, "a positive number") for name in sizes if getattr(self, name) < 1]
        probs = [item.name for item in fields(self) if item.name.endswith(("_prob", "dropout", "layerdrop"))]
        found += [fault(name, "in [0, 1]") for name in probs if not 0.0 <= getattr(self, name) <= 1.0]
        if not found and self.dim % self.num_heads:
            found.append(fault("num_heads", f"a divisor of dim = {self.dim}"))
        if self.activation not in ACTIVATIONS:
            found.append(fault("activation", "one of " + ", ".join(sorted(ACTIVATIONS))))
        return found


@dataclass(frozen=True)
class WhisperEncoderConfig(EncoderConfig):
    """Whisper's encoder (arXiv:2212.04356).

    Attributes:
        num_mel_bins: mel filters of the log-mel spectrogram.
        max_frames: 20 ms positions that the encoder knows; 1500 are 30 s.
    """

    num_mel_bins: int = 80
    max_frames: int = 1500


@dataclass(frozen=True)
class Wav2Vec2EncoderConfig(EncoderConfig):
    """The wav2vec 2.0 family: wav2vec 2.0, XLS-R, HuBERT (arXiv:2006.11477, 2111.09296, 2106.07447).

    Attributes:
        conv_layers: (channels, kernel, stride) of each convolution over the wave.
        conv_bias: whether the convolutions have a bias.
        extractor_norm: ``layer`` (layer norm in every convolution block) or ``group`` (group norm in the first).
        pre_norm: normalise before each part of a layer (XLS-R) instead of after it (base models).
        normalize: give every wave zero mean and unit variance first.
        project_features: whether a linear layer stands between convolutions and transformer.
        conv_pos: kernel of the positional convolution, in frames.
        conv_pos_groups: groups of the positional convolution.
        feature_dropout: dropout of the projected features.
    """

    conv_layers: tuple[tuple[int, int, int], ...] = ((512, 10, 5), *((512, 3, 2),) * 4, *((512, 2, 2),) * 2)
    conv_bias: bool = False
    extractor_norm: str = "group"
    pre_norm: bool = False
    normalize: bool = False
    project_features: bool = True
    conv_pos: int = 128
    conv_pos_groups: int = 16
    feature_dropout: float = 0.0

    def __post_init__(self) -> None:
        # JSON hands lists where the fields are tuples.
        object.__setattr__(self, "conv_layers", tuple(tuple(layer) for layer in self.conv_layers))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON, without the family."""
        return {**asdict(self), "conv_layers": [list(layer) for layer in self.conv_layers]}

    def faults(self) -> list[str]:
        """Word every impossible value."""
        found = super().faults()
        mend = "Check the source of the config."
        if any(len(layer) != 3 or min(layer) < 1 for layer in self.conv_layers) or not self.conv_layers:
            rule = "a list of (channels, kernel, stride)"
            found.append(explain("encoder config", "conv_layers", rule, self.conv_layers, mend))
        elif not self.project_features and self.conv_layers[-1][0] != self.dim:
            rule = f"true where the last convolution has other than dim = {self.dim} channels"
            found.append(explain("encoder config", "project_features", rule, False, mend))
        if self.extractor_norm not in ("layer", "group"):
            found.append(explain("encoder config", "extractor_norm", "layer or group", self.extractor_norm, mend))
        if self.conv_pos_groups < 1 or self.dim % self.conv_pos_groups:
            rule = f"a divisor of dim = {self.dim}"
            found.append(explain("encoder config", "conv_pos_groups", rule, self.conv_pos_groups, mend))
        return found
