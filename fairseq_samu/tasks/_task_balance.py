"""Training of several tasks whose weights follow what is measured: updates, workers, checkpoints."""

import logging
from typing import Any

from fairseq import metrics
from fairseq.distributed import utils as distributed_utils

from fairseq_samu.data.joint_dataset import JointTaskDataset
from fairseq_samu.tasks._speech_task import SpeechTask

logger = logging.getLogger(__name__)


class TaskBalancing(SpeechTask):
    """Tells a criterion with a balance of tasks (``balance``) about updates, and keeps its state in checkpoints.

    Criterions without one are trained as ever. The host neither saves buffers of a criterion nor restores the state of
    a task when a training resumes; it does both for the task's dictionary in a checkpoint.
    """

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        self._criterion: Any = None

    def build_criterion(self, cfg: Any, from_checkpoint: bool = False) -> Any:
        """As the host's; the criterion is known from then on."""
        self._criterion = super().build_criterion(cfg, from_checkpoint)
        return self._criterion

    @property
    def _balance(self) -> Any:
        return getattr(self._criterion, "balance", None)

    def train_step(
        self, sample: Any, model: Any, criterion: Any, optimizer: Any, update_num: int, ignore_grad: bool = False
    ) -> Any:
        """As the host's; a batch that only keeps a worker busy adds nothing to what is measured.

        What is measured is scaled as the loss is, so that it does not vanish in half precision either.
        """
        if self._balance is not None:
            criterion.begin_update(update_num + 1, counts=not ignore_grad, loss_scale=_loss_scale_of(optimizer))
        return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)

    def optimizer_step(self, optimizer: Any, model: Any, update_num: int) -> None:
        """As the base's, once an update; then the weights of tasks change, and dropped ones are read no more."""
        super().optimizer_step(optimizer, model, update_num)
        if self._balance is not None:
            group = distributed_utils.get_data_parallel_group()
            several = distributed_utils.get_world_size(group) > 1
            self._balance.finish_update(
                (lambda tensor: distributed_utils.all_reduce(tensor, group=group)) if several else None
            )
            self._drop_finished_tasks()

    def _drop_finished_tasks(self) -> None:
        for dataset in self.datasets.values():
            for task in dataset.tasks[1:] if isinstance(dataset, JointTaskDataset) else ():
                if dataset.active(task) and not self._balance.active(task):
                    logger.info(f"{task} is dropped: it is neither read nor trained on any more")
                    dataset.drop(task)

    def reduce_metrics(self, logging_outputs: Any, criterion: Any) -> None:
        """As the base's, with the weights of tasks."""
        super().reduce_metrics(logging_outputs, criterion)
        if self._balance is not None:
            for task in self._balance.options.weights:
                metrics.log_scalar(f"weight_{task}", self._balance.weight(task), weight=0, round=4)

    def get_checkpoint_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps for a training that resumes, under the name that the host looks for."""
        return {type(self).__name__: {"balance": self._balance.state_dict()}} if self._balance is not None else {}

    def set_checkpoint_dict(self, state: dict[str, Any]) -> None:
        """Take up the weights of tasks where a training resumes."""
        if self._balance is not None and "balance" in state:
            self._balance.load_state_dict(state["balance"])
            self._drop_finished_tasks()


def _loss_scale_of(optimizer: Any) -> float:
    """Factor that the host multiplies losses by: its own scaler's with --fp16, torch's with --amp, otherwise 1."""
    scaler = getattr(optimizer, "scaler", None)
    if scaler is None:
        return 1.0
    return float(scaler.loss_scale if hasattr(scaler, "loss_scale") else scaler.get_scale())
