"""Options of the weighting of tasks that cannot work are named, all at once."""

import math

import pytest

pytest.importorskip("fairseq", reason="criterions stand on the host")

from fairseq_samu.criterions.balance_options import EXPONENTS, MODULES, BalanceOptions, find_balance_faults


def test_the_defaults_are_those_of_the_paper():
    options = BalanceOptions()
    assert find_balance_faults(options, "x") == []
    assert (options.weight_interval, options.drop_below) == (5000, 0.1)
    assert options.last_updates == {"asr": 20000, "mt": 30000}
    assert MODULES.keys() == EXPONENTS.keys() == {"asr", "mt"}


@pytest.mark.parametrize(
    ("changed", "option"),
    [
        ({"mode": "norm"}, "weight_mode"),
        ({"measure_interval": -1}, "measure_interval"),
        ({"weight_interval": 0}, "weight_interval"),
        ({"drop_below": 1.5}, "drop_below"),
        ({"rate": -0.1}, "consistency_rate"),
        ({"rate": math.nan}, "consistency_rate"),
        ({"weights": {"asr": -1.0}}, "asr_weight"),
        ({"weights": {"mt": math.inf}}, "mt_weight"),
        ({"last_updates": {"mt": -5}}, "mt_last_update"),
    ],
)
def test_each_fault_names_its_option(changed, option):
    (fault,) = find_balance_faults(BalanceOptions(**changed), "consistency_multitask")
    assert fault.startswith(f"consistency_multitask: `{option}` must be ")
    assert f"--{option.replace('_', '-')}" in fault


def test_a_task_without_a_rule_is_named():
    (fault,) = find_balance_faults(BalanceOptions(weights={"st": 1.0, "mt": 1.0}), "x")
    assert "`auxiliary tasks` must be out of asr, mt, but is 'st' instead. Name another task first" in fault


def test_faults_come_together():
    assert len(find_balance_faults(BalanceOptions(mode="", weight_interval=0, drop_below=-1, rate=2), "")) == 4


@pytest.mark.parametrize("changed", [{"measure_interval": 0}, {"weights": {}}, {"last_updates": {"asr": 0}}])
def test_what_turns_a_part_off_is_no_fault(changed):
    assert find_balance_faults(BalanceOptions(**changed), "") == []
