"""SAMU-XLSR: a speech encoder with a head that gives one sentence embedding an utterance."""

from dataclasses import dataclass, field
from typing import Any, Optional

import torch
from fairseq.models import register_model
from torch import Tensor, nn

from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.models.speech_encoder import SpeechEncoder
from fairseq_samu.models.speech_encoder_options import (
    SpeechEncoderOptions,
    build_configured_encoder,
    find_encoder_faults,
)
from fairseq_samu.models.speech_model import SpeechModel
from fairseq_samu.models.tuning import set_training
from fairseq_samu.modules.attentive_pooling import AttentivePooling
from fairseq_samu.modules.frame_perceptron import FramePerceptron


@dataclass
class SamuXlsrConfig(SpeechEncoderOptions):
    """Options of the model samu_xlsr."""

    embedding_dim: int = field(
        default=0, metadata={"help": "size of the sentence embedding (0 = the teacher's, 768 for LaBSE)"}
    )
    num_pooling_heads: int = field(default=1, metadata={"help": "heads of the attentive pooling (1 in the paper)"})
    frame_perceptron_dim: int = field(
        default=0, metadata={"help": "inner size of a perceptron on every frame before pooling (0 = none, the paper)"}
    )
    head_dropout: float = field(default=0.0, metadata={"help": "dropout inside the head, in training"})
    num_tuned_layers: int = field(
        default=-1, metadata={"help": "how many of the last transformer layers are tuned (-1 = all, 0 = none)"}
    )
    tune_feature_extractor: bool = field(
        default=False, metadata={"help": "tune the convolutional feature extractor too (frozen in the paper)"}
    )
    head_only_updates: int = field(
        default=0, metadata={"help": "tune nothing but the head for so many updates at the start"}
    )


@dataclass
class SamuXlsrOutput:
    """What the model hands out.

    Attributes:
        embedding: (B, E) float, each value in (-1, 1).
        frames: (B, T, D) float, the encoder's frames, zero at padding.
        padding_mask: (B, T) bool, True = padding.
    """

    embedding: Tensor
    frames: Tensor
    padding_mask: Tensor


def validate(cfg: SamuXlsrConfig) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: sizes or probabilities are out of their range.
    """
    faults = find_encoder_faults(cfg, "samu_xlsr")

    def check(name: str, holds: bool, rule: str) -> None:
        if not holds:
            option = f"--{name.replace('_', '-')}"
            faults.append(explain("samu_xlsr", name, rule, getattr(cfg, name), f"Set {option}."))

    check("embedding_dim", cfg.embedding_dim > 0, "positive, or 0 with a teacher table")
    check("num_pooling_heads", cfg.num_pooling_heads > 0, "positive")
    check("frame_perceptron_dim", cfg.frame_perceptron_dim >= 0, "0 or more")
    check("num_tuned_layers", cfg.num_tuned_layers >= -1, "-1 or more")
    check("head_only_updates", cfg.head_only_updates >= 0, "0 or more")
    check("head_dropout", 0.0 <= cfg.head_dropout < 1.0, "a probability below 1")
    if faults:
        raise ConfigError(report_all(faults))


class SentenceHead(nn.Module):
    """Frames to one sentence embedding: [perceptron] -> attentive pooling -> linear -> tanh.

    Source: section III of arXiv:2306.00789; perceptron and further pooling heads are additions of ours.

    Args:
        dim: D, size of a frame.
        embedding_dim: E.
        num_pooling_heads: heads of the pooling.
        perceptron_dim: inner size of the perceptron, 0 for none.
        dropout: inside the perceptron and before the projection.
    """

    def __init__(
        self, dim: int, embedding_dim: int, num_pooling_heads: int = 1, perceptron_dim: int = 0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.perceptron = FramePerceptron(dim, perceptron_dim, dropout) if perceptron_dim else None
        self.pooling = AttentivePooling(dim, num_pooling_heads)
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(self.pooling.output_dim, embedding_dim)

    def forward(self, frames: Tensor, padding_mask: Tensor) -> Tensor:
        """Embed (B, T, D) frames with their (B, T) mask as (B, E)."""
        if self.perceptron is not None:
            frames = self.perceptron(frames)
        return torch.tanh(self.projection(self.dropout(self.pooling(frames, padding_mask))))


@register_model("samu_xlsr", dataclass=SamuXlsrConfig)
class SamuXlsrModel(SpeechModel):
    """A speech encoder and its sentence head.

    The teacher is no part of it. What is frozen stays in evaluation mode and outside of the graph.

    Args:
        cfg: options.
        encoder: the speech encoder.
    """

    def __init__(self, cfg: SamuXlsrConfig, encoder: SpeechEncoder) -> None:
        super().__init__(cfg)
        validate(cfg)
        self.encoder = encoder
        self.head = SentenceHead(
            encoder.dim, cfg.embedding_dim, cfg.num_pooling_heads, cfg.frame_perceptron_dim, cfg.head_dropout
        )
        self.head_only_updates = cfg.head_only_updates
        self._freeze(cfg.num_tuned_layers, cfg.tune_feature_extractor)

    @classmethod
    def build_model(cls, cfg: SamuXlsrConfig, task: Any = None) -> "SamuXlsrModel":
        """Build the model with random weights; the task loads the encoder's."""
        validate(cfg)
        return cls(cfg, build_configured_encoder(cfg))

    def _freeze(self, num_tuned_layers: int, tune_feature_extractor: bool) -> None:
        """Let gradients reach the chosen parts of the encoder only."""
        layers = self.encoder.num_layers
        first = 0 if num_tuned_layers < 0 else max(layers - num_tuned_layers, 0)
        tuned = {f"layer.{index}" for index in range(first, layers)}
        if num_tuned_layers != 0:
            tuned.add("final_norm")
        if num_tuned_layers < 0:
            tuned.add("embedding")
        if tune_feature_extractor:
            tuned.add("feature_extractor")
        for name, parameter in self.encoder.named_parameters():
            parameter.requires_grad = self.encoder.group_of(name) in tuned
        self.encoder_is_frozen = not any(p.requires_grad for p in self.encoder.parameters())

    @property
    def encoder_rests(self) -> bool:
        """Whether the encoder is not moved by the update at hand."""
        return self.encoder_is_frozen or self.num_updates < self.head_only_updates

    def train(self, mode: bool = True) -> "SamuXlsrModel":
        """Switch the mode of all that is tuned; what is frozen stays in evaluation mode."""
        super().train(mode)
        set_training(self.encoder, mode and not self.encoder_rests)
        return self

    @property
    def feature_stage(self) -> Optional[int]:
        """Stage of the encoder up to which features can be computed once; a frozen encoder draws nothing."""
        return self.encoder.whole_stage if self.encoder_is_frozen else super().feature_stage

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the names that tables and options use, from input to output."""
        named = dict(self.encoder.named_parameters())
        groups = {
            f"encoder.{group}": [named[name] for name in names]
            for group, names in self.encoder.parameter_groups().items()
        }
        parts = {"perceptron": self.head.perceptron, "pooling": self.head.pooling, "projection": self.head.projection}
        for name, part in parts.items():
            if part is not None:
                groups[f"head.{name}"] = list(part.parameters())
        return groups

    def forward(
        self,
        source: Optional[Tensor] = None,
        padding_mask: Optional[Tensor] = None,
        row_ids: Optional[Tensor] = None,
        features: Optional[Tensor] = None,
    ) -> SamuXlsrOutput:
        """Embed utterances; see :meth:`encode` for the arguments.

        Returns:
            Embedding, frames and mask.
        """
        encoded = self.encode(source, padding_mask, row_ids, features)
        return SamuXlsrOutput(self.head(encoded.frames, encoded.padding_mask), encoded.frames, encoded.padding_mask)
