"""Options of the model samu_xlsr_mbart."""

from dataclasses import dataclass, field

from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.models.adapter_options import AdapterOptions, find_adapter_faults
from fairseq_samu.models.compressor_options import OFF, CompressorOptions, find_compressor_faults
from fairseq_samu.models.length_adapter_options import LengthAdapterOptions, find_length_adapter_faults
from fairseq_samu.models.mbart_decoder import DECODER_GROUPS
from fairseq_samu.models.speech_encoder_options import SpeechEncoderOptions, find_encoder_faults
from fairseq_samu.models.tuning import parse_tuned_groups

GROUPS = (
    "feature_extractor",
    "encoder",
    "encoder_adapters",
    "ctc_head",
    "compressor",
    "length_adapter",
    "bridge",
    *DECODER_GROUPS,
    "decoder_adapters",
)
COLLECTIONS = {"decoder": DECODER_GROUPS, "all": GROUPS}


@dataclass
class SamuXlsrMbartConfig(AdapterOptions, CompressorOptions, LengthAdapterOptions, SpeechEncoderOptions):
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
    decoder_dropout: float = field(default=0.1, metadata={"help": "dropout of the decoder, where it is tuned"})
    tuned_groups: str = field(
        default="encoder_adapters,ctc_head,compressor,length_adapter,bridge,added_tags,cross_attention,layer_norms,"
        "decoder_adapters",
        metadata={
            "help": f"what is tuned, comma-separated: {', '.join(GROUPS)}; `decoder` stands for all of the decoder but "
            "its adapters"
        },
    )


def validate(cfg: SamuXlsrMbartConfig) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: sizes, probabilities or groups are out of their range.
    """
    faults = find_encoder_faults(cfg, "samu_xlsr_mbart") + find_compressor_faults(cfg, "samu_xlsr_mbart")
    faults += find_adapter_faults(cfg, "samu_xlsr_mbart")
    faults += find_length_adapter_faults(cfg, "samu_xlsr_mbart")

    def check(name: str, holds: bool, rule: str) -> None:
        if not holds:
            option = f"--{name.replace('_', '-')}"
            faults.append(explain("samu_xlsr_mbart", name, rule, getattr(cfg, name), f"Set {option}."))

    check("decoder_config", cfg.without_decoder or bool(cfg.decoder_config), "known once the vocabulary was read")
    check("ctc_head", cfg.ctc_head or not cfg.without_decoder, "set without a decoder")
    fits = cfg.ctc_head and not cfg.without_decoder
    check("compressor", cfg.compressor == OFF or fits, "off without a decoder, or without --ctc-head")
    check("decoder_adapter_dim", not (cfg.without_decoder and cfg.decoder_adapter_dim), "0 without a decoder")
    check("decoder_dropout", 0.0 <= cfg.decoder_dropout < 1.0, "a probability below 1")
    try:
        parse_tuned_groups(cfg.tuned_groups, dict.fromkeys(GROUPS), COLLECTIONS)
    except ConfigError as error:
        faults.append(str(error))
    if faults:
        raise ConfigError(report_all(faults))
