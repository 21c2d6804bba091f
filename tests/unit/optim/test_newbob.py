"""The NewBob schedule against values by hand and a plain oracle."""

import random
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("fairseq", reason="schedules stand on the host")

from fairseq.optim.adam import FairseqAdam

from fairseq_samu.errors import CheckpointError, ConfigError
from fairseq_samu.optim.grouped import Grouped, GroupedConfig
from fairseq_samu.optim.newbob import Newbob, NewbobConfig, validate
from tests.unit.optim.marked import flatten, make_groups


def make_optimizer(**chosen):
    return Grouped(GroupedConfig(lr=[9.0], **chosen), flatten(make_groups()))


def make(optimizer=None, lr=1.0, maximize=False, **chosen):
    cfg = NewbobConfig(lr=[lr], maximize_best_checkpoint_metric=maximize, **chosen)
    schedule = Newbob(cfg, optimizer or make_optimizer())
    schedule.step_update(0)
    return schedule


def follow(schedule, values):
    """Rates after each of some epochs' validations."""
    rates = []
    for epoch, value in enumerate(values, 1):
        schedule.step(epoch, value)
        rates.append(schedule.step_update(schedule.num_updates))
    return rates


def oracle(values, lr, factor, threshold, patience):
    """The schedule as its authors state it, for positive values."""
    rates, left, previous = [], patience, None
    for value in values:
        if previous is not None and (previous - value) / previous < threshold:
            if left == 0:
                lr, left = lr * factor, patience
            else:
                left -= 1
        previous = value
        rates.append(lr)
    return rates


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([10.0, 2.0, 2.5], [1.0, 1.0, 0.5]),
        ([4.0, 4.0, 4.0, 2.0, 1.0], [1.0, 0.5, 0.25, 0.25, 0.25]),
        # improvements of .002, .003: below and above the threshold
        ([1.0, 0.998, 0.995], [1.0, 0.5, 0.5]),
        # compared with the epoch before, not with the best one
        ([1.0, 3.0, 2.0], [1.0, 0.5, 0.5]),
        ([0.0, 0.0], [1.0, 0.5]),
        ([-1.0, -2.0, -1.0], [1.0, 1.0, 0.5]),
        ([2.0, None, 1.0, None, 1.0], [1.0, 1.0, 1.0, 1.0, 0.5]),
    ],
)
def test_rates_by_hand(values, expected):
    assert follow(make(newbob_factor=0.5), values) == expected


def test_the_factor_is_four_fifths_unless_told_otherwise():
    assert follow(make(lr=2.0), [1.0, 1.0]) == [2.0, 1.6]


def test_patience_starts_again_at_each_shrinking():
    schedule = make(newbob_factor=0.5, newbob_patience=1)
    assert follow(schedule, [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]) == [1.0, 1.0, 0.5, 0.5, 0.5, 0.25]


@pytest.mark.parametrize("patience", [0, 1, 2])
def test_it_agrees_with_the_oracle(patience):
    rng = random.Random(patience)
    values = [rng.choice([1.0, 0.999, 0.99, 0.9, 0.5]) * rng.uniform(0.9, 1.1) for _ in range(200)]
    schedule = make(lr=0.3, newbob_factor=0.9, newbob_threshold=0.01, newbob_patience=patience)
    assert follow(schedule, values) == pytest.approx(oracle(values, 0.3, 0.9, 0.01, patience), rel=1e-12)


def test_a_metric_that_is_to_grow():
    assert follow(make(newbob_factor=0.5, maximize=True), [10.0, 20.0, 20.0, 19.0]) == [1.0, 1.0, 0.5, 0.25]


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_validation_that_is_no_number_shrinks_and_is_forgotten(broken):
    assert follow(make(newbob_factor=0.5), [1.0, broken, 0.9, 0.9]) == [1.0, 0.5, 0.5, 0.25]
    assert follow(make(newbob_factor=0.5), [broken, 1.0]) == [1.0, 1.0]


def test_warm_up_is_linear_and_nothing_shrinks_in_it():
    schedule = make(lr=0.8, newbob_factor=0.5, warmup_updates=4)
    assert [schedule.step_update(update) for update in range(3)] == pytest.approx([0.2, 0.4, 0.6])
    assert follow(schedule, [1.0, 1.0]) == pytest.approx([0.6, 0.6])
    assert [schedule.step_update(update) for update in (3, 4, 5)] == [0.8, 0.8, 0.8]
    assert follow(schedule, [1.0]) == [0.4]


def test_any_optimizer_of_the_host_will_do():
    cfg = SimpleNamespace(lr=[1.0], adam_betas="(0.9, 0.999)", adam_eps=1e-8, weight_decay=0.0, fp16_adam_stats=False)
    optimizer = FairseqAdam(SimpleNamespace(**vars(cfg), use_old_adam=True), [torch.nn.Parameter(torch.ones(1))])
    assert follow(make(optimizer), [1.0, 1.0]) == [1.0, 0.8]
    assert optimizer.get_lr() == 0.8


# ---- factors by group ------------------------------------------------------------------------------------------------


def test_groups_shrink_by_factors_of_their_own():
    optimizer = make_optimizer(lr_scales="encoder=0.1")
    schedule = make(optimizer, newbob_factor=0.5, newbob_group_factors="encoder=0.9,encoder.layer.1=1")
    assert follow(schedule, [1.0, 1.0, 1.0]) == [1.0, 0.5, 0.25]
    rates = {group["group_name"]: group["lr"] for group in optimizer.param_groups}
    expected = {"encoder.layer.0": 0.081, "encoder.layer.1": 0.1, "head.pooling": 0.25, "slu_head.lstm": 0.25}
    assert rates == pytest.approx(expected)
    assert optimizer.get_lr() == 0.25


def test_factors_by_group_need_groups():
    with pytest.raises(ConfigError, match="Add --optimizer grouped"):
        make(Grouped(GroupedConfig(lr=[1.0]), [torch.nn.Parameter(torch.ones(1))]), newbob_group_factors="encoder=0.9")
    with pytest.raises(ConfigError, match=r"'decoder'.*--newbob-group-factors"):
        make(newbob_group_factors="encoder=0.9,decoder=0.8")


# ---- saving ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", range(6))
def test_a_schedule_that_is_saved_before_it_is_told_goes_on_the_same(stop):
    """As the host does it: save the end of an epoch, then tell the schedule; the resumed run is told nothing."""
    values = [1.0, 1.0, 0.5, 0.5, 0.5, 0.2, 0.2]
    chosen = {"newbob_factor": 0.7, "newbob_patience": 1, "newbob_group_factors": "encoder=0.9"}
    whole_optimizer, optimizer = make_optimizer(), make_optimizer()
    whole = follow(make(whole_optimizer, **chosen), values)
    first = make(**chosen)
    rates = follow(first, values[:stop])
    first.expect(values[stop])
    saved = first.state_dict()
    assert first.state_dict() == saved
    second = make(optimizer, **chosen)
    second.load_state_dict(saved)
    second.step(stop + 1)
    second.step(stop + 1)
    rates += [second.step_update(0), *follow(second, values[stop + 1 :])]
    assert rates == whole
    assert [group["lr"] for group in optimizer.param_groups] == [group["lr"] for group in whole_optimizer.param_groups]


def test_an_expected_value_is_used_once():
    schedule = make(newbob_factor=0.5)
    schedule.expect(1.0)
    assert follow(schedule, [1.0]) == [1.0]
    assert schedule.state_dict() == {"scales": {"": 1.0}, "previous": 1.0, "patience": 0}
    schedule.expect(1.0)
    assert schedule.state_dict() == {"scales": {"": 0.5}, "previous": 1.0, "patience": 0}
    schedule.expect(None)
    assert schedule.state_dict()["scales"] == {"": 1.0}


def test_a_group_whose_factor_is_new_goes_on_from_where_the_others_are():
    before = make(newbob_factor=0.5)
    follow(before, [1.0, 1.0])
    optimizer = make_optimizer()
    schedule = make(optimizer, newbob_factor=0.5, newbob_group_factors="encoder=0.9")
    schedule.load_state_dict(before.state_dict())
    assert follow(schedule, [1.0]) == [0.25]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.45)


def test_the_state_of_another_schedule_is_refused():
    with pytest.raises(CheckpointError, match="--reset-lr-scheduler"):
        make().load_state_dict({"best": 1.0})


def test_all_faults_of_the_options_come_in_one_report():
    wrong = {
        "lr": [0.1, 0.2],
        "newbob_factor": 1.5,
        "newbob_threshold": float("nan"),
        "newbob_patience": -1,
        "warmup_updates": -1,
        "newbob_group_factors": "encoder=0",
    }
    with pytest.raises(ConfigError) as caught:
        validate(NewbobConfig(**wrong))
    lines = str(caught.value).splitlines()
    assert [f"`{name}`" in line for name, line in zip(wrong, lines, strict=True)] == [True] * 6
