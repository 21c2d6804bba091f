"""What each task's batch costs: cross-entropy, CTC and alignment of its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fairseq_samu.errors import ConfigError, ManifestError, explain
from fairseq_samu.ops.alignment import alignment_loss, gold_share, mean_pool
from fairseq_samu.ops.ctc_losses import ctc_losses
from fairseq_samu.ops.linear_cross_entropy import linear_cross_entropy
from fairseq_samu.ops.segmentation import find_segments


@dataclass
class TaskLoss:
    """What the rows of a task cost.

    Attributes:
        rows: (B,) float losses in nats, summed over a row's tokens, before the task's weight.
        num_tokens: target tokens of all rows.
        measured: (B,) float, the part of ``rows`` whose gradients are compared between tasks; None where there is none.
        num_measured: tokens of that part.
        log: sums of its terms.
    """

    rows: Tensor
    num_tokens: int
    measured: Tensor | None = None
    num_measured: int = 0
    log: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AlignmentOptions:
    """Contrastive losses between speech and text.

    Attributes:
        weight: alpha, of both levels beside CTC; 0 for none.
        gold: beta, share of the transcript at the start; the rest is CTC's own best path.
        step: updates after which that share falls by a tenth.
        temperature: divisor of the cosines.
        symmetric: both directions instead of speech to text alone.
    """

    weight: float = 1.0
    gold: float = 1.0
    step: int = 5000
    temperature: float = 0.1
    symmetric: bool = False


@dataclass
class MultitaskTerms:
    """Computes the losses of a batch, task by task (section 3 of arXiv:2311.03810).

    In evaluation the terms do not depend on how far the training is: ST is always decoded, and speech is aligned with
    the transcript alone, so that the losses of all checkpoints compare.

    Attributes:
        label_smoothing: of the cross-entropy.
        auxiliary_share: w, share of CTC and alignment in the loss of ST.
        asr_ce_weight: weight of the decoder's cross-entropy of transcripts.
        st_start_update: updates before the cross-entropy of ST counts.
        alignment: of speech with its text.
        shared_asr: recognition learns from the speech of ST's own rows.
        pad: id of the padding token.
        blank: id of CTC's blank.
        update: number of the update at hand, from 1 on.
        training: whether the schedules of training hold, or it is evaluated.
    """

    label_smoothing: float
    auxiliary_share: float
    asr_ce_weight: float
    st_start_update: int
    alignment: AlignmentOptions
    shared_asr: bool = False
    pad: int = 1
    blank: int = 0
    update: int = 1
    training: bool = True

    def compute(self, model: Any, parts: Mapping[str, dict[str, Any]], active: Sequence[str]) -> dict[str, TaskLoss]:
        """Losses of all active tasks that there are rows of.

        Args:
            model: see the criterion.
            parts: a batch of each task.
            active: tasks that are trained on, in order.

        Raises:
            ManifestError: a batch lacks the texts of its task.
            ConfigError: the model has no part that a task needs.
        """
        losses: dict[str, TaskLoss] = {}
        shared = self.shared_asr and "asr" in active and "asr" not in parts
        for task in active:
            if parts.get(task):
                losses.update(self._task_losses(model, task, parts[task], task == "st" and shared))
        return losses

    def _task_losses(self, model: Any, task: str, batch: dict[str, Any], shared: bool) -> dict[str, TaskLoss]:
        target = batch.get("target")
        if target is None:
            rule, mend = "there for a loss", "Add the column of the task's texts to the manifest."
            raise ManifestError(explain("", f"target of {task}", rule, "absent", mend))
        decodes = task == "mt" or (task == "asr" and self.asr_ce_weight > 0)
        decodes |= task == "st" and (not self.training or self.update > self.st_start_update)
        skipped = () if decodes else ("prev_output_tokens",)
        output = model(**{name: value for name, value in batch["net_input"].items() if name not in skipped})
        size = int((target != self.pad).sum())
        log: dict[str, Any] = {}
        entropy = self._cross_entropy(output, target, log) if decodes else None
        if task == "mt":
            assert entropy is not None
            return {task: TaskLoss(entropy, size, entropy, size, log)}
        if task == "asr":
            heard, count = self._recognition(model, output, batch, log)
            rows = heard if entropy is None else heard + self.asr_ce_weight * entropy
            return {task: TaskLoss(rows, size, heard, count, log)}
        share = self.auxiliary_share
        rows = output.states.new_zeros(len(target)) if entropy is None else (1.0 - share) * entropy
        found = {task: TaskLoss(rows, size, entropy, size, log)}
        if share > 0 or shared:
            heard, count = self._recognition(model, output, batch, log)
            found[task].rows = rows + share * heard if share > 0 else rows
            if shared:
                found["asr"] = TaskLoss(heard, count, heard, count)
        return found

    def _cross_entropy(self, output: Any, target: Tensor, log: dict[str, Any]) -> Tensor:
        """Smoothed cross-entropy (B,) of each row, summed over its tokens."""
        is_token = target != self.pad
        found = linear_cross_entropy(
            output.hidden[is_token], output.output_weight, target[is_token], self.label_smoothing
        )
        log["nll_loss"], log["num_correct"] = found.nll.sum(), found.correct.sum()
        log["num_decoded"] = int(is_token.sum())
        return found.loss.new_zeros(is_token.shape).masked_scatter(is_token, found.loss).sum(dim=1)

    def _recognition(self, model: Any, output: Any, batch: dict[str, Any], log: dict[str, Any]) -> tuple[Tensor, int]:
        """CTC and alignment (B,) of each row with its transcript, and the number of tokens of all transcripts."""
        if output.ctc_logits is None:
            mend = "Build the model without --without-speech."
            raise ConfigError(explain("consistency_multitask", "model", "one with speech", "one of text", mend))
        transcript = batch.get("transcript")
        if transcript is None:
            mend = (
                "Give all manifests of the task the column src_text, with --joint-tasks; or set --auxiliary-share 0 "
                "and leave asr out of --tasks."
            )
            raise ManifestError(explain("", "transcript", "there for CTC and alignment", "absent", mend))
        lengths = batch["transcript_lengths"]
        ctc, fits = ctc_losses(output.ctc_logits, output.padding_mask, transcript, lengths, self.blank)
        count = int(lengths.sum())
        log |= {"ctc_loss": ctc.detach().sum(), "num_ctc_impossible": (~fits).sum(), "num_transcript_tokens": count}
        if self.alignment.weight == 0:
            return ctc, count
        aligned = self._alignment(model, output, transcript) * lengths
        log["alignment_loss"] = aligned.detach().sum()
        return ctc + self.alignment.weight * aligned, count

    def _alignment(self, model: Any, output: Any, transcript: Tensor) -> Tensor:
        """Contrastive losses (B,) of both levels, against the transcript and against what CTC hears."""
        options = self.alignment
        gold = gold_share(self.update - 1, options.gold, options.step) if self.training else 1.0
        speech = [mean_pool(level, output.state_mask) for level in (output.compressed, output.states)]
        total = speech[0].new_zeros(len(transcript), dtype=torch.promote_types(speech[0].dtype, torch.float32))
        for share, read in ((gold, lambda: transcript), (1.0 - gold, lambda: self._best_path(output))):
            if share <= 0:
                continue
            tokens = read()
            # dropout makes the vectors of equal texts differ
            alike = (tokens[:, None] == tokens[None]).all(dim=2)
            with torch.no_grad():
                text = model.encode_text(tokens)
            for heard, level in zip(speech, (text.compressed, text.states), strict=True):
                written = mean_pool(level, text.state_mask)
                total = total + share * alignment_loss(heard, written, options.temperature, options.symmetric, alike)
        return total

    def _best_path(self, output: Any) -> Tensor:
        """Tokens (B, S) of CTC's best path, padded; one blank where it is empty."""
        labels = output.ctc_logits.argmax(dim=-1)
        segments = find_segments(labels, output.padding_mask, self.blank, blanks="drop")
        return labels.gather(1, segments.starts).masked_fill(segments.padding_mask, self.pad)
