"""Options of the model multitask_st."""

from dataclasses import dataclass, field

from fairseq.dataclass import ChoiceEnum

from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.models.adapter_options import AdapterOptions, find_adapter_faults
from fairseq_samu.models.compressor_options import KINDS, CompressorOptions, find_compressor_faults
from fairseq_samu.models.length_adapter_options import LengthAdapterOptions, find_length_adapter_faults
from fairseq_samu.models.mbart_decoder import DECODER_GROUPS
from fairseq_samu.models.speech_encoder_options import SpeechEncoderOptions, find_encoder_faults, parse_sizes
from fairseq_samu.models.textual_encoder import TextConfig
from fairseq_samu.models.tuning import parse_tuned_groups

GROUPS = (
    "feature_extractor",
    "encoder",
    "encoder_adapters",
    "projection",
    "compressor",
    "length_adapter",
    "local_to_global",
    "text_encoder",
    *DECODER_GROUPS,
    "decoder_adapters",
)
COLLECTIONS = {"decoder": DECODER_GROUPS, "all": GROUPS[1:]}


@dataclass
class MultitaskStConfig(AdapterOptions, CompressorOptions, LengthAdapterOptions, SpeechEncoderOptions):
    """Options of the model multitask_st."""

    without_speech: bool = field(
        default=False, metadata={"help": "build no acoustic encoder: translation of text, as text_path needs it"}
    )
    text_path: str = field(
        default="",
        metadata={
            "help": "checkpoint of this model whose vocabulary, textual encoder and decoder are taken, its projection, "
            "compressor and length adapter too where it has them"
        },
    )
    text_config: str = field(
        default="{}",
        metadata={"help": "sizes of textual encoder and decoder, JSON over the paper's; read from text_path if given"},
    )
    text_dropout: float = field(default=0.1, metadata={"help": "dropout of textual encoder and decoder"})
    compressor: ChoiceEnum(KINDS) = field(  # type: ignore[valid-type]
        default="first", metadata={"help": CompressorOptions.__dataclass_fields__["compressor"].metadata["help"]}
    )
    l2g_kernel: int = field(
        default=5, metadata={"help": "positions that the first local-to-global extractor sees (0 = no extractors)"}
    )
    l2g_step: int = field(default=3, metadata={"help": "how many more each following extractor sees"})
    l2g_norm: ChoiceEnum(["layer", "batch"]) = field(  # type: ignore[valid-type]
        default="layer", metadata={"help": "norm inside the extractors"}
    )
    num_tuned_layers: int = field(
        default=-1, metadata={"help": "tune this many of the last layers of the acoustic encoder (-1 = all)"}
    )
    encoder_freeze_updates: int = field(
        default=0, metadata={"help": "the acoustic encoder rests in the first updates (3000 in the paper)"}
    )
    tuned_groups: str = field(
        default="all",
        metadata={
            "help": f"what is tuned, comma-separated: {', '.join(GROUPS)}; `decoder` stands for all of the decoder "
            "but its adapters, `all` for everything but the feature extractor"
        },
    )


def validate(cfg: MultitaskStConfig) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: sizes, probabilities or groups are out of their range.
    """
    faults = [] if cfg.without_speech else find_encoder_faults(cfg, "multitask_st")
    faults += find_compressor_faults(cfg, "multitask_st") + find_length_adapter_faults(cfg, "multitask_st")
    faults += find_adapter_faults(cfg, "multitask_st")

    def check(name: str, holds: bool, rule: str) -> None:
        if not holds:
            option = f"--{name.replace('_', '-')}"
            faults.append(explain("multitask_st", name, rule, getattr(cfg, name), f"Set {option}."))

    check("adapter_dim", not (cfg.without_speech and cfg.adapter_dim), "0 without an acoustic encoder")
    check("text_dropout", 0.0 <= cfg.text_dropout < 1.0, "a probability below 1")
    check("l2g_kernel", cfg.l2g_kernel >= 0, "0 or more")
    check("l2g_step", cfg.l2g_step >= 0, "0 or more")
    check("num_tuned_layers", cfg.num_tuned_layers >= -1, "-1 or more")
    check("encoder_freeze_updates", cfg.encoder_freeze_updates >= 0, "0 or more")
    try:
        TextConfig.from_dict(parse_sizes("text_config", cfg.text_config))
        parse_tuned_groups(cfg.tuned_groups, dict.fromkeys(GROUPS), COLLECTIONS)
    except ConfigError as error:
        faults.append(str(error))
    if faults:
        raise ConfigError(report_all(faults))
