"""Options of the task multitask_st."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from fairseq.dataclass import ChoiceEnum
from omegaconf import II

from fairseq_samu.data.adapter_routes import POLICIES
from fairseq_samu.data.targets import TASK_COLUMNS
from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.tasks._speech_data_config import find_data_faults
from fairseq_samu.tasks._task_mixing_config import (
    TaskMixingConfig,
    find_mixing_faults,
    parse_extra_manifests,
    parse_pairs,
    parse_task_ratios,
    reads_speech,
)


@dataclass
class MultitaskStConfig(TaskMixingConfig):
    """Options of the task multitask_st."""

    tasks: str = field(
        default="st",
        metadata={
            "help": "what is learnt or decoded: st (speech to tgt_text), asr (speech to src_text), mt (src_text to "
            "tgt_text, without speech), or several such as st,asr,mt, the main one first"
        },
    )
    target_language: str = field(
        default="", metadata={"help": "language of all targets (default: as tgt_lang, or src_lang for asr, says)"}
    )
    sentencepiece_model: str = field(
        default="",
        metadata={"help": "pieces of a decoder without decoder_path (default: sentencepiece.model beside train.tsv)"},
    )
    vocabulary_languages: str = field(
        default="", metadata={"help": "languages that get a tag with sentencepiece_model (default: mBART-50's 52)"}
    )
    added_languages: str = field(
        default="",
        metadata={"help": "languages that the decoder lacks, each with a relative to begin from, such as be=ru,ca=es"},
    )
    trim_vocabulary: str = field(
        default="",
        metadata={
            "help": "keep only the tokens of the texts in these manifests, comma-separated, such as train.tsv,valid.tsv"
        },
    )
    missing_adapter: ChoiceEnum(POLICIES) = field(  # type: ignore[valid-type]
        default="error",
        metadata={
            "help": "for models with named adapters, what rows of a language without one do: end the run (error), go "
            "through none (base), or through that of the closest language (nearest)"
        },
    )
    ctc_decoding: bool = field(
        default=False, metadata={"help": "decode by CTC's best path although there is a decoder"}
    )
    ctc_decoding_weight: float = field(
        default=0.0,
        metadata={
            "help": "weight of CTC's prefix scores beside the decoder's 1 - weight, in the search of transcripts"
        },
    )
    save_dir: str = II("checkpoint.save_dir")
    restore_file: str = II("checkpoint.restore_file")
    finetune_from_model: Optional[str] = II("checkpoint.finetune_from_model")


def parse_tasks(text: str) -> list[str]:
    """Read a list of tasks such as ``st,asr``.

    Raises:
        ConfigError: one is not known, or there is none.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or len(set(names)) != len(names) or not set(names) <= set(TASK_COLUMNS):
        mend = "Write for example --tasks st,asr."
        raise ConfigError(explain("", "tasks", f"different ones of {', '.join(TASK_COLUMNS)}", text, mend))
    return names


def parse_added_languages(text: str) -> list[tuple[str, str]]:
    """Read pairs of a new language and its relative, ``be=ru,ca=es``.

    Raises:
        ConfigError: an item is no pair.
    """
    return parse_pairs(text, "added_languages", "LANGUAGE=RELATIVE", "be=ru,ca=es")


def manifests_to_trim_by(cfg: MultitaskStConfig) -> list[Path]:
    """Paths of ``trim_vocabulary``; relative ones start from the data folder."""
    return [Path(cfg.data) / name.strip() for name in cfg.trim_vocabulary.split(",") if name.strip()]


def validate(cfg: MultitaskStConfig) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: options are missing or out of their range.
    """
    faults = find_data_faults(cfg, "multitask_st")

    def read(parse: Callable[[str], Any], text: str) -> Any:
        """What an option says, empty where it is at fault."""
        try:
            return parse(text)
        except ConfigError as error:
            faults.append(str(error))
            return parse("") if parse is not parse_tasks else []

    read(parse_added_languages, cfg.added_languages)
    tasks = read(parse_tasks, cfg.tasks)
    if tasks:
        extra = read(parse_extra_manifests, cfg.extra_manifests)
        faults += find_mixing_faults(cfg, tasks, extra, read(parse_task_ratios, cfg.task_ratios))
    if tasks and cfg.feature_cache and not any(map(reads_speech, tasks)):
        rule = "left out where no speech is read"
        faults.append(explain("multitask_st", "feature_cache", rule, cfg.feature_cache, "Leave it out."))
    if not 0.0 <= cfg.ctc_decoding_weight <= 1.0:
        rule, mend = "from 0 to 1", "Use 0 for the decoder alone, or for example 0.3."
        faults.append(explain("multitask_st", "ctc_decoding_weight", rule, cfg.ctc_decoding_weight, mend))
    for path in manifests_to_trim_by(cfg):
        if not path.is_file():
            faults.append(explain("multitask_st", "trim_vocabulary", "manifests", path, "Check the path."))
    if faults:
        raise ConfigError(report_all(faults))
