"""Options of every task over manifests of speech."""

from dataclasses import dataclass, field
from pathlib import Path

from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from omegaconf import II

from fairseq_samu.data.augmentation import WaveformAugmenter
from fairseq_samu.data.dataset_options import DatasetOptions
from fairseq_samu.data.language_codes import canonical_language
from fairseq_samu.errors import ConfigError, explain


@dataclass
class SpeechDataConfig(FairseqDataclass):
    """Where speech lies, and how it is read in training."""

    data: str = field(default="", metadata={"help": "folder of the manifests train.tsv, valid.tsv ..."})
    audio_root: str = field(
        default="", metadata={"help": "folder that relative audio paths start from (default: that of the manifests)"}
    )
    min_audio_seconds: float = field(default=0.0, metadata={"help": "leave shorter rows out of training"})
    max_audio_seconds: float = field(default=30.0, metadata={"help": "leave longer rows out of training"})
    on_bad_audio: ChoiceEnum(["raise", "skip"]) = field(  # type: ignore[valid-type]
        default="raise", metadata={"help": "what an unreadable recording does: end the run, or be counted and named"}
    )
    languages: str = field(
        default="",
        metadata={"help": "use rows of these languages (src_lang) alone, comma-separated, such as fr,it"},
    )
    train_share: float = field(
        default=1.0,
        metadata={"help": "share of the training rows that is used; a smaller share is part of every greater one"},
    )
    train_minutes: float = field(
        default=0.0,
        metadata={
            "help": "minutes of training speech of each language that are used, in whole rows; fewer minutes are part "
            "of more (default: all)"
        },
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
    fp16: bool = II("common.fp16")
    bf16: bool = II("common.bf16")


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


def split_languages(text: str) -> list[str]:
    """Read a list of languages such as ``fr,it`` into canonical codes."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return [canonical_language(name) or name for name in names]


def find_data_faults(cfg: SpeechDataConfig, task: str) -> list[str]:
    """Describe every option about data that cannot work, for a task's ``validate``."""
    faults = []

    def check(name: str, holds: bool, rule: str, mend: str) -> None:
        if not holds:
            faults.append(explain(task, name, rule, getattr(cfg, name), mend))

    check("data", Path(cfg.data).is_dir(), "a folder with train.tsv", "Name it, or run `fairseq-samu prepare`.")
    check("min_audio_seconds", cfg.min_audio_seconds >= 0, "0 or more", "Raise it.")
    check("max_audio_seconds", cfg.max_audio_seconds > cfg.min_audio_seconds, "above the least", "Raise it.")
    check("train_share", 0 < cfg.train_share <= 1, "above 0, at most 1", "Use 1 for all rows.")
    check("train_minutes", cfg.train_minutes >= 0, "0 or more", "Use 0 for all rows.")
    both = cfg.train_minutes > 0 and cfg.train_share < 1
    check("train_share", not both, "1 where train_minutes says how much is used", "Give one of the two.")
    check("sampling_alpha", 0 <= cfg.sampling_alpha <= 1, "between 0 and 1", "The paper uses 0.05.")
    check("noise_prob", 0 <= cfg.noise_prob <= 1, "a probability", "Use 0 for none.")
    check("noise_max_snr", cfg.noise_max_snr >= cfg.noise_min_snr, "at least noise_min_snr", "Raise it.")
    check("gain_db", cfg.gain_db >= 0, "0 or more", "Use 0 for none.")
    try:
        parse_speed_factors(cfg.speed_factors)
    except ConfigError as error:
        faults.append(str(error))
    return faults


def make_dataset_options(cfg: SpeechDataConfig, split: str, text_column: str = "src_text") -> DatasetOptions:
    """How the rows of a split become items.

    Args:
        cfg: options of the task.
        split: name of the manifest; those that begin with ``train`` are drawn from and changed as training asks.
        text_column: column that a teacher embeds.
    """
    augment = None
    if cfg.noise_prob > 0 or cfg.gain_db > 0:
        snr = (cfg.noise_min_snr, cfg.noise_max_snr)
        augment = WaveformAugmenter(noise_prob=cfg.noise_prob, noise_snr_db=snr, gain_db=cfg.gain_db)
    return DatasetOptions(
        audio_root=Path(cfg.audio_root or cfg.data),
        seed=cfg.seed,
        training=split.startswith("train"),
        min_audio_seconds=cfg.min_audio_seconds,
        max_audio_seconds=cfg.max_audio_seconds,
        languages=tuple(split_languages(cfg.languages)),
        train_share=cfg.train_share,
        train_minutes=cfg.train_minutes,
        sampling_alpha=cfg.sampling_alpha,
        speed_factors=parse_speed_factors(cfg.speed_factors),
        augment=augment,
        skip_bad_audio=str(cfg.on_bad_audio) == "skip",
        text_column=text_column,
        double_waves=cfg.fp16 is True or cfg.bf16 is True,
    )
