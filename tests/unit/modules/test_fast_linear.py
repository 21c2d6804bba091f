import torch
from torch import nn

from fairseq_samu.modules.fast_linear import FastLinear, use_fast_products


def test_linear_layers_are_replaced_in_place_and_nothing_else():
    class Own(nn.Linear):
        pass

    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Sequential(nn.Linear(6, 4)), Own(4, 4))
    names, first = [name for name, _ in model.named_parameters()], model[0].weight
    x = torch.randn(3, 8)
    expected = model(x)
    assert use_fast_products(model) == 2
    assert [type(module) for module in (model[0], model[2][0], model[3])] == [FastLinear, FastLinear, Own]
    assert model[0].weight is first
    assert [name for name, _ in model.named_parameters()] == names
    torch.testing.assert_close(model(x), expected)
    assert use_fast_products(model) == 0


def test_a_large_layer_gives_what_torch_gives():
    layer = nn.Linear(256, 512)
    x = torch.randn(2, 40, 256, requires_grad=True)
    expected = layer(x)
    (gradient,) = torch.autograd.grad(expected.square().sum(), x)
    use_fast_products(layer)
    found = layer(x)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(found.square().sum(), x)[0], gradient, rtol=1e-4, atol=1e-4)
