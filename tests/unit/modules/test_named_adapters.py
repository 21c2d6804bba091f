"""Adapters by name, against every row sent through its own adapter alone."""

import copy

import pytest
import torch
from torch import nn

from fairseq_samu.errors import ConfigError
from fairseq_samu.modules.adapter import Adapter
from fairseq_samu.modules.named_adapters import AdaptedRows, NamedAdapters, adapt

NAMES = {"be": 3, "ro": 5, "ca": 2}
MIXES = {
    "all": [2, 0, -1, 1, 0, 2],
    "sorted": [0, 0, 1, 1],
    "one": [1, 1, 1],
    "alone": [2],
    "with base": [-1, 1, -1],
    "base alone": [-1, -1],
}


def build(names=NAMES, dim=4):
    """Adapters that change something, as after training."""
    torch.manual_seed(0)
    adapters = NamedAdapters(dim, names).double()
    for parameter in adapters.parameters():
        nn.init.normal_(parameter, std=0.5)
    return adapters


def row_by_row(adapters, x, numbers):
    """The oracle: each row through its own adapter, by its name."""
    rows = []
    for row, number in zip(x, numbers, strict=True):
        own = None if number < 0 else adapters.get_submodule(list(NAMES)[number])
        rows.append(row if own is None else row + own.up(torch.relu(own.down(row))))
    return torch.stack(rows)


@pytest.mark.parametrize("shape", [(), (5,), (3, 2)], ids=["vectors", "frames", "more"])
@pytest.mark.parametrize("numbers", MIXES.values(), ids=MIXES)
def test_every_row_goes_through_its_own(numbers, shape):
    adapters = build()
    x = torch.randn(len(numbers), *shape, 4, dtype=torch.float64)
    found = adapters(x, torch.tensor(numbers))
    assert (found - row_by_row(adapters, x, numbers)).abs().max() < 1e-12
    untouched = torch.tensor(numbers) == -1
    assert torch.equal(found[untouched], x[untouched])
    assert (found - x)[~untouched].flatten(1).abs().sum(dim=1).gt(0).all()


def test_rows_sorted_before_give_the_same():
    adapters, x = build(), torch.randn(6, 2, 4, dtype=torch.float64)
    numbers = torch.tensor(MIXES["all"])
    rows = AdaptedRows.of(numbers)
    assert {number: part.tolist() for number, part in rows.parts} == {-1: [2], 0: [1, 4], 1: [3], 2: [0, 5]}
    assert torch.equal(adapters(x, rows), adapters(x, numbers))


def test_without_numbers_nothing_is_adapted():
    adapters, x = build(), torch.randn(2, 3, 4, dtype=torch.float64)
    assert adapters(x) is x
    assert adapters(x, torch.tensor([-1, -1])) is x


def test_rows_that_are_all_alike_are_not_copied():
    adapters, x = build(), torch.randn(3, 2, 4, dtype=torch.float64)
    seen = []
    adapters.get_submodule("ro").register_forward_hook(lambda module, inputs, output: seen.append((inputs[0], output)))
    found = adapters(x, torch.tensor([1, 1, 1]))
    assert seen[0][0] is x and seen[0][1] is found


def test_gradients_reach_the_adapters_that_occur():
    adapters = build()
    x = torch.randn(4, 3, 4, dtype=torch.float64, requires_grad=True)
    adapters(x, torch.tensor([2, -1, 2, 0])).square().sum().backward()
    reached = {name.partition(".")[0] for name, p in adapters.named_parameters() if p.grad is not None}
    assert reached == {"be", "ca"}
    assert x.grad.abs().gt(0).any(dim=2).all()


def test_gradients_are_those_of_the_rows_alone():
    adapters = build()
    x = torch.randn(6, 3, 4, dtype=torch.float64)
    weights = torch.randn(6, 3, 4, dtype=torch.float64)

    def gradients(outputs):
        adapters.zero_grad()
        (outputs * weights).sum().backward()
        return {name: parameter.grad.clone() for name, parameter in adapters.named_parameters()}

    together = gradients(adapters(x, torch.tensor(MIXES["all"])))
    alone = gradients(row_by_row(adapters, x, MIXES["all"]))
    assert len(together) == 12
    assert all((together[name] - alone[name]).abs().max() < 1e-12 for name in alone)


def test_names_of_parameters():
    names = {f"{name}.{part}.{kind}" for name in NAMES for part in ("down", "up") for kind in ("weight", "bias")}
    adapters = build()
    assert set(adapters.state_dict()) == names
    assert adapters.state_dict()["ro.down.weight"].shape == (5, 4)


def test_state_goes_there_and_back():
    adapters, other = build(), NamedAdapters(4, NAMES).double()
    other.load_state_dict(adapters.state_dict())
    x, numbers = torch.randn(6, 4, dtype=torch.float64), torch.tensor(MIXES["all"])
    assert torch.equal(other(x, numbers), adapters(x, numbers))
    assert torch.equal(copy.deepcopy(adapters)(x, numbers), adapters(x, numbers))


@pytest.mark.parametrize("name", ["to", "training", "names"])
def test_a_name_that_every_module_has_an_attribute_of(name):
    with pytest.raises(KeyError, match=name):
        NamedAdapters(4, {name: 3})


def test_a_name_without_an_adapter_here():
    adapters = build({"be": 3, "ro": 0, "ca": 2})
    assert {name.partition(".")[0] for name in adapters.state_dict()} == {"be", "ca"}
    x = torch.randn(3, 4, dtype=torch.float64)
    found = adapters(x, torch.tensor([1, 2, 1]))
    assert torch.equal(found[[0, 2]], x[[0, 2]]) and not torch.equal(found[1], x[1])
    assert adapters(x, torch.tensor([1, -1, 1])) is x


@pytest.mark.parametrize("numbers", [[3], [0, 3], [-2, 0]])
def test_a_number_without_a_name(numbers):
    with pytest.raises(ConfigError, match=r"`adapter of a row` must be from -1 to 2, but is '(3|-2)'"):
        build()(torch.randn(len(numbers), 4, dtype=torch.float64), torch.tensor(numbers))


def test_half_precision_and_no_rows():
    adapters = build().bfloat16()
    x = torch.randn(3, 4, dtype=torch.bfloat16)
    assert adapters(x, torch.tensor([0, 1, -1])).dtype == torch.bfloat16
    nothing = torch.zeros(0, 5, 4, dtype=torch.bfloat16)
    assert adapters(nothing, torch.zeros(0, dtype=torch.int64)).shape == (0, 5, 4)


def test_what_stands_at_a_place():
    x, rows = torch.randn(2, 4, dtype=torch.float64), AdaptedRows.of(torch.tensor([0, -1]))
    named, plain = build(), Adapter(4, 2).double()
    nn.init.normal_(plain.up.weight)
    assert adapt(nn.Identity(), x, rows) is x
    assert torch.equal(adapt(plain, x, rows), plain(x))
    assert torch.equal(adapt(named, x, rows), named(x, rows))
