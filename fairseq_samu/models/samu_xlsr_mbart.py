"""Speech translation: a semantic speech encoder with adapters, and mBART's decoder on its frames."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

from fairseq.models import register_model
from torch import Tensor, nn

from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.models.compressor_options import OFF, CompressorOptions, build_compressor, find_compressor_faults
from fairseq_samu.models.mbart_decoder import DECODER_GROUPS, EncodedUtterances, MBartDecoder, MBartDecoderConfig
from fairseq_samu.models.speech_encoder import SpeechEncoder
from fairseq_samu.models.speech_encoder_options import (
    SpeechEncoderOptions,
    build_configured_encoder,
    find_encoder_faults,
    parse_sizes,
)
from fairseq_samu.models.speech_model import SpeechModel
from fairseq_samu.models.tuning import parse_tuned_groups, set_training, tune_only
from fairseq_samu.modules.adapter import Adapter
from fairseq_samu.modules.fast_linear import use_fast_products
from fairseq_samu.modules.length_adapter import LengthAdapter

GROUPS = (
    "feature_extractor",
    "encoder",
    "encoder_adapters",
    "ctc_head",
    "compressor",
    "length_adapter",
    "bridge",
    *DECODER_GROUPS,
)
COLLECTIONS = {"decoder": DECODER_GROUPS, "all": GROUPS}
ADAPTER_MARK = "_adapter."  # of the names of adapters inside the encoder


@dataclass
class SamuXlsrMbartConfig(CompressorOptions, SpeechEncoderOptions):
    """Options of the model samu_xlsr_mbart."""

    decoder_path: str = field(
        default="",
        metadata={"help": "weights and vocabulary of the decoder: a folder of mBART, fairseq's or Hugging Face's"},
    )
    decoder_config: str = field(
        default="",
        metadata={"help": "sizes of the decoder as JSON over mBART-50's; read from decoder_path where that is given"},
    )
    decoder_from_scratch: bool = field(
        default=False, metadata={"help": "keep sizes and vocabulary of decoder_path but none of its weights"}
    )
    without_decoder: bool = field(
        default=False, metadata={"help": "build no decoder: recognition by CTC alone, which needs ctc_head"}
    )
    ctc_head: bool = field(default=False, metadata={"help": "add a linear layer for CTC to the encoder's frames"})
    adapter_dim: int = field(
        default=0, metadata={"help": "inner size of the encoder's adapters (0 = none; the paper: a fourth, 256)"}
    )
    num_length_adapter_layers: int = field(
        default=0, metadata={"help": "convolutions between encoder and decoder, each halves the frames (0, the paper)"}
    )
    decoder_dropout: float = field(default=0.1, metadata={"help": "dropout of the decoder, where it is tuned"})
    tuned_groups: str = field(
        default="encoder_adapters,ctc_head,compressor,length_adapter,bridge,added_tags,cross_attention,layer_norms",
        metadata={
            "help": f"what is tuned, comma-separated: {', '.join(GROUPS)}; `decoder` stands for all of the decoder"
        },
    )


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


def validate(cfg: SamuXlsrMbartConfig) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: sizes, probabilities or groups are out of their range.
    """
    faults = find_encoder_faults(cfg, "samu_xlsr_mbart") + find_compressor_faults(cfg, "samu_xlsr_mbart")

    def check(name: str, holds: bool, rule: str) -> None:
        if not holds:
            option = f"--{name.replace('_', '-')}"
            faults.append(explain("samu_xlsr_mbart", name, rule, getattr(cfg, name), f"Set {option}."))

    check("decoder_config", cfg.without_decoder or bool(cfg.decoder_config), "known once the vocabulary was read")
    check("ctc_head", cfg.ctc_head or not cfg.without_decoder, "set without a decoder")
    fits = cfg.ctc_head and not cfg.without_decoder
    check("compressor", cfg.compressor == OFF or fits, "off without a decoder, or without --ctc-head")
    check("adapter_dim", cfg.adapter_dim >= 0, "0 or more")
    check("num_length_adapter_layers", cfg.num_length_adapter_layers >= 0, "0 or more")
    check("decoder_dropout", 0.0 <= cfg.decoder_dropout < 1.0, "a probability below 1")
    try:
        parse_tuned_groups(cfg.tuned_groups, dict.fromkeys(GROUPS), COLLECTIONS)
    except ConfigError as error:
        faults.append(str(error))
    if faults:
        raise ConfigError(report_all(faults))


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
        if cfg.adapter_dim:
            for layer in encoder.transformer_layers():
                layer.attention_adapter = Adapter(encoder.dim, cfg.adapter_dim)
                layer.ffn_adapter = Adapter(encoder.dim, cfg.adapter_dim)
        self.ctc_head = nn.Linear(encoder.dim, vocabulary_size) if cfg.ctc_head else None
        self.compressor = build_compressor(cfg, encoder.dim)
        layers = cfg.num_length_adapter_layers
        self.length_adapter = LengthAdapter(encoder.dim, layers) if layers else None
        self.decoder: Optional[MBartDecoder] = None
        self.bridge: nn.Module = nn.Identity()
        if not cfg.without_decoder:
            sizes = {**parse_sizes("decoder_config", cfg.decoder_config), "vocabulary_size": vocabulary_size}
            self.decoder = MBartDecoder(MBartDecoderConfig.from_dict({**sizes, "dropout": cfg.decoder_dropout}), pad)
            if encoder.dim != self.decoder.config.dim:
                self.bridge = nn.Linear(encoder.dim, self.decoder.config.dim)
        use_fast_products(self)
        tune_only(self.parameter_groups(), parse_tuned_groups(cfg.tuned_groups, dict.fromkeys(GROUPS), COLLECTIONS))

    @classmethod
    def build_model(cls, cfg: SamuXlsrMbartConfig, task: Any = None) -> "SamuXlsrMbartModel":
        """Build the model with random weights; the task loads what is pre-trained."""
        validate(cfg)
        dictionary = task.target_dictionary
        return cls(cfg, build_configured_encoder(cfg), len(dictionary), dictionary.pad())

    # ---- groups ---------------------------------------------------------------------------------------------------

    def group_of(self, name: str) -> str:
        """Name the group of a parameter, one of :data:`GROUPS`."""
        part, _, rest = name.partition(".")
        if part == "decoder":
            return MBartDecoder.group_of(rest)
        if part != "encoder":
            return part
        if ADAPTER_MARK in rest:
            return "encoder_adapters"
        return "feature_extractor" if self.encoder.group_of(rest) == "feature_extractor" else "encoder"

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by the names that tables and options use, from input to output."""
        groups: dict[str, list[nn.Parameter]] = {group: [] for group in GROUPS}
        for name, parameter in self.named_parameters():
            groups[self.group_of(name)].append(parameter)
        return {group: parameters for group, parameters in groups.items() if parameters}

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
        self, frames: Tensor, padding_mask: Tensor, ctc_logits: Optional[Tensor] = None
    ) -> EncodedUtterances:
        """Prepare frames for the decoder.

        Args:
            frames: (B, T, D) float of the encoder.
            padding_mask: (B, T) bool, True = padding.
            ctc_logits: (B, T, V) float of these frames, where they were computed before.

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
        return self.decoder.project_frames(self.bridge(frames), padding_mask)

    def encode_utterances(
        self,
        source: Optional[Tensor] = None,
        padding_mask: Optional[Tensor] = None,
        features: Optional[Tensor] = None,
    ) -> EncodedUtterances:
        """Prepare speech for a search by the decoder; see :meth:`encode` for the arguments."""
        encoded = self.encode(source, padding_mask, None, features)
        return self.project_frames(encoded.frames, encoded.padding_mask)

    def forward(
        self,
        source: Optional[Tensor] = None,
        padding_mask: Optional[Tensor] = None,
        row_ids: Optional[Tensor] = None,
        features: Optional[Tensor] = None,
        prev_output_tokens: Optional[Tensor] = None,
    ) -> SpeechTranslationOutput:
        """Encode utterances, and decode where texts are given.

        Args:
            source: see :meth:`encode`.
            padding_mask: see :meth:`encode`.
            row_ids: see :meth:`encode`.
            features: see :meth:`encode`.
            prev_output_tokens: (B, U) int64, what the decoder has written before each target token; None leaves it
                out.

        Returns:
            Decoder states, logits for CTC, frames.
        """
        encoded = self.encode(source, padding_mask, row_ids, features)
        ctc_logits = self.ctc_head(encoded.frames) if self.ctc_head is not None else None
        hidden = weight = None
        if self.decoder is not None and prev_output_tokens is not None:
            utterances = self.project_frames(encoded.frames, encoded.padding_mask, ctc_logits)
            hidden = self.decoder(prev_output_tokens, utterances)
            weight = self.decoder.embed_tokens.weight
        return SpeechTranslationOutput(hidden, weight, ctc_logits, encoded.frames, encoded.padding_mask)

    def tuned_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters of what is tuned."""
        return ((name, parameter) for name, parameter in self.named_parameters() if parameter.requires_grad)
