"""Losses of translating speech, recognising it and translating text, weighted by how well their gradients agree."""

import math
from dataclasses import dataclass, field
from typing import Any, Optional

import torch
from fairseq import metrics, utils
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from omegaconf import II
from torch import Tensor

from fairseq_samu.criterions.balance_options import MODES, BalanceOptions, find_balance_faults
from fairseq_samu.criterions.multitask_terms import AlignmentOptions, MultitaskTerms, TaskLoss
from fairseq_samu.criterions.task_balance import TaskBalance
from fairseq_samu.errors import ConfigError, explain, report_all

TASKS = ("st", "asr", "mt")
"""Values of a batch's `task`. Every log has the sums of each: workers with different batches add up the same keys."""


@dataclass
class ConsistencyMultitaskConfig(FairseqDataclass):
    """Options of the criterion consistency_multitask."""

    label_smoothing: float = field(
        default=0.0, metadata={"help": "share of the target's weight that all other tokens get (0.2 in the paper)"}
    )
    auxiliary_share: float = field(
        default=0.3, metadata={"help": "w of the loss of ST, (1 - w) cross-entropy + w (CTC + alignment)"}
    )
    asr_weight: float = field(default=1.0, metadata={"help": "weight of recognition at the start (0 = not trained)"})
    mt_weight: float = field(default=1.0, metadata={"help": "weight of text translation at the start"})
    asr_ce_weight: float = field(
        default=0.0, metadata={"help": "weight, in recognition, of the decoder's cross-entropy of the transcript"}
    )
    st_start_update: int = field(
        default=0, metadata={"help": "updates before the cross-entropy of ST is trained on (3000 in the paper)"}
    )
    alignment_weight: float = field(
        default=1.0, metadata={"help": "alpha, weight of the contrastive losses beside CTC (0 = none)"}
    )
    alignment_gold: float = field(
        default=1.0,
        metadata={"help": "beta, share of the transcript at the start of training; the rest is CTC's own best path"},
    )
    alignment_step: int = field(default=5000, metadata={"help": "updates after which that share falls by 0.1"})
    alignment_temperature: float = field(default=0.1, metadata={"help": "divisor of the cosines"})
    symmetric_alignment: bool = field(
        default=False, metadata={"help": "contrast texts with speech too, not speech with texts alone"}
    )
    weight_mode: ChoiceEnum(MODES) = field(  # type: ignore[valid-type]
        default="task_norm",
        metadata={"help": "weights of auxiliary tasks: fixed, by norms of gradients (paper), or by their cosines"},
    )
    measure_interval: int = field(
        default=100, metadata={"help": "updates between two measurements of gradients for the log (0 = none)"}
    )
    weight_interval: int = field(default=5000, metadata={"help": "updates between two changes of the weights"})
    drop_below: float = field(default=0.1, metadata={"help": "a task of a smaller weight is dropped"})
    asr_last_update: int = field(default=20000, metadata={"help": "last update with recognition (0 = no end)"})
    mt_last_update: int = field(default=30000, metadata={"help": "last update with text translation (0 = no end)"})
    consistency_rate: float = field(
        default=0.5,
        metadata={"help": "in mode consistency: share of its weight that a task at a right angle to ST loses a change"},
    )
    consistency_log: str = field(
        default="", metadata={"help": "JSON lines of what is measured (default: consistency.jsonl in save_dir)"}
    )
    shared_asr: bool = II("task.shared_asr")
    joint_tasks: bool = II("task.joint_tasks")
    save_dir: str = II("checkpoint.save_dir")
    distributed_rank: Optional[int] = II("distributed_training.distributed_rank")


def validate(cfg: ConsistencyMultitaskConfig, tasks: list[str]) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: a weight, share or interval is out of its range, or batches lack what the tasks need.
    """
    faults = find_balance_faults(balance_options(cfg, tasks), "consistency_multitask")

    def check(name: str, holds: bool, rule: str) -> None:
        if not holds:
            mend = f"Set --{name.replace('_', '-')}."
            faults.append(explain("consistency_multitask", name, rule, getattr(cfg, name), mend))

    check("label_smoothing", 0.0 <= cfg.label_smoothing < 1.0, "in [0, 1)")
    check("auxiliary_share", 0.0 <= cfg.auxiliary_share < 1.0, "in [0, 1)")
    check("alignment_gold", 0.0 <= cfg.alignment_gold <= 1.0, "in [0, 1]")
    check("alignment_temperature", cfg.alignment_temperature > 0, "positive")
    check("alignment_step", cfg.alignment_step > 0, "positive")
    check("st_start_update", cfg.st_start_update >= 0, "0 or more")
    for name in ("asr_ce_weight", "alignment_weight"):
        check(name, math.isfinite(getattr(cfg, name)) and getattr(cfg, name) >= 0, "zero or more")
    faults += _find_batch_faults(cfg, tasks)
    if faults:
        raise ConfigError(report_all(faults))


def _find_batch_faults(cfg: ConsistencyMultitaskConfig, tasks: list[str]) -> list[str]:
    """Describe what batches, as the options of the task make them, cannot give."""
    faults = []
    if cfg.joint_tasks is not True and len(tasks) > 1:
        rule = "set where there are several tasks, whose losses are summed in every update"
        mend = f"Add --joint-tasks, or train on one task of {', '.join(tasks)}."
        faults.append(explain("consistency_multitask", "joint_tasks", rule, "not set", mend))
    elif cfg.joint_tasks is not True and (tasks == ["asr"] or (tasks == ["st"] and cfg.auxiliary_share > 0)):
        rule = f"set where {tasks[0]} learns from transcripts by CTC and alignment: no other batches have them"
        mend = "Add --joint-tasks" + (", or set --auxiliary-share 0." if tasks == ["st"] else ".")
        faults.append(explain("consistency_multitask", "joint_tasks", rule, "not set", mend))
    if cfg.shared_asr is True and cfg.asr_ce_weight != 0:
        rule = "0 with shared_asr: the rows of ST are decoded into translations, never into transcripts"
        mend = "Leave --asr-ce-weight out, or --shared-asr."
        faults.append(explain("consistency_multitask", "asr_ce_weight", rule, cfg.asr_ce_weight, mend))
    return faults


def balance_options(cfg: ConsistencyMultitaskConfig, tasks: list[str]) -> BalanceOptions:
    """Options of the weighting of all tasks but the first."""
    weights = {"asr": cfg.asr_weight, "mt": cfg.mt_weight}
    last_updates = {"asr": cfg.asr_last_update, "mt": cfg.mt_last_update}
    return BalanceOptions(
        mode=str(cfg.weight_mode),
        weights={task: weights.get(task, 1.0) for task in tasks[1:]},
        measure_interval=cfg.measure_interval,
        weight_interval=cfg.weight_interval,
        drop_below=cfg.drop_below,
        last_updates={task: last_updates.get(task, 0) for task in tasks[1:]},
        rate=cfg.consistency_rate,
    )


@register_criterion("consistency_multitask", dataclass=ConsistencyMultitaskConfig)
class ConsistencyMultitaskCriterion(FairseqCriterion):
    """``L_ST + w_ASR L_ASR + w_MT L_MT``, summed over the rows of a batch of each task.

    Source: section 3 of arXiv:2311.03810. ``L_ST = (1 - w) CE + w (CTC + alpha A)``, ``L_ASR = CTC + alpha A``,
    ``L_MT = CE``; A aligns speech with its text before and behind the textual encoder. CTC is ``-log p(transcript)`` a
    row, A counts for each token of the transcript. The trainer divides by the target tokens of the first task (by a
    batch's own where that has another task alone), so that a task with twice as many rows weighs twice as much. Its
    weights follow what :class:`~fairseq_samu.criterions.task_balance.TaskBalance` measures; ST is measured by its
    cross-entropy alone, which no other task has a part of. In validation the loss is that of the
    first task, with all its terms and the transcript alone, however far the training is.
    """

    def __init__(self, cfg: ConsistencyMultitaskConfig, task: Any) -> None:
        super().__init__(task)
        self.tasks: list[str] = task.task_names
        validate(cfg, self.tasks)
        log = None if cfg.distributed_rank else cfg.consistency_log or f"{cfg.save_dir}/consistency.jsonl"
        self.balance = TaskBalance(balance_options(cfg, self.tasks), self.tasks[0], log)
        alignment = AlignmentOptions(
            cfg.alignment_weight,
            cfg.alignment_gold,
            cfg.alignment_step,
            cfg.alignment_temperature,
            cfg.symmetric_alignment is True,
        )
        dictionary = task.target_dictionary
        self.terms = MultitaskTerms(
            cfg.label_smoothing,
            cfg.auxiliary_share,
            cfg.asr_ce_weight,
            cfg.st_start_update,
            alignment,
            cfg.shared_asr is True,
            pad=dictionary.pad(),
            blank=dictionary.bos(),
        )

    def begin_update(self, update: int, counts: bool = True, loss_scale: float = 1.0) -> None:
        """Told before each batch what it belongs to.

        Args:
            update: number of its update, from 1.
            counts: False for a batch that only keeps a worker busy.
            loss_scale: factor that the host multiplies the loss by in half precision, and takes out of gradients.
        """
        self.balance.begin_update(update, counts, loss_scale)
        self.terms.update = update

    def train(self, mode: bool = True) -> "ConsistencyMultitaskCriterion":
        """As torch's; the host calls it once in front of an update's batches, and again where it overflowed."""
        if mode:
            self.balance.discard()
        return super().train(mode)

    def forward(self, model: Any, sample: dict[str, Any], reduce: bool = True) -> tuple[Tensor, int, dict[str, Any]]:
        """Loss of one batch.

        Args:
            model: gives a ``MultitaskOutput`` for a batch's ``net_input``; has ``encode_text`` and, where gradients are
                measured, ``probed_parameters``.
            sample: a batch of ``fairseq_samu.data.collate``, or one that has such a batch for every task in ``tasks``.
            reduce: False gives one loss a row, task after task, instead of their sum.

        Returns:
            Loss (float32), tokens to divide it by, and the sums to log.

        Raises:
            ManifestError: a batch lacks the texts of its task.
            ConfigError: the model has no part that a task needs.
        """
        main = self.tasks[0]
        parts = sample.get("tasks") or {sample["task"]: sample}
        active = [task for task in self.tasks if not self.training or self.balance.active(task)]
        self.terms.training = self.training
        losses = self.terms.compute(model, parts, active)
        if self.training and self.balance.due:
            probes = model.probed_parameters()
            self.balance.prepare(probes)
            for task, loss in losses.items():
                if loss.measured is not None:
                    self.balance.add(task, loss.measured.sum(), loss.num_measured, probes)
        weights = {task: 1.0 if task == main else self.balance.weight(task) for task in losses}
        if not self.training:
            weights = {task: float(task == main) for task in losses}
        rows = torch.cat([weights[task] * loss.rows for task, loss in losses.items()])
        counted = losses if main not in losses and self.training else {main: losses.get(main)}
        size = sum(loss.num_tokens for loss in counted.values() if loss is not None)
        log = {name: sample[name] for name in ("ntokens", "nsentences", "grid", "num_skipped")}
        log |= {"sample_size": size, "loss": rows.detach().sum(), **self._sums(losses)}
        return (rows.sum() if reduce else rows), size, log

    def _sums(self, losses: dict[str, TaskLoss]) -> dict[str, Any]:
        """Sums of each task and term, zero where it is not in the batch."""
        zero = next(iter(losses.values())).rows.new_zeros(())
        log: dict[str, Any] = {}
        for task in TASKS:
            loss = losses.get(task)
            log[f"loss_{task}"] = zero if loss is None else loss.rows.detach().sum()
            log[f"num_target_tokens_{task}"] = 0 if loss is None else loss.num_tokens
        for name in ("ctc_loss", "alignment_loss", "num_transcript_tokens", "num_ctc_impossible"):
            log[name] = sum((loss.log[name] for loss in losses.values() if name in loss.log), start=zero)
        main = losses.get(self.tasks[0])
        for name in ("nll_loss", "num_correct", "num_decoded"):
            log[name] = zero if main is None else main.log.get(name, zero)
        return log

    @staticmethod
    def reduce_metrics(logging_outputs: list[dict[str, Any]]) -> None:
        """Log losses in bits a token of their task, perplexity and accuracy of the first task, over all workers."""
        sums = {name: sum(log.get(name, 0) for log in logging_outputs) for log in logging_outputs for name in log}
        if sums.get("sample_size", 0):
            metrics.log_scalar("loss", sums["loss"] / sums["sample_size"] / math.log(2), sums["sample_size"], round=4)
        counts = {f"loss_{task}": f"num_target_tokens_{task}" for task in TASKS}
        counts |= {"ctc_loss": "num_transcript_tokens", "alignment_loss": "num_transcript_tokens"}
        for name, count in {**counts, "nll_loss": "num_decoded"}.items():
            if sums.get(count, 0):
                metrics.log_scalar(name, sums[name] / sums[count] / math.log(2), sums[count], round=4)
        if sums.get("num_decoded", 0):
            metrics.log_derived("ppl", lambda meters: utils.get_perplexity(meters["nll_loss"].avg))
            accuracy = 100.0 * sums["num_correct"] / sums["num_decoded"]
            metrics.log_scalar("accuracy", accuracy, sums["num_decoded"], round=2)
        if sums.get("num_ctc_impossible", 0):
            metrics.log_scalar_sum("num_ctc_impossible", sums["num_ctc_impossible"])

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """All logged values are sums."""
        return True
