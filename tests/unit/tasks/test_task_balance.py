"""How a task tells its criterion about updates, drops what is finished, and keeps the weights in checkpoints."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("fairseq", reason="the task stands on the host")

from fairseq.optim.dynamic_loss_scaler import DynamicLossScaler

from fairseq_samu.criterions.consistency_multitask import ConsistencyMultitaskCriterion
from fairseq_samu.criterions.task_balance import BalanceOptions, TaskBalance
from fairseq_samu.data.joint_dataset import JointTaskDataset
from fairseq_samu.tasks import _task_balance
from fairseq_samu.tasks._task_balance import TaskBalancing
from tests.unit.criterions.spelling_model import SpellingModel, joint, make_criterion, speech, spelt


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
        begin_update=lambda update, **given: (calls.append((update, given)), balance.begin_update(update)),
    )
    return task, balance, calls


def step(
    task: TaskBalancing, update: int, monkeypatch: pytest.MonkeyPatch, ignore: bool = False, optimizer: Any = None
) -> None:
    monkeypatch.setattr(_task_balance.SpeechTask, "train_step", lambda *args: "done")
    assert task.train_step({}, None, task._criterion, optimizer, update, ignore) == "done"


def test_updates_count_from_one_and_fillers_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    task, _, calls = make_task(monkeypatch)
    step(task, 0, monkeypatch)
    step(task, 6, monkeypatch, ignore=True)
    assert calls == [(1, {"counts": True, "loss_scale": 1.0}), (7, {"counts": False, "loss_scale": 1.0})]


@pytest.mark.parametrize(
    ("scaler", "scale"),
    [(DynamicLossScaler(init_scale=64.0), 64.0), (SimpleNamespace(get_scale=lambda: 32.0), 32.0), (None, 1.0)],
    ids=["fp16", "amp", "bf16"],
)
def test_the_criterion_is_told_what_losses_are_multiplied_by(
    monkeypatch: pytest.MonkeyPatch, scaler: Any, scale: float
) -> None:
    task, _, calls = make_task(monkeypatch)
    step(task, 0, monkeypatch, optimizer=SimpleNamespace(scaler=scaler))
    assert [given["loss_scale"] for _, given in calls] == [scale]


class HalfPrecision:
    """As much of the host's optimizer for half precision as an update needs."""

    def __init__(self, init_scale: float, least: float) -> None:
        self.scaler = DynamicLossScaler(init_scale=init_scale, threshold=least)

    def backward(self, loss: Tensor) -> None:
        self.scaler.scale(loss).backward()

    def step(self) -> None:
        pass


def certain_rows(certainty: float, rows: int = 1) -> dict[str, Any]:
    """Speech whose transcript CTC hears so surely that its gradient is tiny."""
    parts = {task: speech(task, [spelt([4], certainty)] * rows, [[4]] * rows, [[4]] * rows) for task in ("st", "asr")}
    return joint(**parts)


def make_half_task(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> tuple[TaskBalancing, SpellingModel, ConsistencyMultitaskCriterion]:
    task, _, _ = make_task(monkeypatch)
    model = SpellingModel(0.0, -0.5, 0.5).to(dtype)
    model.set_num_updates = lambda number: None  # type: ignore[assignment]
    model.encoder_rests = False  # type: ignore[assignment]
    task._model = model
    task._criterion = make_criterion("st,asr", alignment_weight=0.0, measure_interval=1, weight_mode="fixed")
    return task, model, task._criterion


def measure(task: TaskBalancing, optimizer: Any, attempts: list[list[dict[str, Any]]]) -> dict[Any, Any]:
    """What is measured in one update, as the host's trainer runs it, of which all attempts but the last overflow."""
    found: list[Any] = []
    finish = task._balance.finish_update
    task._balance.finish_update = lambda *args: found.extend(finish(*args))
    model, dtype = task._model, task._model.acoustic.dtype
    for batches in attempts:
        task._criterion.train()
        for batch in batches:
            for part in batch["tasks"].values():
                part["net_input"]["source"] = part["net_input"]["source"].to(dtype)
            task.train_step(batch, model, task._criterion, optimizer, 0)
        if batches is not attempts[-1]:
            with pytest.raises(OverflowError):
                optimizer.scaler.check_overflow(math.inf)
    task.optimizer_step(optimizer, model, 0)
    assert found
    return {(one.module, one.layer): (one.norm, one.main_norm) for one in found}


def test_what_is_measured_does_not_vanish_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for dtype in (torch.float32, torch.float16):
        task, _, _ = make_half_task(monkeypatch, dtype)
        scale = 2.0**15 if dtype == torch.float16 else 1.0
        found[dtype] = measure(task, HalfPrecision(scale, scale), [[certain_rows(20.0)]])
    norm, _ = found[torch.float32]["acoustic_encoder", 0]
    assert 0 < norm < torch.finfo(torch.float16).smallest_normal / 2**10
    assert found[torch.float16]["acoustic_encoder", 0][0] == pytest.approx(norm, rel=1e-2)


@pytest.mark.parametrize("least", [1.0, 128.0], ids=["another scale", "the same scale"])
def test_what_an_overflow_threw_away_is_not_measured(monkeypatch: pytest.MonkeyPatch, least: float) -> None:
    last = [certain_rows(1.0), certain_rows(2.0)]
    task, _, _ = make_half_task(monkeypatch, torch.float32)
    expected = measure(task, HalfPrecision(128.0, 128.0), [last])
    task, _, _ = make_half_task(monkeypatch, torch.float32)
    found = measure(task, HalfPrecision(128.0, least), [[certain_rows(0.0, rows=5)], last])
    for place, norms in expected.items():
        assert found[place] == tuple(None if norm is None else pytest.approx(norm, rel=1e-5) for norm in norms)


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
