"""The grouped optimizer against torch's own, group by group."""

import copy

import pytest
import torch

pytest.importorskip("fairseq", reason="optimizers stand on the host")

from fairseq import optim, options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.optim.lr_scheduler import build_lr_scheduler
from torch import nn

import fairseq_samu
from fairseq_samu.errors import CheckpointError
from fairseq_samu.optim.grouped import Grouped, GroupedConfig
from tests.unit.optim.marked import flatten, make_groups, set_gradients

MIXED = {
    "lr_scales": "encoder=0.01,encoder.layer.1=0.1",
    "group_optimizers": "encoder=adamw,slu_head=adadelta,head=sgd",
    "group_weight_decays": "head=0",
    "weight_decay": 0.1,
    "adam_betas": "(0.8, 0.95)",
    "adam_eps": 1e-7,
    "adadelta_rho": 0.8,
    "adadelta_eps": 1e-5,
    "momentum": 0.9,
}


def build(groups, lr=0.5, **chosen):
    return Grouped(GroupedConfig(lr=[lr], **chosen), flatten(groups))


def train(optimizer, parameters, updates, first=0):
    for update in range(first, first + updates):
        set_gradients(parameters, update)
        optimizer.step()


def oracles(groups, lr):
    """The options MIXED, spelt out by torch's optimizers, one for each group."""
    adam = {"betas": (0.8, 0.95), "eps": 1e-7, "weight_decay": 0.1}
    return [
        torch.optim.AdamW(groups["encoder.layer.0"], lr=lr * 0.01, **adam),
        torch.optim.AdamW(groups["encoder.layer.1"], lr=lr * 0.1, **adam),
        torch.optim.SGD(groups["head.pooling"], lr=lr, momentum=0.9),
        torch.optim.Adadelta(groups["slu_head.lstm"], lr=lr, rho=0.8, eps=1e-5, weight_decay=0.1),
    ]


def assert_equal(first, second, **tolerance):
    for one, two in zip(flatten(first), flatten(second), strict=True):
        torch.testing.assert_close(one, two, **tolerance)


def assert_same_bits(first, second):
    assert_equal(first, second, rtol=0, atol=0)


def test_each_group_goes_by_its_own_optimizer_rate_and_decay():
    groups, expected = make_groups(), make_groups()
    optimizer = build(groups, **MIXED)
    each = oracles(expected, lr=0.5)
    for update in range(5):
        train(optimizer, flatten(groups), 1, first=update)
        set_gradients(flatten(expected), update)
        for oracle in each:
            oracle.step()
    assert_equal(groups, expected, rtol=1e-6, atol=1e-7)
    assert not torch.equal(flatten(groups)[0], flatten(make_groups())[0])


def test_one_step_by_hand():
    parameter = nn.Parameter(torch.tensor([1.0, -2.0]))
    parameter.group_name = "head.pooling"
    other = nn.Parameter(torch.tensor([1.0]))
    other.group_name = "encoder.layer.0"
    optimizer = Grouped(
        GroupedConfig(lr=[0.1], lr_scales="encoder=0.5", group_optimizers="head=sgd,encoder=adamw", weight_decay=0.2),
        [parameter, other],
    )
    parameter.grad, other.grad = torch.tensor([3.0, 0.0]), torch.tensor([7.0])
    optimizer.step()
    # sgd: x - 0.1 * (g + 0.2 x)
    assert parameter.tolist() == pytest.approx([1 - 0.1 * 3.2, -2 + 0.1 * 0.4])
    # adamw: (1 - 0.05 * 0.2) x - 0.05 * sign(g) in its first step
    assert other.item() == pytest.approx(0.99 - 0.05, abs=1e-6)


def test_without_options_all_is_torchs_adam():
    groups, expected = make_groups(), make_groups()
    optimizer, oracle = build(groups, lr=0.01), torch.optim.Adam(flatten(expected), lr=0.01)
    for update in range(4):
        train(optimizer, flatten(groups), 1, first=update)
        set_gradients(flatten(expected), update)
        oracle.step()
    assert_equal(groups, expected, rtol=1e-6, atol=1e-7)


def test_parameters_without_names_are_one_group():
    layer = nn.Linear(2, 2)
    optimizer = Grouped(GroupedConfig(lr=[0.1]), layer.parameters())
    assert len(optimizer.param_groups) == 1
    assert optimizer.get_lr() == 0.1


def test_what_has_no_gradient_is_left_alone():
    groups = make_groups()
    optimizer = build(groups, **MIXED)
    train(optimizer, flatten(groups), 2)
    resting = groups["encoder.layer.0"] + groups["slu_head.lstm"]
    before = [parameter.detach().clone() for parameter in resting]
    moments = copy.deepcopy([optimizer.optimizer.state[parameter] for parameter in resting])
    set_gradients(flatten(groups), 2)
    for parameter in resting:
        parameter.grad = None
    optimizer.step()
    assert all(map(torch.equal, resting, before))
    for parameter, kept in zip(resting, moments, strict=True):
        state = optimizer.optimizer.state[parameter]
        assert state.keys() == kept.keys()
        assert all(torch.equal(state[name], kept[name]) for name in kept)


def test_norms_are_clipped_over_all_groups():
    groups = make_groups()
    optimizer = build(groups, **MIXED)
    set_gradients(flatten(groups), 0)
    norm = torch.stack([parameter.grad.norm() for parameter in flatten(groups)]).norm()
    assert optimizer.clip_grad_norm(0.5).item() == pytest.approx(norm.item())
    clipped = torch.stack([parameter.grad.norm() for parameter in flatten(groups)]).norm()
    assert clipped.item() == pytest.approx(0.5, rel=1e-4)


# ---- rates -----------------------------------------------------------------------------------------------------------


def rates(optimizer):
    return {group["group_name"]: group["lr"] for group in optimizer.param_groups}


def test_one_rate_is_set_and_every_group_scales_it():
    optimizer = build(make_groups(), lr=2.0, lr_scales="encoder=0.01,head=0.1")
    assert optimizer.get_lr() == 2.0
    optimizer.set_lr(0.3)
    assert optimizer.get_lr() == 0.3
    encoder = 0.3 * 0.01
    assert rates(optimizer) == {
        "encoder.layer.0": encoder,
        "encoder.layer.1": encoder,
        "head.pooling": 0.3 * 0.1,
        "slu_head.lstm": 0.3,
    }


def parse(*flags):
    fairseq_samu.register()
    words = ["data", "--task", "samu_distill", "--arch", "samu_xlsr", "--criterion", "cosine_kd", *flags]
    return convert_namespace_to_omegaconf(
        options.parse_args_and_arch(options.get_training_parser(), input_args=[*words, "--optimizer", "grouped"])
    )


SCHEDULES = {
    "fixed": ["--warmup-updates", "5"],
    "inverse_sqrt": ["--warmup-updates", "5"],
    "tri_stage": ["--phase-ratio", "[0.25, 0.5, 0.25]", "--max-update", "16"],
    "polynomial_decay": ["--total-num-update", "20"],
    "cosine": ["--max-update", "20"],
    "reduce_lr_on_plateau": ["--lr-shrink", "0.5"],
    "newbob": ["--newbob-factor", "0.5"],
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_of_the_host_scales_all_groups_alike(name):
    flags = ["--lr", "0.02", "--lr-scales", "encoder=0.01", "--lr-scheduler", name, *SCHEDULES[name]]
    config = parse(*flags)
    optimizer = optim.build_optimizer(config.optimizer, flatten(make_groups()))
    schedule = build_lr_scheduler(config.lr_scheduler, optimizer)
    seen = []
    for update in range(20):
        schedule.step_update(update)
        if update % 5 == 4:
            schedule.step(update // 5 + 1, 1.0)
            schedule.step_update(update)
        now = rates(optimizer)
        assert now["encoder.layer.0"] == pytest.approx(0.01 * now["slu_head.lstm"], rel=1e-12)
        assert optimizer.get_lr() == now["slu_head.lstm"]
        seen.append(now["slu_head.lstm"])
    assert len(set(seen)) > 1


# ---- saving ----------------------------------------------------------------------------------------------------------


def test_a_resumed_run_ends_with_the_same_bits():
    whole, halves = make_groups(), make_groups()
    train(build(whole, **MIXED), flatten(whole), 8)
    first = build(halves, **MIXED)
    train(first, flatten(halves), 5)
    saved = copy.deepcopy(first.state_dict())
    second = build(halves, **MIXED)
    second.load_state_dict(saved)
    train(second, flatten(halves), 3, first=5)
    assert_same_bits(whole, halves)
    again = second.state_dict()
    assert saved["param_groups"] == again["param_groups"]


def test_a_checkpoint_is_read_without_running_what_it_holds(tmp_path):
    groups = make_groups()
    optimizer = build(groups, **MIXED)
    train(optimizer, flatten(groups), 2)
    torch.save(optimizer.state_dict(), tmp_path / "state.pt")
    read = torch.load(tmp_path / "state.pt", weights_only=True)
    fresh = build(make_groups(), **MIXED)
    fresh.load_state_dict(read)
    assert fresh.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]


def test_scales_and_decays_of_a_resumed_run_are_those_of_its_command():
    groups = make_groups()
    optimizer = build(groups, lr_scales="encoder=0.01")
    train(optimizer, flatten(groups), 1)
    optimizer.set_lr(0.3)
    resumed = build(groups, lr_scales="encoder=0.1", weight_decay=0.5)
    resumed.load_state_dict(optimizer.state_dict())
    assert resumed.get_lr() == 0.3
    assert rates(resumed)["encoder.layer.0"] == pytest.approx(0.03)
    assert {group["weight_decay"] for group in resumed.param_groups} == {0.5}


def test_overrides_of_the_host_reach_all_groups_and_the_rate_is_scaled():
    optimizer = build(make_groups(), lr_scales="encoder=0.5")
    optimizer.load_state_dict(build(make_groups()).state_dict(), {"lr": 0.2, "weight_decay": 0.7})
    assert rates(optimizer)["encoder.layer.0"] == 0.1
    assert optimizer.get_lr() == 0.2
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.7}


@pytest.mark.parametrize(("chosen", "missing"), [({"group_optimizers": "head=sgd"}, ""), ({}, "head.pooling")])
def test_moments_of_other_groups_are_refused(chosen, missing):
    groups = make_groups()
    other = {name: members for name, members in groups.items() if name != missing}
    with pytest.raises(CheckpointError, match="--reset-optimizer") as caught:
        build(groups).load_state_dict(build(other, **chosen).state_dict())
    assert "head.pooling: 1 tensors by adam" in str(caught.value)
