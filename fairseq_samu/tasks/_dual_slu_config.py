"""Options of the task dual_slu."""

from dataclasses import dataclass, field
from typing import Optional

from omegaconf import II

from fairseq_samu.errors import ConfigError, report_all
from fairseq_samu.tasks._ctc_search_options import CtcSearchOptions, find_search_faults
from fairseq_samu.tasks._samu_distill_config import SamuDistillConfig
from fairseq_samu.tasks._speech_data_config import find_data_faults


@dataclass
class DualSluConfig(SamuDistillConfig, CtcSearchOptions):
    """Options of the task dual_slu."""

    concept_labels: str = field(
        default="",
        metadata={"help": "labels of CTC, one a line (default: labels.txt beside train.tsv; `prepare concept-labels`)"},
    )
    concept_prefixes: str = field(
        default="",
        metadata={"help": "file that maps concepts to those of the relax mode; without it all are kept (full mode)"},
    )
    save_dir: str = II("checkpoint.save_dir")
    restore_file: str = II("checkpoint.restore_file")
    finetune_from_model: Optional[str] = II("checkpoint.finetune_from_model")


def validate(cfg: DualSluConfig) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: options are missing or out of their range.
    """
    faults = [*find_data_faults(cfg, "dual_slu"), *find_search_faults(cfg)]
    if faults:
        raise ConfigError(report_all(faults))
