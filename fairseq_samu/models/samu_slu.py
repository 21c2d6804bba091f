"""samu_slu: SAMU-XLSR that tags concepts, with its sentence head kept in training or left alone."""

from dataclasses import dataclass, field
from typing import Any, Optional

import torch
from fairseq.models import register_model
from omegaconf import II
from torch import Tensor, nn

from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.models import samu_xlsr
from fairseq_samu.models.samu_xlsr import SamuXlsrConfig, SamuXlsrModel, SamuXlsrOutput
from fairseq_samu.models.speech_encoder import SpeechEncoder, SpeechEncoderOutput
from fairseq_samu.models.speech_encoder_options import build_configured_encoder
from fairseq_samu.modules.concept_head import ConceptHead
from fairseq_samu.modules.fast_linear import use_fast_products
from fairseq_samu.modules.layer_mixture import LayerMixture

LAST, WEIGHTED = "last", "weighted"
LAYER_RULE = "'last', 'weighted', or the number of a layer"


@dataclass
class SamuSluConfig(SamuXlsrConfig):
    """Options of the model samu_slu."""

    slu_features: str = field(
        default=LAST,
        metadata={
            "help": "what is tagged: the encoder's frames ('last'), the output of a layer (its number, from 1), "
            "or a learned weighted sum of all layers ('weighted')"
        },
    )
    lstm_dim: int = field(default=1024, metadata={"help": "size of a direction of the tagging head's Bi-LSTM"})
    num_lstm_layers: int = field(default=3, metadata={"help": "layers of the tagging head's Bi-LSTM"})
    slu_hidden_dim: int = field(default=1024, metadata={"help": "size between the tagging head's two linear layers"})
    slu_dropout: float = field(default=0.0, metadata={"help": "dropout inside the tagging head, in training"})
    slu_checkpoint: str = field(
        default="",
        metadata={
            "help": "checkpoint of samu_slu whose tagging head is trained on, as for another language; labels that it "
            "lacks begin with random weights"
        },
    )
    num_labels: int = field(default=0, metadata={"help": "labels of CTC with the blank (0 = those of the label file)"})
    # None where the criterion is another one, so that the task can say so: the host resolves all options at once
    slu_weight: Optional[float] = II("oc.select:criterion.slu_weight,null")
    semantic_weight: Optional[float] = II("oc.select:criterion.semantic_weight,null")


@dataclass
class SamuSluOutput(SamuXlsrOutput):
    """What the model hands out, beside embedding, frames and mask.

    Attributes:
        ctc_logits: (B, T, V) float over labels, 0 = blank; None where the tagging head rests.
    """

    ctc_logits: Optional[Tensor] = None


def validate(cfg: SamuSluConfig) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: sizes or probabilities are out of their range.
    """
    faults = []
    try:
        samu_xlsr.validate(cfg)
    except ConfigError as error:
        faults.append(str(error))

    def check(name: str, holds: bool, rule: str) -> None:
        if not holds:
            option = f"--{name.replace('_', '-')}"
            faults.append(explain("samu_slu", name, rule, getattr(cfg, name), f"Set {option}."))

    check("slu_features", cfg.slu_features in (LAST, WEIGHTED) or cfg.slu_features.isdecimal(), LAYER_RULE)
    for name in ("lstm_dim", "num_lstm_layers", "slu_hidden_dim"):
        check(name, getattr(cfg, name) > 0, "positive")
    check("num_labels", cfg.num_labels > 1, "known once the label file was read")
    check("slu_dropout", 0.0 <= cfg.slu_dropout < 1.0, "a probability below 1")
    if faults:
        raise ConfigError(report_all(faults))


@register_model("samu_slu", dataclass=SamuSluConfig)
class SamuSluModel(SamuXlsrModel):
    """A speech encoder with two heads: one sentence embedding an utterance, and labels of concepts by CTC.

    Source: section 3 of arXiv:2406.12141; layers to tag from as in arXiv:2210.05291. A head whose loss has the weight 0
    is frozen, and so is left untouched.

    Args:
        cfg: options.
        encoder: the speech encoder.
    """

    def __init__(self, cfg: SamuSluConfig, encoder: SpeechEncoder) -> None:
        validate(cfg)
        super().__init__(cfg, encoder)
        self.slu_layer = self._layer_of(cfg.slu_features)
        if cfg.slu_features == WEIGHTED:
            self.layer_mixture = LayerMixture(encoder.num_layers)
        self.slu_head = ConceptHead(
            encoder.dim, cfg.num_labels, cfg.lstm_dim, cfg.num_lstm_layers, cfg.slu_hidden_dim, cfg.slu_dropout
        )
        # A float where a criterion of ours trains; a checkpoint's model is built for use, where nothing rests.
        self.slu_rests = cfg.slu_weight == 0
        self.embedding_rests = cfg.semantic_weight == 0
        self.head.requires_grad_(not self.embedding_rests)
        for part in self._slu_parts().values():
            part.requires_grad_(not self.slu_rests)
        if self.embedding_rests:
            self._freeze_behind_tags()
        use_fast_products(self)

    @classmethod
    def build_model(cls, cfg: SamuSluConfig, task: Any = None) -> "SamuSluModel":
        """Build the model with random weights; the task loads what is pre-trained."""
        validate(cfg)
        return cls(cfg, build_configured_encoder(cfg))

    def _layer_of(self, features: str) -> Optional[int]:
        """The layer to tag from, counted from 1; None for the encoder's frames, 0 for all layers."""
        if features in (LAST, WEIGHTED):
            return None if features == LAST else 0
        layer = int(features)
        if not 1 <= layer <= self.encoder.num_layers:
            mend = f"Set --slu-features to 1 ... {self.encoder.num_layers}."
            raise ConfigError(explain("samu_slu", "slu_features", LAYER_RULE, features, mend))
        return layer

    def _freeze_behind_tags(self) -> None:
        """Freeze what only the sentence head reads: no gradient would reach it, and weight decay would move it."""
        if self.slu_layer is None:
            return
        last = self.slu_layer or self.encoder.num_layers
        behind = {"final_norm", *(f"layer.{number}" for number in range(last, self.encoder.num_layers))}
        for name, parameter in self.encoder.named_parameters():
            if self.encoder.group_of(name) in behind:
                parameter.requires_grad = False
        self.encoder_is_frozen = not any(parameter.requires_grad for parameter in self.encoder.parameters())

    def _slu_parts(self) -> dict[str, nn.Module]:
        parts: dict[str, nn.Module] = {} if self.slu_layer != 0 else {"layer_mixture": self.layer_mixture}
        return {**parts, "lstm": self.slu_head.lstm, "hidden": self.slu_head.hidden, "output": self.slu_head.output}

    @property
    def feature_stage(self) -> Optional[int]:
        """Stage of the encoder up to which features can be computed once: not beyond the layers that are tagged."""
        stage = super().feature_stage
        return stage if stage is None or self.slu_layer is None else min(stage, self.slu_layer)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the names that tables and options use, from input to output."""
        own = {f"slu_head.{name}": list(part.parameters()) for name, part in self._slu_parts().items()}
        return {**super().parameter_groups(), **own}

    def train(self, mode: bool = True) -> "SamuSluModel":
        """Switch the mode of all that is tuned; what is frozen stays in evaluation mode."""
        super().train(mode)
        self.head.train(mode and not self.embedding_rests)
        self.slu_head.train(mode and not self.slu_rests)
        return self

    def forward(
        self,
        source: Optional[Tensor] = None,
        padding_mask: Optional[Tensor] = None,
        row_ids: Optional[Tensor] = None,
        features: Optional[Tensor] = None,
    ) -> SamuSluOutput:
        """Embed and tag utterances; see :meth:`SamuXlsrModel.encode` for the arguments.

        Returns:
            Embedding, frames, mask and logits.
        """
        encoded = self.encode(source, padding_mask, row_ids, features, return_layers=self.slu_layer is not None)
        mask = encoded.padding_mask
        # Computed also where its head rests: what the encoder forgets is seen in the log.
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.embedding_rests):
            embedding = self.head(encoded.frames, mask)
        logits = None
        if not (self.training and self.slu_rests):
            logits = self.slu_head(self._frames_to_tag(encoded), mask)
        return SamuSluOutput(embedding, encoded.frames, mask, logits)

    def _frames_to_tag(self, encoded: SpeechEncoderOutput) -> Tensor:
        """Pick or mix the layers (B, T, D) that are tagged."""
        if self.slu_layer is None:
            return encoded.frames
        if self.slu_layer == 0:
            mixed: Tensor = self.layer_mixture(encoded.layers[-self.encoder.num_layers :])
            return mixed
        return encoded.layers[self.slu_layer - self.encoder.num_layers - 1]
