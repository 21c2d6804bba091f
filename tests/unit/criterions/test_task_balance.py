"""When tasks are measured, how weights follow, and what is dropped."""

import math

import pytest
import torch

pytest.importorskip("fairseq", reason="criterions stand on the host")

from fairseq_samu.criterions.task_balance import TaskBalance
from fairseq_samu.errors import ConfigError
from tests.unit.criterions.planted_gradients import cosines, norms, options, run
from tests.unit.criterions.shared_network import halves, make_batch, make_network, recompute, save


def test_task_norms_decay_by_the_literal_rule():
    balance = TaskBalance(options(drop_below=0.0))
    run(balance, 1, 3, norms())
    assert (balance.weight("st"), balance.weight("asr"), balance.weight("mt")) == (1.0, 1.0, 1.0)
    run(balance, 4, 4, norms())
    assert balance.weight("asr") == pytest.approx(0.5)  # j = 1
    assert balance.weight("mt") == pytest.approx(0.36**0.5)
    run(balance, 5, 8, norms())
    assert balance.weight("asr") == pytest.approx(0.5**3)  # j = 2
    assert balance.weight("mt") == pytest.approx(0.36**1.5)
    run(balance, 9, 12, norms(asr=1.0, mt_textual=0.81))
    assert balance.weight("asr") == pytest.approx(0.5**3)
    assert balance.weight("mt") == pytest.approx(0.36**1.5 * 0.81**1.5)  # j = 3


def test_consistency_follows_the_mean_cosine_since_the_last_change():
    balance = TaskBalance(options(mode="consistency", drop_below=0.0))
    run(balance, 1, 2, cosines(1.0, 0.6, 0.0))
    run(balance, 3, 4, cosines(0.6, 0.8, 0.6))
    assert balance.weight("asr") == pytest.approx(1 - 0.5 * (1 - 0.8))
    assert balance.weight("mt") == pytest.approx(1 - 0.5 * (1 - 0.5))
    run(balance, 5, 8, cosines(-1.0, 1.0, 1.0))  # what was before the change is forgotten
    assert balance.weight("asr") == 0.0
    assert balance.weight("mt") == pytest.approx(0.75)


def test_fixed_weights_are_only_measured():
    balance = TaskBalance(options(mode="fixed", weights={"asr": 0.05, "mt": 0.7}))
    found = run(balance, 1, 12, norms())
    assert (balance.weight("asr"), balance.weight("mt")) == (0.05, 0.7)
    assert sorted({one.update for one in found}) == [2, 4, 6, 8, 10, 12]


def test_weights_never_grow():
    balance = TaskBalance(options(weights={"asr": 0.3, "mt": 1.0}))
    run(balance, 1, 40, norms(asr=50.0, mt_textual=7.0))
    assert (balance.weight("asr"), balance.weight("mt")) == (0.3, 1.0)


def test_due_at_both_intervals():
    balance = TaskBalance(options(measure_interval=3, weight_interval=4, drop_below=0.0))
    assert sorted({one.update for one in run(balance, 1, 12, norms())}) == [3, 4, 6, 8, 9, 12]
    silent = TaskBalance(options(measure_interval=0, weight_interval=4, drop_below=0.0))
    assert sorted({one.update for one in run(silent, 1, 9, norms())}) == [4, 8]
    assert run(TaskBalance(options(mode="fixed", measure_interval=0)), 1, 9, norms()) == []


def test_not_due_costs_no_pass():
    balance = TaskBalance(options())
    balance.begin_update(1)
    assert not balance.due
    loss = torch.ones(1, requires_grad=True).sum()
    loss.backward()  # the graph is gone
    balance.add("st", loss, 1, {"decoder": [(0, torch.ones(1, requires_grad=True))]})
    assert balance.finish_update() == []
    assert balance.state_dict()["seconds"] == 0.0


def test_dropped_under_the_limit_and_neither_measured_nor_reported_then():
    source = norms(asr=0.09, mt_textual=0.9)
    balance = TaskBalance(options())
    last = run(balance, 1, 4, source)
    assert not balance.active("asr")
    assert balance.weight("asr") == 0.0
    assert balance.active("mt")
    assert {one.weight for one in last if (one.update, one.task) == (4, "asr")} == {0.0}
    source.vectors["asr"] = None  # computing its loss would fail now
    balance.begin_update(6)
    for task in ("st", "mt"):
        balance.add(task, source.loss(task), 1, source.probes)
    balance.add("asr", torch.tensor(math.nan), 1, source.probes)
    assert {one.task for one in balance.finish_update()} == {"mt"}
    assert not balance.active("asr")


def test_a_weight_that_begins_under_the_limit_is_trained_until_a_change():
    balance = TaskBalance(options(weights={"asr": 0.05, "mt": 0.0}))
    run(balance, 1, 3, norms(asr=2.0))
    assert balance.active("asr")
    assert not balance.active("mt")
    run(balance, 4, 4, norms(asr=2.0))
    assert not balance.active("asr")


@pytest.mark.parametrize("mode", ["fixed", "task_norm", "consistency"])
def test_dropped_after_the_last_update(mode):
    balance = TaskBalance(options(mode=mode, last_updates={"asr": 6, "mt": 9}, drop_below=0.0))
    source = cosines(1.0, 1.0, 1.0)
    for update in range(1, 12):
        balance.begin_update(update)
        assert (balance.active("asr"), balance.active("mt")) == (update <= 6, update <= 9)
        assert balance.due == (update <= 9 and update % 2 == 0)
        for task in source.vectors:
            balance.add(task, source.loss(task), 1, source.probes)
        found = balance.finish_update()
        measured = [task for task, last in (("asr", 6), ("mt", 9)) if update % 2 == 0 and update <= last]
        assert list(dict.fromkeys(one.task for one in found)) == measured
        # between two updates the next one counts, so that its batch is not even read
        assert balance.active("asr") == (update + 1 <= 6)


def test_a_module_without_anything_to_probe_leaves_the_weight():
    source = norms()
    source.probes["acoustic_encoder"] = []
    source.parameters["decoder"].requires_grad_(False)
    balance = TaskBalance(options())
    source.vectors["asr"] = {"acoustic_encoder": [1.0, 0.0]}
    run(balance, 1, 4, source)
    assert balance.weight("asr") == 1.0
    assert balance.weight("mt") == pytest.approx(0.25**0.5)  # the decoder's .36 does not count


def test_without_the_main_task_nothing_is_decided():
    source = norms()
    del source.vectors["st"]
    balance = TaskBalance(options())
    found = run(balance, 1, 4, source)
    assert (balance.weight("asr"), balance.weight("mt")) == (1.0, 1.0)
    assert {one.main_norm for one in found} == {one.cosine for one in found} == {None}
    assert {one.norm for one in found if one.module == "acoustic_encoder" and one.task == "asr"} == {1.0}


def test_what_is_not_finite_decides_nothing():
    source = norms(asr=math.inf)
    balance = TaskBalance(options())
    run(balance, 1, 4, source)
    assert balance.weight("asr") == 1.0
    assert balance.weight("mt") == pytest.approx(0.6)


def network_updates(balance, network, batches_of, last, order=("st", "asr", "mt")):
    found = []
    for update in range(1, last + 1):
        for batch in batches_of(update):
            balance.begin_update(update)
            for task in order:
                source, target = batch[task]
                balance.add(task, network.loss(task, source, target), target.numel(), network.probes())
        found += balance.finish_update(None)
    return found


def values(found):
    return {(one.update, one.task, one.module, one.layer): (one.norm, one.cosine) for one in found}


def test_measurements_equal_those_recomputed_from_saved_batches(tmp_path):
    network, batch = make_network(), make_batch(1)
    balance = TaskBalance(options(weights={"asr": 0.3, "mt": 0.2}))  # measured before weighting
    found = values(network_updates(balance, network, lambda _: [batch], 2))
    save(tmp_path, network, [batch])
    expected = {(2, *place): numbers for place, numbers in recompute(tmp_path).items()}
    assert found.keys() == expected.keys()
    for place, numbers in expected.items():
        assert found[place] == tuple(None if x is None else pytest.approx(x, rel=1e-4, abs=1e-6) for x in numbers)


def test_weights_do_not_depend_on_order_or_on_cutting_the_update():
    network, batch = make_network(), make_batch(1)
    cases = {
        "one": (lambda _: [batch], ("st", "asr", "mt")),
        "order": (lambda _: [batch], ("mt", "asr", "st")),
        "halves": (lambda _: halves(batch), ("st", "asr", "mt")),
    }
    weights = {}
    for name, (batches_of, order) in cases.items():
        balance = TaskBalance(options(drop_below=0.0))
        network_updates(balance, network, batches_of, 8, order)
        weights[name] = [balance.weight(task) for task in ("asr", "mt")]
    assert weights["order"] == weights["one"]
    assert weights["halves"] == pytest.approx(weights["one"], rel=1e-4)
    assert all(0 < weight < 1 for weight in weights["one"])


def test_a_batch_left_over_from_another_update_is_forgotten():
    source = norms()
    balance = TaskBalance(options(drop_below=0.0))
    balance.begin_update(2)
    balance.add("st", 100 * source.loss("st"), 1, source.probes)
    run(balance, 4, 4, source)
    assert balance.weight("asr") == pytest.approx(0.5)


def test_a_worker_without_any_measured_loss_takes_part():
    source, handed_in = norms(), []
    idle = TaskBalance(options(drop_below=0.0))
    idle.begin_update(4)
    idle.prepare(source.probes)
    idle.finish_update(lambda x: handed_in.append(x.clone()) or x)
    busy = TaskBalance(options(drop_below=0.0))
    busy.begin_update(4)
    for task in source.vectors:
        busy.add(task, source.loss(task), 1, source.probes)
    others = iter(handed_in)
    assert busy.finish_update(lambda x: x + next(others))
    assert next(others, None) is None
    assert busy.weight("asr") == pytest.approx(0.5)


def test_an_update_that_overflowed_begins_anew():
    source = norms()
    balance = TaskBalance(options(drop_below=0.0))
    balance.begin_update(4, loss_scale=128.0)
    balance.add("st", math.inf * source.loss("st"), 1, source.probes)
    balance.begin_update(4, loss_scale=64.0)
    for task in source.vectors:
        balance.add(task, source.loss(task), 1, source.probes)
    balance.finish_update()
    assert balance.weight("asr") == pytest.approx(0.5)


def test_an_update_that_is_repeated_is_measured_once():
    source = norms()
    balance = TaskBalance(options(drop_below=0.0))
    assert run(balance, 4, 4, source)
    assert run(balance, 4, 4, source) == []
    assert balance.weight("asr") == pytest.approx(0.5)
    assert run(balance, 6, 6, source)


def test_a_batch_that_does_not_count_changes_nothing():
    source = norms()
    balance = TaskBalance(options(drop_below=0.0))
    for counts in (True, False):
        balance.begin_update(4, counts=counts)
        for task in source.vectors:
            balance.add(task, (1 if counts else 100) * source.loss(task), 1, source.probes)
    balance.finish_update()
    assert balance.weight("asr") == pytest.approx(0.5)


def test_the_main_task_is_always_active_and_unknown_ones_never():
    balance = TaskBalance(options(), main="mt2")
    balance.begin_update(10**9)
    assert (balance.active("mt2"), balance.weight("mt2")) == (True, 1.0)
    assert (balance.active("slu"), balance.weight("slu")) == (False, 0.0)


def test_options_that_cannot_work_are_refused():
    with pytest.raises(ConfigError, match=r"(?s)`weight_mode`.*`weight_interval`"):
        TaskBalance(options(mode="none", weight_interval=0))
