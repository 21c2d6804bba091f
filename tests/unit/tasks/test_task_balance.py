"""How a task tells its criterion about updates, drops what is finished, and keeps the weights in checkpoints."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

pytest.importorskip("fairseq", reason="the task stands on the host")

from fairseq_samu.criterions.task_balance import BalanceOptions, TaskBalance
from fairseq_samu.data.joint_dataset import JointTaskDataset
from fairseq_samu.tasks import _task_balance
from fairseq_samu.tasks._task_balance import TaskBalancing


class Part:
    """As much of a data set as being dropped needs."""

    def __init__(self) -> None:
        self.options, self.num_indices = None, 1


def make_task(monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[TaskBalancing, TaskBalance, list[Any]]:
    monkeypatch.setattr(_task_balance.distributed_utils, "get_data_parallel_group", lambda: None)
    monkeypatch.setattr(_task_balance.distributed_utils, "get_world_size", lambda group: 1)
    balance = TaskBalance(BalanceOptions(**{"last_updates": {"asr": 2, "mt": 0}, **options}), "st", None)
    calls: list[Any] = []
    task = TaskBalancing(SimpleNamespace())
    weight = torch.nn.Parameter(torch.ones(2))
    task._model = SimpleNamespace(parameters=lambda: [weight], encoder_rests=False)
    task._criterion = SimpleNamespace(
        balance=balance,
        begin_update=lambda update, counts: (calls.append((update, counts)), balance.begin_update(update)),
    )
    return task, balance, calls


def step(task: TaskBalancing, update: int, monkeypatch: pytest.MonkeyPatch, ignore: bool = False) -> None:
    monkeypatch.setattr(_task_balance.SpeechTask, "train_step", lambda *args: "done")
    assert task.train_step({}, None, task._criterion, None, update, ignore) == "done"


def test_updates_count_from_one_and_fillers_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    task, _, calls = make_task(monkeypatch)
    step(task, 0, monkeypatch)
    step(task, 6, monkeypatch, ignore=True)
    assert calls == [(1, True), (7, False)]


def test_a_task_is_read_no_more_after_its_last_update(monkeypatch: pytest.MonkeyPatch) -> None:
    task, balance, _ = make_task(monkeypatch)
    joint = JointTaskDataset({"st": Part(), "asr": Part(), "mt": Part()}, {}, 1)  # type: ignore[dict-item]
    task.datasets = {"train": joint, "valid": object()}
    optimizer = SimpleNamespace(step=lambda: None)
    for update, asr in [(0, True), (1, False), (2, False)]:
        step(task, update, monkeypatch)
        task.optimizer_step(optimizer, None, update)
        assert (joint.active("asr"), joint.active("mt"), balance.active("asr")) == (asr, True, asr)


def test_weights_go_through_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    task, balance, _ = make_task(monkeypatch, mode="task_norm")
    found = {"weights": {"asr": 0.25, "mt": 0.5}, "dropped": ["mt"], "update": 1}
    balance.load_state_dict({**balance.state_dict(), **found})
    kept = task.get_checkpoint_dict()[type(task).__name__]
    resumed, other, _ = make_task(monkeypatch, mode="task_norm")
    joint = JointTaskDataset({"st": Part(), "asr": Part(), "mt": Part()}, {}, 1)  # type: ignore[dict-item]
    resumed.datasets = {"train": joint}
    resumed.set_checkpoint_dict(kept)
    assert (other.weight("asr"), other.active("mt"), joint.active("mt")) == (0.25, False, False)


def test_a_criterion_without_a_balance_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    task, _, _ = make_task(monkeypatch)
    task._criterion = SimpleNamespace()
    step(task, 0, monkeypatch)
    task.optimizer_step(SimpleNamespace(step=lambda: None), None, 0)
    assert task.get_checkpoint_dict() == {}
