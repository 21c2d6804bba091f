import copy

import pytest
import torch
from torch import nn

from fairseq_samu.modules.positional_convolution import WeightNormConvolution


@pytest.mark.parametrize("kernel", [4, 5])
def test_equals_weight_norm_of_torch(kernel):
    ours = WeightNormConvolution(6, kernel, groups=2).double()
    nn.init.normal_(ours.weight_g)
    nn.init.normal_(ours.bias)
    theirs = nn.utils.parametrizations.weight_norm(
        nn.Conv1d(6, 6, kernel, padding=kernel // 2, groups=2).double(), dim=2
    )
    theirs.bias.data = ours.bias.data
    theirs.parametrizations.weight.original0.data = ours.weight_g.data
    theirs.parametrizations.weight.original1.data = ours.weight_v.data
    x = torch.randn(2, 6, 9, dtype=torch.float64)
    assert (ours(x) - theirs(x)[..., :9]).abs().max() < 1e-12


def test_starts_with_its_direction_as_weight_and_keeps_length():
    module = WeightNormConvolution(4, 3, groups=1)
    x = torch.randn(1, 4, 8)
    torch.testing.assert_close(module(x), nn.functional.conv1d(x, module.weight_v, padding=1))


def test_can_be_copied_after_a_forward_and_keeps_the_names_of_fairseq():
    module = WeightNormConvolution(4, 3, groups=1)
    module(torch.randn(1, 4, 8))
    assert set(copy.deepcopy(module).state_dict()) == {"weight_g", "weight_v", "bias"}
