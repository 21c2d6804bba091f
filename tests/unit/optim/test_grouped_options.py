"""Options of the grouped optimizer that cannot work, and the messages that say so."""

import pytest

pytest.importorskip("fairseq", reason="optimizers stand on the host")

from torch import nn

from fairseq_samu.errors import ConfigError
from fairseq_samu.optim.grouped import Grouped, GroupedConfig, validate
from tests.unit.optim.marked import flatten, make_groups


def test_all_faults_of_the_options_come_in_one_report():
    wrong = {
        "lr_scales": "encoder=0",
        "group_optimizers": "encoder=adagrad",
        "group_weight_decays": "encoder=-1",
        "adam_betas": "(0.9, 1.0)",
        "weight_decay": -1.0,
        "adam_eps": float("nan"),
        "adadelta_eps": -1.0,
        "adadelta_rho": 1.0,
        "momentum": 1.0,
    }
    with pytest.raises(ConfigError) as caught:
        validate(GroupedConfig(**wrong))
    lines = str(caught.value).splitlines()
    assert len(lines) == len(wrong)
    assert all(sum(f"`{name}`" in line for line in lines) == 1 for name in wrong)
    assert "one of adam, adamw, adadelta, sgd" in str(caught.value)


@pytest.mark.parametrize("betas", ["0.9", "(0.9, 0.98, 0.99)", "print()", "('a', 0.9)", "(-0.1, 0.9)", ""])
def test_betas_are_a_pair_of_numbers(betas):
    with pytest.raises(ConfigError, match="`adam_betas` must be a pair"):
        validate(GroupedConfig(adam_betas=betas))


def test_keys_that_match_nothing_are_named_beside_the_groups():
    with pytest.raises(ConfigError) as caught:
        Grouped(
            GroupedConfig(lr=[0.1], lr_scales="decoder=1,encoder=1", group_optimizers="sluhead=sgd"),
            flatten(make_groups()),
        )
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "`lr_scales` must be of groups of tuned parameters" in lines[0]
    assert "'decoder'" in lines[0]
    assert "'sluhead'" in lines[1]
    assert all("(encoder.layer.N, head.pooling, slu_head.lstm)" in line for line in lines)


def test_names_that_were_lost_on_the_way_are_said_to_be():
    layer = nn.Linear(2, 2)
    with pytest.raises(ConfigError, match=r"`lr_scales` must be used with.*--fp16-no-flatten-grads"):
        Grouped(GroupedConfig(lr=[0.1], lr_scales="encoder=0.1"), layer.parameters())


def test_the_host_may_not_flatten_the_parameters():
    assert Grouped(GroupedConfig(lr=[0.1]), flatten(make_groups())).supports_flat_params is False
