"""Options of the task samu_distill."""

from dataclasses import dataclass, field
from pathlib import Path

from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from omegaconf import II

from fairseq_samu.errors import ConfigError, explain, report_all


@dataclass
class SamuDistillConfig(FairseqDataclass):
    """Options of the task samu_distill."""

    data: str = field(default="", metadata={"help": "folder of the manifests train.tsv, valid.tsv ..."})
    audio_root: str = field(
        default="", metadata={"help": "folder that relative audio paths start from (default: that of the manifests)"}
    )
    teacher_table: str = field(
        default="", metadata={"help": "table of teacher embeddings, made by `fairseq-samu embed`"}
    )
    teacher_text_column: ChoiceEnum(["src_text", "tgt_text"]) = field(  # type: ignore[valid-type]
        default="src_text", metadata={"help": "column whose text is the target: the transcript or its translation"}
    )
    min_audio_seconds: float = field(default=0.0, metadata={"help": "leave shorter rows out of training"})
    max_audio_seconds: float = field(default=30.0, metadata={"help": "leave longer rows out of training"})
    on_bad_audio: ChoiceEnum(["raise", "skip"]) = field(  # type: ignore[valid-type]
        default="raise", metadata={"help": "what an unreadable recording does: end the run, or be counted and named"}
    )
    sampling_alpha: float = field(
        default=1.0, metadata={"help": "balance of languages, p^alpha: 1 = as in the data, 0 = uniform"}
    )
    speed_factors: str = field(
        default="1.0", metadata={"help": "speeds to draw from in training, comma-separated, such as 0.9,1.0,1.1"}
    )
    noise_prob: float = field(
        default=0.0, metadata={"help": "share of training rows that get noise (white, pink or brown)"}
    )
    noise_min_snr: float = field(default=10.0, metadata={"help": "least signal-to-noise ratio of added noise in dB"})
    noise_max_snr: float = field(default=30.0, metadata={"help": "greatest signal-to-noise ratio of added noise in dB"})
    gain_db: float = field(default=0.0, metadata={"help": "greatest random gain in dB, up or down, in training"})
    feature_cache: str = field(
        default="", metadata={"help": "folder for the frames of a frozen encoder, computed once and reused"}
    )
    seed: int = II("common.seed")


def parse_speed_factors(text: str) -> tuple[float, ...]:
    """Read a list such as ``0.9,1.0,1.1``.

    Raises:
        ConfigError: an item is no number between 0.5 and 2.
    """
    try:
        factors = tuple(float(part) for part in text.split(","))
    except ValueError:
        factors = ()
    if not factors or not all(0.5 <= factor <= 2.0 for factor in factors):
        mend = "Write for example 0.9,1.0,1.1."
        raise ConfigError(explain("", "speed_factors", "numbers from 0.5 to 2, comma-separated", text, mend))
    return factors


def validate(cfg: SamuDistillConfig) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: options are missing or out of their range.
    """
    faults = []

    def check(name: str, holds: bool, rule: str, mend: str) -> None:
        if not holds:
            faults.append(explain("samu_distill", name, rule, getattr(cfg, name), mend))

    check("data", Path(cfg.data).is_dir(), "a folder with train.tsv", "Name it, or run `fairseq-samu prepare`.")
    check("min_audio_seconds", cfg.min_audio_seconds >= 0, "0 or more", "Raise it.")
    check("max_audio_seconds", cfg.max_audio_seconds > cfg.min_audio_seconds, "above the least", "Raise it.")
    check("sampling_alpha", 0 <= cfg.sampling_alpha <= 1, "between 0 and 1", "The paper uses 0.05.")
    check("noise_prob", 0 <= cfg.noise_prob <= 1, "a probability", "Use 0 for none.")
    check("noise_max_snr", cfg.noise_max_snr >= cfg.noise_min_snr, "at least noise_min_snr", "Raise it.")
    check("gain_db", cfg.gain_db >= 0, "0 or more", "Use 0 for none.")
    try:
        parse_speed_factors(cfg.speed_factors)
    except ConfigError as error:
        faults.append(str(error))
    if faults:
        raise ConfigError(report_all(faults))
