"""Distillation of sentence embeddings by cosine distance."""

import math
from dataclasses import dataclass, field
from typing import Any

from fairseq import metrics
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.ops.similarity import contrastive_loss, cosine, is_nearest


@dataclass
class CosineKdConfig(FairseqDataclass):
    """Options of the criterion cosine_kd."""

    kd_scale: float = field(
        default=20.0, metadata={"help": "beta of the loss beta * (1 - cosine), one value an utterance"}
    )
    contrastive_weight: float = field(
        default=0.0,
        metadata={"help": "weight of an in-batch contrastive loss beside the cosine (0 = the paper's loss alone)"},
    )
    contrastive_temperature: float = field(
        default=0.1, metadata={"help": "divisor of the cosines inside the contrastive loss"}
    )


def validate(cfg: CosineKdConfig) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: a weight is negative or a scale is not positive.
    """
    faults = []
    for name, lowest_allowed in (("kd_scale", False), ("contrastive_weight", True), ("contrastive_temperature", False)):
        value = getattr(cfg, name)
        if not math.isfinite(value) or value < 0 or (value == 0 and not lowest_allowed):
            rule = "zero or more" if lowest_allowed else "more than zero"
            faults.append(explain("cosine_kd", name, rule, value, f"Set --{name.replace('_', '-')}."))
    if faults:
        raise ConfigError(report_all(faults))


@register_criterion("cosine_kd", dataclass=CosineKdConfig)
class CosineKdCriterion(FairseqCriterion):
    """``kd_scale * (1 - cos(e, z))`` a row, plus an optional contrastive term.

    Source: section III of arXiv:2306.00789 (Eq. 2 of arXiv:2205.08180); the contrastive term is an addition of ours.
    The loss is summed over rows and divided by their number in the trainer, so that one update with two workers
    or two accumulated batches is the mean over all of their rows. The contrastive term only knows its own batch.
    """

    def __init__(self, cfg: CosineKdConfig, task: Any) -> None:
        super().__init__(task)
        validate(cfg)
        self.kd_scale = cfg.kd_scale
        self.contrastive_weight = cfg.contrastive_weight
        self.contrastive_temperature = cfg.contrastive_temperature

    def forward(self, model: Any, sample: dict[str, Any], reduce: bool = True) -> tuple[Tensor, int, dict[str, Any]]:
        """Loss of one batch.

        Args:
            model: gives an output with ``embedding`` (B, D) for the batch's ``net_input``.
            sample: a batch of ``fairseq_samu.data.collate`` with the key ``teacher`` (B, D); where it has
                ``candidates`` (C, D), ``candidate_index`` (B,), ``candidate_allowed`` (B, C), recall at 1 is counted.
            reduce: False gives one loss a row, (B,), instead of their sum.

        Returns:
            Loss (float32), number of rows, and the sums to log.
        """
        embedding = model(**sample["net_input"]).embedding
        teacher = sample["teacher"]
        similarity = cosine(embedding, teacher)
        loss = self.kd_scale * (1.0 - similarity)
        if self.contrastive_weight > 0:
            contrast = contrastive_loss(embedding, teacher, self.contrastive_temperature)
            loss = loss + self.contrastive_weight * contrast
        log = {
            "loss": loss.detach().sum(),
            "cosine": similarity.detach().sum(),
            "ntokens": sample["ntokens"],
            "nsentences": sample["nsentences"],
            "grid": sample["grid"],
            "num_skipped": sample["num_skipped"],
            "sample_size": sample["nsentences"],
        }
        if "candidates" in sample:
            hits = is_nearest(embedding, sample["candidates"], sample["candidate_index"], sample["candidate_allowed"])
            log["hits"] = hits.sum()
        return (loss.sum() if reduce else loss), sample["nsentences"], log

    @staticmethod
    def reduce_metrics(logging_outputs: list[dict[str, Any]]) -> None:
        """Log loss and mean cosine (and recall at 1 in percent, in validation) over all workers' rows."""
        rows = sum(log.get("nsentences", 0) for log in logging_outputs)
        if rows == 0:
            return
        metrics.log_scalar("loss", sum(log["loss"] for log in logging_outputs) / rows, rows, round=4)
        metrics.log_scalar("mean_cosine", sum(log["cosine"] for log in logging_outputs) / rows, rows, round=4)
        if any("hits" in log for log in logging_outputs):
            hits = sum(log["hits"] for log in logging_outputs)
            metrics.log_scalar("recall_at_1", 100.0 * hits / rows, rows, round=2)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """All logged values are sums over rows."""
        return True
