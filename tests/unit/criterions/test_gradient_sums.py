"""Norms and cosines against `.backward()` on copies; what may not change them; workers; precisions."""

import socket

import pytest
import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

pytest.importorskip("fairseq", reason="criterions stand on the host")

from fairseq_samu.criterions.gradient_sums import GradientSums
from tests.unit.criterions.shared_network import MODULES, halves, make_batch, make_network, recompute, save

TASKS = ("st", "asr", "mt")


def measure(network, batches, order=TASKS, all_reduce=None, sums=None):
    sums = sums or GradientSums(TASKS)
    for batch in batches:
        for task in order:
            source, target = batch[task]
            sums.add(task, network.loss(task, source, target), target.numel(), network.probes())
    return sums.compare(all_reduce)


def numbers(found):
    return {(task, one.module, one.layer): (one.norm, one.cosine) for task, ones in found.items() for one in ones}


def assert_close(found, expected, rel=1e-4):
    assert found.keys() == expected.keys()
    for place, values in expected.items():
        assert found[place] == tuple(None if x is None else pytest.approx(x, rel=rel, abs=1e-6) for x in values), place


def test_norms_and_cosines_equal_those_recomputed_from_saved_batches(tmp_path):
    network, batches = make_network(), [make_batch(1), make_batch(2, rows=3)]
    save(tmp_path, network, batches)
    expected = {place: values for place, values in recompute(tmp_path).items() if place[2] is not None}
    found = measure(network, batches)
    assert_close(numbers(found), expected)
    # the transcript says nothing about what comes after the acoustic encoder, text nothing about that
    reached = {task: {one.module for one in ones if one.norm is not None} for task, ones in found.items()}
    assert reached == {"asr": {"acoustic_encoder"}, "mt": {"textual_encoder", "decoder"}}
    assert all(one.main_norm > 0 for ones in found.values() for one in ones)
    assert [one.layer for one in found["asr"]] == [0, 1] * 3


def test_order_of_tasks_changes_no_bit():
    network, batch = make_network(), make_batch(1)
    assert measure(network, [batch], order=TASKS) == measure(network, [batch], order=("mt", "asr", "st"))


def test_cutting_the_update_into_batches_changes_nothing():
    network, batch = make_network(), make_batch(1)
    assert_close(numbers(measure(network, halves(batch))), numbers(measure(network, [batch])))


def test_two_workers_equal_one():
    network, batch = make_network(), make_batch(1)
    shares = [GradientSums(TASKS), GradientSums(TASKS)]
    handed_in: list[list[torch.Tensor]] = []
    for share, half in zip(shares, halves(batch), strict=True):
        handed_in.append([])
        measure(network, [half], sums=share, all_reduce=lambda x: handed_in[-1].append(x.clone()) or x)
    totals = iter([a + b for a, b in zip(*handed_in, strict=True)])
    together = shares[0].compare(lambda _: next(totals))
    assert_close(numbers(together), numbers(measure(network, [batch])))


def test_a_batch_that_only_keeps_a_worker_busy_adds_nothing():
    network, batch = make_network(), make_batch(1)
    idle = GradientSums(TASKS)
    for task in TASKS:
        idle.add(task, network.loss(task, *batch[task]), 10, network.probes(), counts=False)
    handed_in = []
    idle.compare(lambda x: handed_in.append(x) or x)
    busy = GradientSums(TASKS)
    measure(network, [batch], sums=busy)
    sums = iter(handed_in)
    assert numbers(busy.compare(lambda x: x + next(sums))) == numbers(measure(network, [batch]))
    assert not any(x.any() for x in handed_in)


def work(rank, port, results):
    distributed.init_process_group("gloo", f"tcp://localhost:{port}", rank=rank, world_size=2)
    network = make_network()
    parallel = DistributedDataParallel(LossOf(network))
    half = halves(make_batch(1))[rank]
    total, sums = 0.0, GradientSums(TASKS)
    losses = parallel(half)
    for task in TASKS:
        sums.add(task, losses[task], half[task][1].numel(), network.probes())
        total = total + losses[task]

    def all_reduce(tensor):
        distributed.all_reduce(tensor)
        return tensor

    total.backward()
    results[rank] = numbers(sums.compare(all_reduce))
    results[f"grad {rank}"] = [parameter.grad.tolist() for parameter in network.parameters()]
    distributed.destroy_process_group()


class LossOf(torch.nn.Module):
    """All losses of a batch in one call, as data-parallel training wants it."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, batch):
        return {task: self.network.loss(task, *batch[task]) for task in TASKS}


@pytest.mark.slow
def test_two_processes_agree_and_their_training_is_left_alone():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    network, batch = make_network(), make_batch(1)
    with torch.multiprocessing.Manager() as manager:
        results = manager.dict()
        spawn(work, (port, results), nprocs=2)
        first, second = results[0], results[1]
        gradients = [torch.tensor(values) for values in results["grad 0"]]
    assert first == second
    assert_close(first, numbers(measure(network, [batch])))
    sum(network.loss(task, *batch[task]) for task in TASKS).backward()
    for found, parameter in zip(gradients, network.parameters(), strict=True):
        torch.testing.assert_close(2 * found, parameter.grad, rtol=1e-4, atol=1e-6)  # means over two workers


def test_measuring_changes_no_bit_of_the_training_gradients():
    batch = make_batch(1)
    plain, measured = make_network(), make_network()
    for network, is_measured in ((plain, False), (measured, True)):
        sums, total = GradientSums(TASKS), 0.0
        for task in TASKS:
            loss = network.loss(task, *batch[task])
            if is_measured:
                sums.add(task, loss, 3, network.probes())
                assert all(parameter.grad is None for parameter in network.parameters())
            total = total + loss
        total.backward()
    for one, other in zip(plain.parameters(), measured.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)


def test_gradients_in_half_precision_are_summed_in_float32():
    network, batches = make_network().bfloat16(), [make_batch(seed) for seed in range(8)]
    wide = make_network().bfloat16().float()
    for batch in batches:
        for task, (source, target) in batch.items():
            batch[task] = (source.bfloat16(), target)
    found = numbers(measure(network, batches))
    expected = numbers(measure(wide, [{t: (x.float(), y) for t, (x, y) in batch.items()} for batch in batches]))
    for place, (norm, cosine) in expected.items():
        if norm is not None:
            assert found[place] == (pytest.approx(norm, rel=0.03), pytest.approx(cosine, abs=0.03))
    parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
    sums = GradientSums(["st"])
    for factor in [1.0] + [2.0**-10] * 1024:  # in bfloat16 1 + 2 ** -10 is 1
        sums.add("st", (parameter * factor).sum(), 1, {"decoder": [(0, parameter)]})
    reduced = []
    sums.compare(lambda x: reduced.append(x) or x)
    assert reduced[1].dtype == torch.float32
    assert reduced[1].item() == 2.0


def test_small_values_of_half_precision_keep_their_direction():
    parameter = torch.nn.Parameter(torch.ones(2, dtype=torch.float16))
    probes = {"decoder": [(0, parameter)]}
    sums = GradientSums(["st", "mt"])
    sums.add("st", (parameter * torch.tensor([2.0**-20, 0.0]).half()).sum(), 1, probes)
    sums.add("mt", (parameter * torch.tensor([2.0**-20, 2.0**-20]).half()).sum(), 1000, probes)
    (found,) = sums.compare(None)["mt"]
    assert found.cosine == pytest.approx(2**-0.5)
    assert found.norm == pytest.approx(2**-19.5 / 1000)
    assert found.main_norm == pytest.approx(2**-20)


def test_a_scaled_loss_keeps_gradients_that_would_vanish():
    below, above = torch.nn.Parameter(torch.ones(1).half()), torch.ones(1).half() * 2.0**-14
    for scale, expected in ((1.0, 0.0), (1024.0, 2.0**-28)):
        sums = GradientSums(["st", "mt"])
        for task in ("st", "mt"):
            sums.add(task, (below * above * above).float().sum(), 1, {"decoder": [(0, below)]}, loss_scale=scale)
        (found,) = sums.compare(None)["mt"]
        assert found.norm == expected


def test_what_is_frozen_not_reached_zero_or_not_finite_is_not_measured():
    names = ("frozen", "unused", "zero", "infinite")
    shared = {name: torch.nn.Parameter(torch.ones(2), requires_grad=name != "frozen") for name in names}
    probes = {"decoder": [(number, shared[name]) for number, name in enumerate(names)]}
    sums = GradientSums(["st", "mt"])
    main = shared["frozen"].sum() + shared["zero"].sum() + shared["infinite"].sum()
    sums.add("st", main, 2, probes)
    sums.add("mt", (0 * shared["zero"]).sum() + (float("inf") * shared["infinite"]).sum(), 2, probes)
    frozen, unused, zero, infinite = sums.compare(None)["mt"]
    for one in (frozen, unused):
        assert (one.norm, one.main_norm, one.cosine) == (None, None, None)
    assert (zero.norm, zero.main_norm, zero.cosine) == (0.0, pytest.approx(2**-0.5), None)
    assert (infinite.norm, infinite.main_norm, infinite.cosine) == (None, pytest.approx(2**-0.5), None)


def test_a_task_without_tokens_or_batches_is_not_measured():
    parameter = torch.nn.Parameter(torch.ones(2))
    probes = {"decoder": [(3, parameter)]}
    sums = GradientSums(["st", "asr", "mt"])
    sums.add("st", parameter.sum(), 2, probes)
    sums.add("mt", 0 * parameter.sum(), 0, probes)
    for task, (one,) in sums.compare(None).items():
        assert (one.norm, one.cosine) == (None, None), task
        assert one.main_norm == pytest.approx(2**-0.5)


def test_several_parameters_of_a_layer_are_one_vector():
    a, b = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(2))
    probes = {"decoder": [(0, a), (0, b)]}
    sums = GradientSums(["st", "mt"])
    sums.add("st", 3 * a.sum() + (b * torch.tensor([0.0, 4.0])).sum(), 1, probes)
    sums.add("mt", 5 * a.sum(), 1, probes)
    (found,) = sums.compare(None)["mt"]
    assert (found.norm, found.main_norm, found.cosine) == (5.0, 5.0, pytest.approx(0.6))


def test_nothing_to_probe_gives_nothing():
    sums = GradientSums(TASKS)
    sums.add("st", torch.ones(1, requires_grad=True).sum(), 1, {module: [] for module in MODULES})
    assert sums.compare(lambda x: x) == {"asr": [], "mt": []}
