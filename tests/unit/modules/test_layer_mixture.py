"""The weighted sum of layers: by hand, its gradients, and the number that it asks for."""

import pytest
import torch

from fairseq_samu.modules.layer_mixture import LayerMixture


def make_layers(count=3):
    torch.manual_seed(0)
    return [torch.randn(2, 4, 5, dtype=torch.float64) for _ in range(count)]


def test_layers_weigh_alike_at_the_start():
    layers = make_layers()
    mixed = LayerMixture(3).double()(layers)
    assert (mixed - sum(layers) / 3).abs().max() < 1e-12


def test_weights_are_shares_of_a_softmax():
    mixture = LayerMixture(3).double()
    with torch.no_grad():
        mixture.weights.copy_(torch.tensor([1, 2, 5], dtype=torch.float64).log())
    first, second, third = make_layers()
    assert (mixture([first, second, third]) - (first / 8 + second / 4 + third * 5 / 8)).abs().max() < 1e-12


def test_gradients_reach_weights_and_layers():
    mixture, layers = LayerMixture(3).double(), [layer.requires_grad_() for layer in make_layers()]
    mixture(layers).square().sum().backward()
    assert mixture.weights.grad.ne(0).all()
    assert mixture.weights.grad.sum().abs() < 1e-9, "a softmax does not change with all of its weights"
    assert all(layer.grad.ne(0).all() for layer in layers)


def test_state_is_one_vector():
    mixture = LayerMixture(4)
    assert {name: tuple(tensor.shape) for name, tensor in mixture.state_dict().items()} == {"weights": (4,)}


@pytest.mark.parametrize("count", [2, 4])
def test_another_number_of_layers_is_refused(count):
    with pytest.raises(ValueError, match=f"must be 3 of them, but there are {count}"):
        LayerMixture(3).double()(make_layers(count))
