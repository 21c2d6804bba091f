"""Options about several tasks and corpora in one training, as they stand in the task multitask_st."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from fairseq_samu.data.targets import TASK_COLUMNS
from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.tasks._speech_data_config import SpeechDataConfig


@dataclass
class TaskMixingConfig(SpeechDataConfig):
    """How tasks and corpora share the batches."""

    joint_tasks: bool = field(
        default=False,
        metadata={"help": "every training batch has a part of every task, and transcripts beside the targets"},
    )
    task_ratios: str = field(
        default="",
        metadata={
            "help": "rows of other tasks for each of the main one in a joint batch, such as asr=0.5 (default: 1)"
        },
    )
    shared_asr: bool = field(
        default=False,
        metadata={
            "help": "asr, in joint batches, learns from the speech of st's own rows, read once, and from no others"
        },
    )
    extra_manifests: str = field(
        default="",
        metadata={
            "help": "further manifests for the training of a task, such as asr=libri/train.tsv,mt=wmt/train.tsv; "
            "relative ones start from the data folder, relative recordings from the manifest's folder"
        },
    )
    corpus_temperature: float = field(
        default=1.0,
        metadata={
            "help": "balance of a task's manifests, n^(1/temperature): 1 = as in the data, more favours small ones"
        },
    )
    max_text_tokens: int = field(
        default=8192,
        metadata={
            "help": "most tokens of the text part of a batch, both texts and padding included, where speech is read "
            "too (--max-tokens counts samples then, and tokens with --tasks mt alone)"
        },
    )
    source_noise_prob: float = field(
        default=0.0, metadata={"help": "share of source texts (mt) that get noise in training (0.1 in the paper)"}
    )
    source_noise_share: float = field(
        default=0.2, metadata={"help": "most blanks that noise puts into a source text, as a share of its tokens"}
    )


def reads_speech(task: str) -> bool:
    """Whether the source of a task is speech and not text."""
    return not TASK_COLUMNS[task].source


def parse_extra_manifests(text: str) -> list[tuple[str, str]]:
    """Read pairs of a task and a manifest, ``asr=libri/train.tsv,mt=wmt/train.tsv``; a task may have several.

    Raises:
        ConfigError: an item is no pair.
    """
    return parse_pairs(text, "extra_manifests", "TASK=MANIFEST", "asr=libri/train.tsv,mt=wmt/train.tsv")


def parse_task_ratios(text: str) -> dict[str, float]:
    """Read rows of a task for each row of the main one, ``asr=1,mt=0.5``.

    Raises:
        ConfigError: an item is no pair of a task and a positive number, or a task stands twice.
    """
    pairs = parse_pairs(text, "task_ratios", "TASK=NUMBER", "asr=1,mt=0.5")
    try:
        ratios = {task: float(number) for task, number in pairs}
    except ValueError:
        ratios = {"": -1.0}
    if len(ratios) != len(pairs) or not all(0 < ratio < math.inf for ratio in ratios.values()):
        mend = "Write for example --task-ratios asr=1,mt=0.5; leave a task out of --tasks instead of 0."
        raise ConfigError(explain("", "task_ratios", "a positive number for each task", text, mend))
    return ratios


def parse_pairs(text: str, name: str, form: str, example: str) -> list[tuple[str, str]]:
    """Read pairs such as ``a=b,c=d``.

    Args:
        text: the pairs.
        name: of the option, for messages.
        form: of a pair, for messages.
        example: of the option, for messages.

    Raises:
        ConfigError: an item is no pair.
    """
    pairs = [tuple(side.strip() for side in part.split("=", 1)) for part in text.split(",") if part.strip()]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        mend = f"Write for example --{name.replace('_', '-')} {example}."
        raise ConfigError(explain("", name, f"pairs {form}", text, mend))
    return [(pair[0], pair[1]) for pair in pairs]


def manifests_of_task(cfg: TaskMixingConfig, task: str, split: str) -> list[Path]:
    """Paths of the manifests of a task: that of the split, and in training those of ``extra_manifests``."""
    extra = parse_extra_manifests(cfg.extra_manifests) if split.startswith("train") else []
    return [Path(cfg.data) / f"{split}.tsv", *(Path(cfg.data) / name for owner, name in extra if owner == task)]


def find_mixing_faults(
    cfg: TaskMixingConfig, tasks: list[str], extra: list[tuple[str, str]], ratios: dict[str, float]
) -> list[str]:
    """Describe what cannot work in the options about several tasks and corpora.

    Args:
        cfg: options of the task.
        tasks: those that are learnt, the main one first.
        extra: ``extra_manifests``, read.
        ratios: ``task_ratios``, read.
    """
    faults = []

    def check(name: str, holds: bool, rule: str, value: object, mend: str) -> None:
        if not holds:
            faults.append(explain("multitask_st", name, rule, value, mend))

    learnt = ", ".join(tasks)
    for task, name in extra:
        check("extra_manifests", task in tasks, f"for tasks of --tasks, {learnt}", task, "Add the task to --tasks.")
        check("extra_manifests", (Path(cfg.data) / name).is_file(), "manifests", name, "Check the path.")
    for task in ratios:
        others = ", ".join(tasks[1:]) or "none"
        mend = "Ratios are relative to the first task of --tasks."
        check("task_ratios", task in tasks[1:], f"for other tasks than the main one: {others}", task, mend)
    check("task_ratios", cfg.joint_tasks or not ratios, "used with joint_tasks", cfg.task_ratios, "Add --joint-tasks.")
    main = not cfg.joint_tasks or reads_speech(tasks[0])
    check(
        "joint_tasks",
        main,
        "used with a main task that reads speech",
        ", ".join(tasks),
        "Name st or asr first in --tasks.",
    )
    has_text = not all(reads_speech(task) for task in tasks)
    is_noise = not cfg.source_noise_prob or has_text
    check("source_noise_prob", is_noise, "0 without the task mt", cfg.source_noise_prob, "Leave it out.")
    is_prob = 0 <= cfg.source_noise_prob <= 1
    check("source_noise_prob", is_prob, "a probability", cfg.source_noise_prob, "Use 0 for none.")
    is_share = 0 <= cfg.source_noise_share <= 1
    check("source_noise_share", is_share, "between 0 and 1", cfg.source_noise_share, "The paper uses 0.2.")
    is_temperature = 0 < cfg.corpus_temperature < math.inf
    check("corpus_temperature", is_temperature, "positive", cfg.corpus_temperature, "Use 1 for the data's own shares.")
    check("max_text_tokens", cfg.max_text_tokens > 0, "positive", cfg.max_text_tokens, "Raise it.")
    return faults + _find_sharing_faults(cfg, tasks, extra, ratios)


def _find_sharing_faults(
    cfg: TaskMixingConfig, tasks: list[str], extra: list[tuple[str, str]], ratios: dict[str, float]
) -> list[str]:
    """Describe what ``shared_asr`` would pass over in silence; arguments of :func:`find_mixing_faults`."""
    if not cfg.shared_asr:
        return []
    faults = []
    if not (cfg.joint_tasks and tasks[0] == "st" and "asr" in tasks):
        rule, mend = "used in joint batches of st with asr beside it", "Use --joint-tasks with --tasks st,asr or more."
        value = f"{', '.join(tasks)}, {'joint' if cfg.joint_tasks else 'not joint'}"
        faults.append(explain("multitask_st", "shared_asr", rule, value, mend))
    for name, text, named in (
        ("extra_manifests", cfg.extra_manifests, "asr" in dict(extra)),
        ("task_ratios", cfg.task_ratios, "asr" in ratios),
    ):
        if named:
            rule, mend = "without asr where it has no rows but those of st", "Leave out asr there, or --shared-asr."
            faults.append(explain("multitask_st", name, rule, text, mend))
    return faults
