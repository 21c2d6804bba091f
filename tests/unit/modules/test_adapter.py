import torch

from fairseq_samu.modules.adapter import Adapter


def test_a_new_adapter_changes_nothing():
    x = torch.randn(2, 5, 8)
    assert torch.equal(Adapter(8, 3)(x), x)


def test_by_hand():
    adapter = Adapter(2, 1)
    adapter.down.weight.data = torch.tensor([[1.0, -1.0]])
    adapter.down.bias.data = torch.tensor([0.5])
    adapter.up.weight.data = torch.tensor([[2.0], [3.0]])
    adapter.up.bias.data = torch.tensor([0.0, 1.0])
    # 3 - 1 + .5 = 2.5 passes the rectifier; 1 - 3 + .5 does not
    assert torch.equal(adapter(torch.tensor([[3.0, 1.0], [1.0, 3.0]])), torch.tensor([[8.0, 9.5], [1.0, 4.0]]))


def test_size_of_the_paper():
    assert sum(parameter.numel() for parameter in Adapter(1024, 256).parameters()) == 2 * 1024 * 256 + 256 + 1024


def test_gradients_reach_both_projections_after_the_first_step():
    adapter = Adapter(4, 2)
    optimizer = torch.optim.SGD(adapter.parameters(), lr=1.0)
    for _ in range(2):
        optimizer.zero_grad()
        adapter(torch.randn(8, 4)).square().sum().backward()
        optimizer.step()
    assert all(bool(parameter.grad.any()) for parameter in adapter.parameters())
