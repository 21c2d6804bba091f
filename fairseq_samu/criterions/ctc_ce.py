"""Label-smoothed cross-entropy of a decoder, CTC of an encoder, or both weighted."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from fairseq import metrics, utils
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from fairseq_samu.errors import ConfigError, ManifestError, explain, report_all
from fairseq_samu.ops.ctc_losses import ctc_losses
from fairseq_samu.ops.linear_cross_entropy import linear_cross_entropy

# Values of the batch's `task`. Every log has the sums of each: workers with different batches add up the same keys.
TASKS = ("st", "asr")


@dataclass
class CtcCeConfig(FairseqDataclass):
    """Options of the criterion ctc_ce."""

    label_smoothing: float = field(
        default=0.0, metadata={"help": "share of the target's weight that all other tokens get (0.3 in the paper)"}
    )
    ce_weight: float = field(
        default=1.0, metadata={"help": "weight of the decoder's cross-entropy (0 = the decoder does not run)"}
    )
    ctc_weight: float = field(
        default=0.0, metadata={"help": "weight of the CTC loss on the encoder's frames (0 = none; needs --ctc-head)"}
    )


def validate(cfg: CtcCeConfig) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: a weight is negative, all are zero, or the smoothing is no share.
    """
    faults = []
    for name in ("ce_weight", "ctc_weight"):
        value = getattr(cfg, name)
        if not math.isfinite(value) or value < 0:
            faults.append(explain("ctc_ce", name, "zero or more", value, f"Set --{name.replace('_', '-')}."))
    if cfg.ce_weight == 0 and cfg.ctc_weight == 0:
        mend = "Set --ce-weight or --ctc-weight."
        faults.append(explain("ctc_ce", "ce_weight, ctc_weight", "positive, one of them", "0, 0", mend))
    if not 0.0 <= cfg.label_smoothing < 1.0:
        faults.append(explain("ctc_ce", "label_smoothing", "in [0, 1)", cfg.label_smoothing, "Set --label-smoothing."))
    if faults:
        raise ConfigError(report_all(faults))


@register_criterion("ctc_ce", dataclass=CtcCeConfig)
class CtcCeCriterion(FairseqCriterion):
    """``ce_weight * cross-entropy + ctc_weight * CTC``, summed over the batch.

    Source: section IV-B of arXiv:2306.00789 (cross-entropy); Eq. 3 of the CTC paper (Graves et al., 2006) and the
    interpolation of arXiv:1609.06773, with free weights. Every token of the target counts, its language tag and end
    too; CTC reads the pieces between them, and its blank is ``<s>``. CTC is ``-log p(pieces)`` a row. Both sums are
    divided by the number of target tokens in the trainer, so that one update of two workers or two accumulated batches
    is the mean over all of their tokens. A row whose pieces do not fit into its frames costs nothing in CTC, and is
    counted.
    """

    def __init__(self, cfg: CtcCeConfig, task: Any) -> None:
        super().__init__(task)
        validate(cfg)
        self.label_smoothing = cfg.label_smoothing
        self.ce_weight = cfg.ce_weight
        self.ctc_weight = cfg.ctc_weight
        self.pad = task.target_dictionary.pad()
        self.blank = task.target_dictionary.bos()

    def forward(self, model: Any, sample: dict[str, Any], reduce: bool = True) -> tuple[Tensor, int, dict[str, Any]]:
        """Loss of one batch.

        Args:
            model: gives an output with ``hidden`` (B, U, D) and ``output_weight`` (V, D), and for CTC with
                ``ctc_logits`` (B, T, V) and ``padding_mask`` (B, T), for the batch's ``net_input``.
            sample: a batch of ``fairseq_samu.data.collate`` with targets.
            reduce: False gives one loss a row, (B,), instead of their sum.

        Returns:
            Loss (float32), number of target tokens, and the sums to log.

        Raises:
            ManifestError: the batch has no targets.
            ConfigError: the model lacks what a term needs.
        """
        target = sample.get("target")
        if target is None:
            rule, mend = "there for a loss", "Add the column of the task's texts to the manifest."
            raise ManifestError(explain("", "target", rule, "absent", mend))
        output = model(**self._net_input(sample))
        is_token = target != self.pad
        size = int(is_token.sum())
        log = {name: sample[name] for name in ("ntokens", "nsentences", "grid", "num_skipped")}
        log |= {"num_target_tokens": size, "sample_size": size}
        terms = []
        if self.ce_weight > 0:
            terms.append(self.ce_weight * self._cross_entropy(output, target, is_token, log))
        if self.ctc_weight > 0:
            terms.append(self.ctc_weight * self._ctc(output, target, is_token, log))
        rows = terms[0] if len(terms) == 1 else terms[0] + terms[1]
        log["loss"] = rows.detach().sum()
        for task in TASKS:
            is_own = sample.get("task") == task
            log[f"loss_{task}"] = log["loss"] if is_own else torch.zeros_like(log["loss"])
            log[f"num_target_tokens_{task}"] = size if is_own else 0
        return (rows.sum() if reduce else rows), size, log

    def _net_input(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Input of the model; without previous tokens the decoder does not run."""
        net_input: dict[str, Any] = sample["net_input"]
        if self.ce_weight > 0:
            return net_input
        return {name: value for name, value in net_input.items() if name != "prev_output_tokens"}

    def _cross_entropy(self, output: Any, target: Tensor, is_token: Tensor, log: dict[str, Any]) -> Tensor:
        """Smoothed cross-entropy (B,) of each row, summed over its tokens."""
        if output.hidden is None:
            mend = "Set --ce-weight 0 for a model without a decoder."
            raise ConfigError(explain("ctc_ce", "ce_weight", "0 where no decoder runs", self.ce_weight, mend))
        found = linear_cross_entropy(
            output.hidden[is_token], output.output_weight, target[is_token], self.label_smoothing
        )
        log["nll_loss"] = found.nll.sum()
        log["num_correct"] = found.correct.sum()
        return found.loss.new_zeros(is_token.shape).masked_scatter(is_token, found.loss).sum(dim=1)

    def _ctc(self, output: Any, target: Tensor, is_token: Tensor, log: dict[str, Any]) -> Tensor:
        """Negative log-likelihood (B,) of each row's pieces; 0 where they cannot fit."""
        if output.ctc_logits is None:
            mend = "Give the model --ctc-head."
            raise ConfigError(explain("ctc_ce", "ctc_weight", "0 without a head for CTC", self.ctc_weight, mend))
        pieces, lengths = target[:, 1:], (is_token.sum(dim=1) - 2).clamp(min=0)  # without tag and end
        loss, fits = ctc_losses(output.ctc_logits, output.padding_mask, pieces, lengths, self.blank)
        log["num_ctc_impossible"] = (~fits).sum()
        log["ctc_loss"] = loss.detach().sum()
        return loss

    @staticmethod
    def reduce_metrics(logging_outputs: list[dict[str, Any]]) -> None:
        """Log losses in bits a target token, perplexity, and accuracy in percent, over all workers' rows."""
        sums = {name: sum(log.get(name, 0) for log in logging_outputs) for log in logging_outputs for name in log}
        size = sums.get("num_target_tokens", 0)
        if size == 0:
            return
        per_token = {name: value for name, value in sums.items() if name in ("loss", "nll_loss", "ctc_loss")}
        for name, value in per_token.items():
            metrics.log_scalar(name, value / size / math.log(2), size, round=4)
        for task in TASKS:
            own = sums[f"num_target_tokens_{task}"]
            if own:
                metrics.log_scalar(f"loss_{task}", sums[f"loss_{task}"] / own / math.log(2), own, round=4)
        if "nll_loss" in sums:
            metrics.log_derived("ppl", lambda meters: utils.get_perplexity(meters["nll_loss"].avg))
            metrics.log_scalar("accuracy", 100.0 * sums["num_correct"] / size, size, round=2)
        metrics.log_scalar_sum("num_target_tokens", size)
        if sums.get("num_ctc_impossible", 0):
            metrics.log_scalar_sum("num_ctc_impossible", sums["num_ctc_impossible"])

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """All logged values are sums."""
        return True
