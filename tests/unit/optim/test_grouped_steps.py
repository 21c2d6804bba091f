"""Half precision: stepped in float32, by the host's own wrappers as well."""

import copy

import pytest
import torch

pytest.importorskip("fairseq", reason="the wrappers are the host's")

from fairseq.optim.fp16_optimizer import FP16Optimizer, MemoryEfficientFP16Optimizer
from omegaconf import OmegaConf

from fairseq_samu.errors import ConfigError
from fairseq_samu.optim.grouped import Grouped, GroupedConfig
from fairseq_samu.optim.grouped_steps import KINDS, GroupedSteps
from tests.unit.optim.marked import flatten, make_groups, set_gradients

HALF = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])


def make_steps(parameters, kind):
    group = {"params": parameters, "group_name": "a", "kind": kind, "base_lr": 0.1, "lr_scale": 1.0}
    return GroupedSteps([group])


def host_config(dtype, **common):
    """What the host's wrappers read of a configuration."""
    fp16 = {"fp16_init_scale": 4, "fp16_scale_window": 1, "fp16_scale_tolerance": 0.0, "threshold_loss_scale": None}
    optimizer = {"_name": "grouped", "lr": [0.1], "lr_scales": "encoder=0.01", "group_optimizers": "slu_head=adadelta"}
    return OmegaConf.create(
        {
            "common": {"bf16": dtype == torch.bfloat16, "min_loss_scale": 1e-4, **fp16, **common},
            "optimization": {"update_freq": [1], "lr": [0.1]},
            "optimizer": optimizer,
        }
    )


@HALF
@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_is_stepped_in_float32_and_rounded(kind, dtype):
    parameters = flatten(make_groups(dtype))
    optimizer = make_steps(parameters, kind)
    for update in range(3):
        before = [parameter.detach().float().requires_grad_() for parameter in parameters]
        oracle = make_steps(before, kind)
        for wide, parameter in zip(before, parameters, strict=True):
            oracle.state[wide] = copy.deepcopy(optimizer.state[parameter])
        set_gradients(parameters, update)
        for wide, parameter in zip(before, parameters, strict=True):
            wide.grad = parameter.grad.float()
        optimizer.step()
        oracle.step()
        assert all(torch.equal(p, wide.to(dtype)) for p, wide in zip(parameters, before, strict=True))
        moments = [value for p in parameters for value in optimizer.state[p].values() if torch.is_tensor(value)]
        assert all(moment.dtype == torch.float32 for moment in moments)


@HALF
@pytest.mark.parametrize("wrapper", [FP16Optimizer, MemoryEfficientFP16Optimizer])
def test_the_hosts_wrappers_keep_the_groups(wrapper, dtype):
    parameters = flatten(make_groups(dtype))
    optimizer = wrapper.build_optimizer(host_config(dtype, fp16_no_flatten_grads=True), parameters)
    assert optimizer.get_lr() == 0.1
    by_name = {group["group_name"]: (group["kind"], group["lr"]) for group in optimizer.param_groups}
    assert by_name == {
        "encoder.layer.0": ("adam", 0.1 * 0.01),
        "encoder.layer.1": ("adam", 0.1 * 0.01),
        "head.pooling": ("adam", 0.1),
        "slu_head.lstm": ("adadelta", 0.1),
    }
    before = [parameter.detach().clone() for parameter in parameters]
    optimizer.zero_grad()
    optimizer.backward(sum(parameter.float().square().sum() for parameter in parameters))
    norm = optimizer.clip_grad_norm(0.1)
    assert norm.item() == pytest.approx(2 * sum(p.double().square().sum() for p in before).sqrt().item(), rel=0.01)
    optimizer.step()
    # Adam's first step of the group of scale 1; bfloat16 rounds smaller ones away
    torch.testing.assert_close(
        parameters[-2].float(), before[-2].float() - 0.1 * before[-2].sign(), rtol=0.01, atol=1e-4
    )


def test_a_resumed_run_of_half_precision_ends_with_the_same_bits():
    ends = []
    for stop in (None, 3):
        parameters = flatten(make_groups(torch.bfloat16))
        optimizer = MemoryEfficientFP16Optimizer.build_optimizer(host_config(torch.bfloat16), parameters)
        for update in range(6):
            if update == stop:
                saved = copy.deepcopy(optimizer.state_dict())
                optimizer = MemoryEfficientFP16Optimizer.build_optimizer(host_config(torch.bfloat16), parameters)
                optimizer.load_state_dict(saved)
            set_gradients(parameters, update)
            optimizer.step()
        state = optimizer.optimizer.state
        ends.append([*parameters, *(v for p in parameters for v in state[p].values() if torch.is_tensor(v))])
    assert len(ends[0]) == 5 + 5 * 3
    assert all(one.dtype == two.dtype and torch.equal(one, two) for one, two in zip(*ends, strict=True))


def test_flattened_parameters_have_no_names_and_are_refused():
    flat = torch.nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in flatten(make_groups())]))
    with pytest.raises(ConfigError, match="--fp16-no-flatten-grads"):
        Grouped(GroupedConfig(lr=[0.1], group_optimizers="slu_head=adadelta"), [flat])


def test_a_closure_is_run_with_gradients():
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = make_steps([parameter], "sgd")

    def closure():
        loss = parameter.sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 2.0
    assert parameter.tolist() == pytest.approx([0.9, 0.9])
