"""Multi-task speech translation: acoustic encoder, length compressor, and text parts that speech and text share."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

from fairseq.models import register_model
from torch import Tensor, nn

from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.models._multitask_st_options import COLLECTIONS, GROUPS, MultitaskStConfig, validate
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
from fairseq_samu.models.mbart_decoder import EncodedUtterances, MBartDecoder
from fairseq_samu.models.speech_encoder import SpeechEncoder, SpeechEncoderOutput
from fairseq_samu.models.speech_encoder_options import build_configured_encoder, parse_sizes
from fairseq_samu.models.speech_model import SpeechModel
from fairseq_samu.models.textual_encoder import ExtractorConfig, TextConfig, TextualEncoder
from fairseq_samu.models.tuning import group_parameters, parse_tuned_groups, set_training, tune_only
from fairseq_samu.modules.fast_linear import use_fast_products
from fairseq_samu.ops.fast_products import linear


@dataclass
class MultitaskOutput:
    """What the model hands out.

    Attributes:
        hidden: (B, U, D) float states of the decoder, of which the output layer makes logits; None where it did not
            run.
        output_weight: (V, D) float of the output layer, tied to embeddings and CTC head.
        ctc_logits: (B, T, V) float; None for text.
        padding_mask: (B, T) bool, True = padding, of ``ctc_logits``; None for text.
        compressed: (B, S, D) float, what enters the textual encoder: shortened frames or scaled embeddings.
        states: (B, S, D) float, what leaves it, zero at padding.
        state_mask: (B, S) bool, True = padding, of both.
    """

    hidden: Optional[Tensor]
    output_weight: Tensor
    ctc_logits: Optional[Tensor]
    padding_mask: Optional[Tensor]
    compressed: Tensor
    states: Tensor
    state_mask: Tensor

    def logits(self) -> Tensor:
        """Logits (B, U, V) of every target token.

        Raises:
            ConfigError: the decoder did not run.
        """
        if self.hidden is None:
            mend = "Hand over prev_output_tokens."
            raise ConfigError(explain("", "decoder", "run", "left out", mend))
        return linear(self.hidden, self.output_weight)


@register_model("multitask_st", dataclass=MultitaskStConfig)
class MultitaskStModel(SpeechModel):
    """Acoustic encoder, projection, CTC head, length compressor, textual encoder (where text enters), decoder.

    Source: section 3 of arXiv:2311.03810. The CTC head is the token embedding, so is the output layer. A length adapter
    behind the compressor, or in its place, is an option of ours. What is frozen stays in evaluation mode, and so does
    an acoustic encoder that rests.

    Args:
        cfg: options.
        encoder: the acoustic encoder; None for text alone.
        vocabulary_size: tokens V.
        pad: id of the padding token.
        blank: id of CTC's blank.
    """

    def __init__(
        self,
        cfg: MultitaskStConfig,
        encoder: Optional[SpeechEncoder],
        vocabulary_size: int,
        pad: int = 1,
        blank: int = 0,
    ) -> None:
        super().__init__(cfg)
        validate(cfg)
        sizes = TextConfig.from_dict(parse_sizes("text_config", cfg.text_config))
        self.pad, self.blank = pad, blank
        self.encoder_freeze_updates = cfg.encoder_freeze_updates
        self.encoder = encoder  # type: ignore[assignment]
        self.adapter_names = list_adapters(cfg)
        if encoder is not None:
            add_adapters(cfg, "encoder", encoder.transformer_layers(), encoder.dim)
        self.projection = nn.Linear(encoder.dim, sizes.dim) if encoder is not None else None
        self.compressor = build_compressor(cfg, sizes.dim) if encoder is not None else None
        self.length_adapter = build_length_adapter(cfg, sizes.dim) if encoder is not None else None
        extractor = ExtractorConfig(cfg.l2g_kernel, cfg.l2g_step, str(cfg.l2g_norm))
        self.text_encoder = TextualEncoder(sizes, extractor, cfg.text_dropout)
        self.decoder = MBartDecoder(sizes.decoder(vocabulary_size, cfg.text_dropout), pad)
        add_adapters(cfg, "decoder", self.decoder.layers, sizes.dim)
        use_fast_products(self)
        self._group_order = expand_groups(cfg, GROUPS)
        tuned = parse_tuned_groups(cfg.tuned_groups, dict.fromkeys(GROUPS), COLLECTIONS)
        tune_only(self.parameter_groups(), tuned_adapter_groups(cfg, tuned))
        self._freeze_layers(cfg.num_tuned_layers)

    @classmethod
    def build_model(cls, cfg: MultitaskStConfig, task: Any = None) -> "MultitaskStModel":
        """Build the model with random weights; the task loads what is pre-trained."""
        validate(cfg)
        dictionary = task.target_dictionary
        encoder = None if cfg.without_speech else build_configured_encoder(cfg)
        return cls(cfg, encoder, len(dictionary), dictionary.pad(), dictionary.bos())

    # ---- groups ---------------------------------------------------------------------------------------------------

    def _freeze_layers(self, num_tuned: int) -> None:
        """Freeze all of the acoustic encoder but its adapters below its last layers."""
        if self.encoder is None or num_tuned < 0:
            return
        first = max(self.encoder.num_layers - num_tuned, 0)
        tuned = {f"layer.{index}" for index in range(first, self.encoder.num_layers)}
        tuned |= {"final_norm"} if num_tuned else set()
        for name, parameter in self.encoder.named_parameters():
            if ADAPTER_MARK not in name:
                parameter.requires_grad = parameter.requires_grad and self.encoder.group_of(name) in tuned

    def group_of(self, name: str) -> str:
        """Name the group of a parameter, one of :data:`GROUPS`; of a named adapter such as ``encoder_adapters.be``."""
        part, _, rest = name.partition(".")
        if part in ("encoder", "decoder") and ADAPTER_MARK in rest:
            return group_adapter(part, rest)
        if part == "decoder":
            return MBartDecoder.group_of(rest)
        if part == "encoder":
            return "feature_extractor" if self.encoder.group_of(rest) == "feature_extractor" else "encoder"
        return "local_to_global" if rest.startswith("extractors.") else part

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the names that tables and options use, from input to output."""
        return group_parameters(self, self.group_of, self._group_order)

    def probed_parameters(self) -> dict[str, list[tuple[int, nn.Parameter]]]:
        """Parameters on which gradients of tasks are compared: output projections of self-attention by module, layer.

        Returns:
            (layer, weight (D, D)) of each layer that is tuned, under ``acoustic_encoder``, ``textual_encoder`` and
            ``decoder``.
        """
        modules: dict[str, Iterable[Any]] = {
            "acoustic_encoder": () if self.encoder is None else self.encoder.transformer_layers(),
            "textual_encoder": self.text_encoder.layers,
            "decoder": self.decoder.layers,
        }
        weights = {
            module: [(index, layer.self_attn.out_proj.weight) for index, layer in enumerate(layers)]
            for module, layers in modules.items()
        }
        return {module: [probe for probe in probes if probe[1].requires_grad] for module, probes in weights.items()}

    @property
    def has_ctc(self) -> bool:
        """Whether the model writes transcripts by CTC."""
        return self.projection is not None

    @property
    def encoder_rests(self) -> bool:
        """Whether the acoustic encoder is not moved by the update at hand."""
        return self.encoder is not None and self.num_updates < self.encoder_freeze_updates

    def train(self, mode: bool = True) -> "MultitaskStModel":
        """Switch the mode of all that is tuned; what is frozen or rests stays in evaluation mode."""
        set_training(self, mode)
        if self.encoder_rests:
            self.encoder.eval()
        self.training = mode
        return self

    def trim_vocabulary(self, kept: Tensor) -> None:
        """Keep the tokens of ``kept`` (V',) int64 alone, in that order; CTC and compressor choose among them."""
        self.decoder.trim_vocabulary(kept)

    # ---- forward --------------------------------------------------------------------------------------------------

    def encode_speech(self, encoded: SpeechEncoderOutput) -> MultitaskOutput:
        """Project, shorten and encode frames of the acoustic encoder; the output is without ``hidden``."""
        assert self.projection is not None
        frames = self.projection(encoded.frames)
        weight = self.decoder.embed_tokens.weight
        logits = linear(frames, weight)
        compressed, mask = frames, encoded.padding_mask
        if self.compressor is not None:
            found = self.compressor(frames, logits, encoded.padding_mask)
            compressed, mask = found.frames, found.padding_mask
        if self.length_adapter is not None:
            compressed, mask = self.length_adapter(compressed, mask)
        states = self.text_encoder(compressed, mask)
        return MultitaskOutput(None, weight, logits, encoded.padding_mask, compressed, states, mask)

    def encode_text(self, tokens: Tensor) -> MultitaskOutput:
        """Embed and encode source texts.

        Args:
            tokens: (B, U) int64 pieces, padded; every row has one at least.

        Returns:
            The output without ``hidden`` and logits; S = U.
        """
        mask = tokens == self.pad
        embedded = self.decoder.embed_tokens(tokens) * self.decoder.scale
        weight = self.decoder.embed_tokens.weight
        return MultitaskOutput(None, weight, None, None, embedded, self.text_encoder(embedded, mask), mask)

    def encode_utterances(
        self,
        source: Optional[Tensor] = None,
        padding_mask: Optional[Tensor] = None,
        features: Optional[Tensor] = None,
        source_tokens: Optional[Tensor] = None,
        source_adapters: Optional[Tensor] = None,
        target_adapters: Optional[Tensor] = None,
    ) -> EncodedUtterances:
        """Prepare speech or text for a search by the decoder; see :meth:`forward`."""
        output = self(source, padding_mask, None, features, None, source_tokens, source_adapters)
        return self.project_output(output, target_adapters)

    def project_output(self, output: MultitaskOutput, target_adapters: Optional[Tensor] = None) -> EncodedUtterances:
        """As :meth:`encode_utterances`, of what :meth:`forward` has handed out."""
        return self.decoder.project_frames(output.states, output.state_mask, target_adapters)

    def forward(
        self,
        source: Optional[Tensor] = None,
        padding_mask: Optional[Tensor] = None,
        row_ids: Optional[Tensor] = None,
        features: Optional[Tensor] = None,
        prev_output_tokens: Optional[Tensor] = None,
        source_tokens: Optional[Tensor] = None,
        source_adapters: Optional[Tensor] = None,
        target_adapters: Optional[Tensor] = None,
    ) -> MultitaskOutput:
        """Encode speech or text, and decode where target texts are given.

        Args:
            source: see :meth:`encode`.
            padding_mask: see :meth:`encode`.
            row_ids: see :meth:`encode`.
            features: see :meth:`encode`.
            prev_output_tokens: (B, U) int64, what the decoder has written before each target token; None leaves it
                out.
            source_tokens: (B, U') int64 pieces of source texts, padded; they take the place of speech.
            source_adapters: (B,) int64, place in ``adapter_names`` of the acoustic encoder's adapter of each row, -1
                for none; texts have no use for it.
            target_adapters: likewise of the decoder's.

        Returns:
            Decoder states, logits for CTC, what enters and leaves the textual encoder.
        """
        if source_tokens is not None:
            output = self.encode_text(source_tokens)
        else:
            output = self.encode_speech(self.encode(source, padding_mask, row_ids, features, adapters=source_adapters))
        if prev_output_tokens is not None:
            output.hidden = self.decoder(prev_output_tokens, self.project_output(output, target_adapters))
        return output
