"""What every task over manifests of speech does alike: gradients that no worker count changes, and what is logged."""

from collections.abc import Iterable
from typing import Any

import torch
from fairseq import metrics
from fairseq.tasks import FairseqTask

from fairseq_samu.data.audio import SAMPLE_RATE


class SpeechTask(FairseqTask):
    """Base of the tasks; its batches are those of ``fairseq_samu.data.collate``.

    Args:
        cfg: options.
    """

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        self._model: Any = None
        self._cache_seconds = 0.0

    @property
    def reads_speech(self) -> bool:
        """Whether batches hold speech."""
        return True

    def resting_parameters(self) -> Iterable[Any]:
        """Parameters that are tuned, but left alone by the update at hand: those of an encoder that rests."""
        return self._model.encoder.parameters() if self._model.encoder_rests else ()

    def optimizer_step(self, optimizer: Any, model: Any, update_num: int) -> None:
        """As the host's, with the same gradients for one worker as for several.

        What rests gets no gradient, so that weight decay cannot move it. What layerdrop or a batch's task left out
        gets a gradient of zero, as data-parallel training gives it, so that momentum and decay do not depend on the
        number of workers.
        """
        resting = {id(parameter) for parameter in self.resting_parameters()}
        wide = _find_wide_copies(optimizer)
        for parameter in self._model.parameters():
            if id(parameter) in resting:
                parameter.grad = None
                if id(parameter) in wide:
                    wide[id(parameter)].grad = None
            elif parameter.requires_grad and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        super().optimizer_step(optimizer, model, update_num)

    def reduce_metrics(self, logging_outputs: Any, criterion: Any) -> None:
        """Log the criterion's sums, padding, speed in seconds of audio, and what was skipped."""
        super().reduce_metrics(logging_outputs, criterion)
        samples = sum(log.get("ntokens", 0) for log in logging_outputs)
        grid = sum(log.get("grid", 0) for log in logging_outputs)
        if grid:
            metrics.log_scalar("padding", 1.0 - float(samples) / float(grid), float(grid), priority=185, round=4)
            if self.reads_speech:
                metrics.log_speed("audio_s_per_s", float(samples) / SAMPLE_RATE, priority=95, round=1)
        skipped = sum(log.get("num_skipped", 0) for log in logging_outputs)
        if skipped:
            metrics.log_scalar_sum("num_skipped", float(skipped), priority=186)
        if self._cache_seconds:
            metrics.log_scalar("cache_seconds", self._cache_seconds, weight=0, priority=900, round=1)


def _find_wide_copies(optimizer: Any) -> dict[int, Any]:
    # What the host steps for parameters in half precision; it gives those without a gradient one of zero beforehand.
    # Where it has made all copies one flat tensor (--fp16 without --fp16-no-flatten-grads), none can rest.
    copies = getattr(optimizer, "fp32_params", None)
    return dict(zip(map(id, optimizer.fp16_params), copies, strict=True)) if isinstance(copies, list) else {}
