"""Options of the task samu_distill."""

from dataclasses import dataclass, field

from fairseq.dataclass import ChoiceEnum

from fairseq_samu.errors import ConfigError, report_all
from fairseq_samu.tasks._speech_data_config import SpeechDataConfig, find_data_faults


@dataclass
class SamuDistillConfig(SpeechDataConfig):
    """Options of the task samu_distill."""

    teacher_table: str = field(
        default="", metadata={"help": "table of teacher embeddings, made by `fairseq-samu embed`"}
    )
    teacher_text_column: ChoiceEnum(["src_text", "tgt_text"]) = field(  # type: ignore[valid-type]
        default="src_text", metadata={"help": "column whose text is the target: the transcript or its translation"}
    )


def validate(cfg: SamuDistillConfig) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: options are missing or out of their range.
    """
    faults = find_data_faults(cfg, "samu_distill")
    if faults:
        raise ConfigError(report_all(faults))
