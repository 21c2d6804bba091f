"""Distillation of sentence embeddings and CTC tagging of concepts in one loss."""

import math
from dataclasses import dataclass, field
from typing import Any

from fairseq import metrics
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from torch import Tensor

from fairseq_samu.errors import ConfigError, ManifestError, explain, report_all
from fairseq_samu.ops.ctc_losses import ctc_losses
from fairseq_samu.ops.similarity import cosine, is_nearest

BLANK = 0
"""Label of CTC that stands for none."""


@dataclass
class DualSluConfig(FairseqDataclass):
    """Options of the criterion dual_slu."""

    semantic_weight: float = field(
        default=1.0, metadata={"help": "weight of the distance to the teacher's embedding (0 = tagging alone)"}
    )
    slu_weight: float = field(
        default=1.0, metadata={"help": "lambda, weight of CTC over characters and concepts (0 = distillation alone)"}
    )
    semantic_scale: float = field(
        default=1.0, metadata={"help": "beta of the distance beta * (1 - cosine), one value an utterance"}
    )
    slu_loss_per: ChoiceEnum(["label", "utterance"]) = field(  # type: ignore[valid-type]
        default="label",
        metadata={"help": "CTC of an utterance: divided by its number of labels, or its whole log-probability"},
    )


def validate(cfg: DualSluConfig) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: a weight is negative, both are zero, or the scale is not positive.
    """
    faults = []
    for name, rule in (
        ("semantic_weight", "zero or more"),
        ("slu_weight", "zero or more"),
        ("semantic_scale", "positive"),
    ):
        value = getattr(cfg, name)
        if not math.isfinite(value) or value < 0 or (value == 0 and rule == "positive"):
            faults.append(explain("dual_slu", name, rule, value, f"Set --{name.replace('_', '-')}."))
    if cfg.semantic_weight == 0 and cfg.slu_weight == 0:
        mend = "Set --semantic-weight or --slu-weight."
        faults.append(explain("dual_slu", "semantic_weight, slu_weight", "positive, one of them", "0, 0", mend))
    if faults:
        raise ConfigError(report_all(faults))


@register_criterion("dual_slu", dataclass=DualSluConfig)
class DualSluCriterion(FairseqCriterion):
    """``semantic_weight * beta * (1 - cos(e, z)) + slu_weight * CTC``, one value an utterance.

    Source: section 3 of arXiv:2406.12141, ``L = L_SAMU + lambda * L_SLU``. Both terms are summed over utterances and
    divided by their number in the trainer, so that lambda means the same at any batch size, with any number of
    workers or accumulated batches. The CTC of an utterance is divided by its number of labels, as the mean reduction of
    PyTorch does (``slu_loss_per``). An utterance whose labels do not fit into its frames has no CTC; it is counted
    and does not lower the mean ``ctc_loss`` that is logged.
    """

    def __init__(self, cfg: DualSluConfig, task: Any) -> None:
        super().__init__(task)
        validate(cfg)
        self.semantic_weight = cfg.semantic_weight
        self.slu_weight = cfg.slu_weight
        self.semantic_scale = cfg.semantic_scale
        self.per_label = str(cfg.slu_loss_per) == "label"
        self.pad = task.target_dictionary.pad()

    def forward(self, model: Any, sample: dict[str, Any], reduce: bool = True) -> tuple[Tensor, int, dict[str, Any]]:
        """Loss of one batch.

        Args:
            model: gives an output with ``embedding`` (B, E), ``ctc_logits`` (B, T, V) or None, and ``padding_mask``
                (B, T) for the batch's ``net_input``.
            sample: a batch of ``fairseq_samu.data.collate`` with ``target`` (B, U), labels and end, and with
                ``teacher`` (B, E) where ``semantic_weight`` is positive.
            reduce: False gives one loss a row, (B,), instead of their sum.

        Returns:
            Loss (float32), number of rows, and the sums to log.

        Raises:
            ManifestError: the batch lacks targets or teacher.
        """
        output = model(**sample["net_input"])
        log = {name: sample[name] for name in ("ntokens", "nsentences", "grid", "num_skipped")}
        log["sample_size"] = sample["nsentences"]
        terms = []
        if "teacher" in sample:
            distance = self.semantic_scale * self._semantic(output.embedding, sample, log)
            terms += [self.semantic_weight * distance] if self.semantic_weight > 0 else []
        elif self.semantic_weight > 0:
            mend = "Give the task --teacher-table, or set --semantic-weight 0."
            raise ManifestError(explain("", "teacher", "there for the semantic loss", "absent", mend))
        if output.ctc_logits is not None and sample.get("target") is not None:
            ctc = self._ctc(output, sample, log)
            terms += [self.slu_weight * ctc] if self.slu_weight > 0 else []
        elif self.slu_weight > 0:
            mend = "Add the column tgt_text, with annotated text, to the manifest."
            raise ManifestError(explain("", "target", "there for the loss of tagging", "absent", mend))
        rows = terms[0] if len(terms) == 1 else terms[0] + terms[1]
        log["loss"] = rows.detach().sum()
        return (rows.sum() if reduce else rows), sample["nsentences"], log

    def _semantic(self, embedding: Tensor, sample: dict[str, Any], log: dict[str, Any]) -> Tensor:
        """Cosine distance (B,) to the teacher."""
        similarity = cosine(embedding, sample["teacher"])
        log["cosine"] = similarity.detach().sum()
        log["num_cosines"] = sample["nsentences"]
        if "candidates" in sample:
            hits = is_nearest(embedding, sample["candidates"], sample["candidate_index"], sample["candidate_allowed"])
            log["hits"] = hits.sum()
        return 1.0 - similarity

    def _ctc(self, output: Any, sample: dict[str, Any], log: dict[str, Any]) -> Tensor:
        """CTC (B,) of each row's labels; 0 where they cannot fit."""
        labels, lengths = sample["target"], sample["target_lengths"] - 1  # without the end
        loss, fits = ctc_losses(output.ctc_logits, output.padding_mask, labels, lengths, BLANK)
        if self.per_label:
            loss = loss / lengths.clamp(min=1)
        log["ctc_loss"] = loss.detach().sum()
        log["num_ctc"] = fits.sum()
        log["num_ctc_impossible"] = (~fits).sum()
        return loss

    @staticmethod
    def reduce_metrics(logging_outputs: list[dict[str, Any]]) -> None:
        """Log loss, mean cosine (and recall at 1, in validation) and CTC over all workers' rows."""
        sums = {name: sum(log.get(name, 0) for log in logging_outputs) for log in logging_outputs for name in log}
        rows = sums.get("nsentences", 0)
        if rows == 0:
            return
        metrics.log_scalar("loss", sums["loss"] / rows, rows, round=4)
        if sums.get("num_cosines", 0):
            metrics.log_scalar("mean_cosine", sums["cosine"] / sums["num_cosines"], sums["num_cosines"], round=4)
        if "hits" in sums:
            metrics.log_scalar("recall_at_1", 100.0 * sums["hits"] / rows, rows, round=2)
        if sums.get("num_ctc", 0):
            metrics.log_scalar("ctc_loss", sums["ctc_loss"] / sums["num_ctc"], sums["num_ctc"], round=4)
        if sums.get("num_ctc_impossible", 0):
            metrics.log_scalar_sum("num_ctc_impossible", sums["num_ctc_impossible"])

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """All logged values are sums."""
        return True
