"""Speech translation: a semantic speech encoder with adapters, and mBART's decoder on its frames."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

from fairseq.models import register_model
from torch import Tensor, nn

from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.models._samu_xlsr_mbart_options import COLLECTIONS, GROUPS, SamuXlsrMbartConfig, validate
from fairseq_samu.models.adapter_options import (
    ADAPTER_MARK,
    add_adapters,
    expand_groups,
    group_adapter,
    list_adapters,
    tuned_adapter_groups,
)
from fairseq_samu.models.compressor_options import build_compressor
from fairseq_samu.models.length_adapter_options import build_length_adapter
from fairseq_samu.models.mbart_decoder import EncodedUtterances, MBartDecoder, MBartDecoderConfig
from fairseq_samu.models.speech_encoder import SpeechEncoder
from fairseq_samu.models.speech_encoder_options import build_configured_encoder, parse_sizes
from fairseq_samu.models.speech_model import SpeechModel
from fairseq_samu.models.tuning import group_parameters, parse_tuned_groups, set_training, tune_only
from fairseq_samu.modules.fast_linear import use_fast_products


@dataclass
class SpeechTranslationOutput:
    """What the model hands out.

    Attributes:
        hidden: (B, U, D) float states of the decoder, of which the output layer makes logits; None where it did not
            run.
        output_weight: (V, D) float of the output layer; None without a decoder.
        ctc_logits: (B, T, V) float, where the model has a head for CTC.
        frames: (B, T, D) float, the encoder's.
        padding_mask: (B, T) bool, True = padding, of ``frames`` and ``ctc_logits``.
    """

    hidden: Optional[Tensor]
    output_weight: Optional[Tensor]
    ctc_logits: Optional[Tensor]
    frames: Tensor
    padding_mask: Tensor

    def logits(self) -> Tensor:
        """Logits (B, U, V) of every target token.

        Raises:
            ConfigError: the decoder did not run.
        """
        if self.hidden is None or self.output_weight is None:
            mend = "Hand over prev_output_tokens to a model with a decoder."
            raise ConfigError(explain("", "decoder", "run", "left out", mend))
        return nn.functional.linear(self.hidden, self.output_weight)


@register_model("samu_xlsr_mbart", dataclass=SamuXlsrMbartConfig)
class SamuXlsrMbartModel(SpeechModel):
    """Speech encoder with adapters -> [compressor] -> [length adapter] -> [linear bridge] -> mBART decoder.

    Source: section IV-B of arXiv:2306.00789. Deviations: compressor, length adapter, bridge (where encoder and decoder
    differ in size) and the head for CTC are options of ours. What is frozen stays in evaluation mode.

    Args:
        cfg: options; ``decoder_config`` must name the size of the vocabulary, or ``vocabulary_size`` be given.
        encoder: the speech encoder, without adapters.
        vocabulary_size: tokens V of the head for CTC and the decoder.
        pad: id of the padding token.
    """

    def __init__(self, cfg: SamuXlsrMbartConfig, encoder: SpeechEncoder, vocabulary_size: int, pad: int = 1) -> None:
        super().__init__(cfg)
        validate(cfg)
        self.encoder = encoder
        self.adapter_names = list_adapters(cfg)
        add_adapters(cfg, "encoder", encoder.transformer_layers(), encoder.dim)
        self.ctc_head = nn.Linear(encoder.dim, vocabulary_size) if cfg.ctc_head else None
        self.compressor = build_compressor(cfg, encoder.dim)
        self.length_adapter = build_length_adapter(cfg, encoder.dim)
        self.decoder: Optional[MBartDecoder] = None
        self.bridge: nn.Module = nn.Identity()
        if not cfg.without_decoder:
            sizes = {**parse_sizes("decoder_config", cfg.decoder_config), "vocabulary_size": vocabulary_size}
            self.decoder = MBartDecoder(MBartDecoderConfig.from_dict({**sizes, "dropout": cfg.decoder_dropout}), pad)
            add_adapters(cfg, "decoder", self.decoder.layers, self.decoder.config.dim)
            if encoder.dim != self.decoder.config.dim:
                self.bridge = nn.Linear(encoder.dim, self.decoder.config.dim)
        use_fast_products(self)
        self._group_order = expand_groups(cfg, GROUPS)
        tuned = parse_tuned_groups(cfg.tuned_groups, dict.fromkeys(GROUPS), COLLECTIONS)
        tune_only(self.parameter_groups(), tuned_adapter_groups(cfg, tuned))

    @classmethod
    def build_model(cls, cfg: SamuXlsrMbartConfig, task: Any = None) -> "SamuXlsrMbartModel":
        """Build the model with random weights; the task loads what is pre-trained."""
        validate(cfg)
        dictionary = task.target_dictionary
        return cls(cfg, build_configured_encoder(cfg), len(dictionary), dictionary.pad())

    # ---- groups ---------------------------------------------------------------------------------------------------

    def group_of(self, name: str) -> str:
        """Name the group of a parameter, one of :data:`GROUPS`; of a named adapter such as ``encoder_adapters.be``."""
        part, _, rest = name.partition(".")
        if part not in ("encoder", "decoder"):
            return part
        if ADAPTER_MARK in rest:
            return group_adapter(part, rest)
        if part == "decoder":
            return MBartDecoder.group_of(rest)
        return "feature_extractor" if self.encoder.group_of(rest) == "feature_extractor" else "encoder"

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the names that tables and options use, from input to output."""
        return group_parameters(self, self.group_of, self._group_order)

    @property
    def has_ctc(self) -> bool:
        """Whether the model writes transcripts by CTC."""
        return self.ctc_head is not None

    def train(self, mode: bool = True) -> "SamuXlsrMbartModel":
        """Switch the mode of all that is tuned; what is frozen stays in evaluation mode."""
        set_training(self, mode)
        self.training = mode
        return self

    def trim_vocabulary(self, kept: Tensor) -> None:
        """Keep the tokens of ``kept`` (V',) int64 alone, in that order; a compressor sees labels among them alone."""
        if self.decoder is not None:
            self.decoder.trim_vocabulary(kept)
        if self.ctc_head is not None:
            old = self.ctc_head
            self.ctc_head = nn.Linear(old.in_features, len(kept), device="meta")
            self.ctc_head.weight = nn.Parameter(old.weight.detach()[kept], old.weight.requires_grad)
            self.ctc_head.bias = nn.Parameter(old.bias.detach()[kept], old.bias.requires_grad)

    # ---- forward --------------------------------------------------------------------------------------------------

    def project_frames(
        self,
        frames: Tensor,
        padding_mask: Tensor,
        ctc_logits: Optional[Tensor] = None,
        target_adapters: Optional[Tensor] = None,
    ) -> EncodedUtterances:
        """Prepare frames for the decoder.

        Args:
            frames: (B, T, D) float of the encoder.
            padding_mask: (B, T) bool, True = padding.
            ctc_logits: (B, T, V) float of these frames, where they were computed before.
            target_adapters: see :meth:`forward`.

        Returns:
            What the decoder attends to.
        """
        assert self.decoder is not None
        if self.compressor is not None:
            assert self.ctc_head is not None
            compressed = self.compressor(
                frames, self.ctc_head(frames) if ctc_logits is None else ctc_logits, padding_mask
            )
            frames, padding_mask = compressed.frames, compressed.padding_mask
        if self.length_adapter is not None:
            frames, padding_mask = self.length_adapter(frames, padding_mask)
        return self.decoder.project_frames(self.bridge(frames), padding_mask, target_adapters)

    def encode_utterances(
        self,
        source: Optional[Tensor] = None,
        padding_mask: Optional[Tensor] = None,
        features: Optional[Tensor] = None,
        source_adapters: Optional[Tensor] = None,
        target_adapters: Optional[Tensor] = None,
    ) -> EncodedUtterances:
        """Prepare speech for a search by the decoder; see :meth:`forward` for the arguments."""
        encoded = self.encode(source, padding_mask, None, features, adapters=source_adapters)
        return self.project_frames(encoded.frames, encoded.padding_mask, None, target_adapters)

    def project_output(
        self, output: SpeechTranslationOutput, target_adapters: Optional[Tensor] = None
    ) -> EncodedUtterances:
        """As :meth:`encode_utterances`, of what :meth:`forward` has handed out."""
        return self.project_frames(output.frames, output.padding_mask, output.ctc_logits, target_adapters)

    def forward(
        self,
        source: Optional[Tensor] = None,
        padding_mask: Optional[Tensor] = None,
        row_ids: Optional[Tensor] = None,
        features: Optional[Tensor] = None,
        prev_output_tokens: Optional[Tensor] = None,
        source_adapters: Optional[Tensor] = None,
        target_adapters: Optional[Tensor] = None,
    ) -> SpeechTranslationOutput:
        """Encode utterances, and decode where texts are given.

        Args:
            source: see :meth:`encode`.
            padding_mask: see :meth:`encode`.
            row_ids: see :meth:`encode`.
            features: see :meth:`encode`.
            prev_output_tokens: (B, U) int64, what the decoder has written before each target token; None leaves it
                out.
            source_adapters: (B,) int64, place in ``adapter_names`` of the encoder's adapter of each row, -1 for none.
            target_adapters: likewise of the decoder's.

        Returns:
            Decoder states, logits for CTC, frames.
        """
        encoded = self.encode(source, padding_mask, row_ids, features, adapters=source_adapters)
        ctc_logits = self.ctc_head(encoded.frames) if self.ctc_head is not None else None
        hidden = weight = None
        if self.decoder is not None and prev_output_tokens is not None:
            utterances = self.project_frames(encoded.frames, encoded.padding_mask, ctc_logits, target_adapters)
            hidden = self.decoder(prev_output_tokens, utterances)
            weight = self.decoder.embed_tokens.weight
        return SpeechTranslationOutput(hidden, weight, ctc_logits, encoded.frames, encoded.padding_mask)

    def tuned_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters of what is tuned."""
        return ((name, parameter) for name, parameter in self.named_parameters() if parameter.requires_grad)
