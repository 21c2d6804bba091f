"""The table of what is tuned, against literal lines."""

import pytest
import torch
from torch import nn

from fairseq_samu.errors import ConfigError
from fairseq_samu.models.tuning import describe_groups, mark_groups, require_tuned


def parameter(size, tuned=True):
    return nn.Parameter(torch.zeros(size), requires_grad=tuned)


def test_table():
    groups = {
        "stem": [parameter(10, tuned=False)],
        "layer.0": [parameter(5, tuned=False)],
        "layer.1": [parameter(5)],
        "layer.2": [parameter(5)],
        "head": [parameter(1000), parameter(200, tuned=False)],
    }
    rows = [line.split() for line in describe_groups(groups).splitlines()]
    assert rows == [
        ["group", "parameters", "state"],
        ["stem", "10", "frozen"],
        ["layer.0", "5", "frozen"],
        ["layer.1", "to", "2", "10", "tuned"],
        ["head", "1,200", "1,000", "tuned"],
        ["all", "1,225", "1,010", "tuned", "(82.4", "%)"],
    ]


def test_no_groups():
    assert describe_groups({}).splitlines()[-1].split() == ["all", "0", "0", "tuned", "(0.0", "%)"]


def test_a_model_of_which_nothing_is_tuned_is_refused():
    model = nn.Linear(2, 2)
    require_tuned(model, "anything")
    model.requires_grad_(False)
    with pytest.raises(ConfigError, match="`tuned_groups` must be groups of which the model has one"):
        require_tuned(model, "encoder_adapters")


def test_parameters_say_their_group_and_so_do_the_hosts_float32_copies():
    fp16_optimizer = pytest.importorskip("fairseq.optim.fp16_optimizer", reason="the copies are the host's")
    groups = {"layer.0": [parameter(2), parameter(3)], "head": [parameter(4)]}
    mark_groups(groups)
    names = ["layer.0", "layer.0", "head"]
    parameters = [one for members in groups.values() for one in members]
    assert [one.group_name for one in parameters] == names
    copies = fp16_optimizer.FP16Optimizer.build_fp32_params(None, parameters, flatten=False)
    assert [one.param_group for one in copies] == names
