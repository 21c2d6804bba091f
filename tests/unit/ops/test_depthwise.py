"""Convolution of each feature against loops, torch's own, and numerical gradients."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_samu.ops import depthwise
from fairseq_samu.ops.depthwise import convolve_channels


def by_loops(x, weight):
    batch, length, dim = x.shape
    width = weight.size(2)
    result = torch.zeros_like(x)
    for row in range(batch):
        for position in range(length):
            for place in range(width):
                source = position + place - width // 2
                if 0 <= source < length:
                    for feature in range(dim):
                        result[row, position, feature] += x[row, source, feature] * weight[feature, 0, place]
    return result


def by_torch(x, weight):
    return F.conv1d(x.transpose(1, 2), weight, padding=weight.size(2) // 2, groups=len(weight)).transpose(1, 2)


def draw(batch, length, dim, width, dtype=torch.float64):
    generator = torch.Generator().manual_seed(batch + 10 * length + 100 * width)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
        for shape in ((batch, length, dim), (dim, 1, width), (batch, length, dim))
    ]


def differentiate(convolve, x, weight, incoming):
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    result = convolve(x, weight)
    result.backward(incoming)
    return result.detach(), x.grad, weight.grad


@pytest.mark.parametrize(("batch", "length", "dim", "width"), [(2, 6, 3, 3), (1, 1, 2, 5), (3, 4, 1, 9), (1, 7, 4, 1)])
def test_equals_loops(batch, length, dim, width):
    x, weight, _ = draw(batch, length, dim, width)
    assert (convolve_channels(x, weight) - by_loops(x, weight)).abs().max() < 1e-12


def test_hand_computed():
    x = torch.tensor([[[1.0], [2.0], [4.0]]])
    weight = torch.tensor([[[10.0, 1.0, 100.0]]])
    assert convolve_channels(x, weight).flatten().tolist() == [201.0, 412.0, 24.0]


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 4),
    length=st.integers(1, 30),
    dim=st.integers(1, 9),
    width=st.sampled_from([1, 3, 5, 11, 21]),
    at_once=st.sampled_from([1, 50, 2**18]),
)
def test_values_and_gradients_equal_those_of_torch(batch, length, dim, width, at_once):
    drawn = draw(batch, length, dim, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(depthwise, "PRODUCTS_AT_ONCE", at_once)
        ours = differentiate(convolve_channels, *drawn)
    for mine, theirs in zip(ours, differentiate(by_torch, *drawn), strict=True):
        assert (mine - theirs).abs().max() < 1e-10


def test_gradients_are_those_of_differences():
    x, weight, _ = draw(2, 5, 3, 5)
    assert torch.autograd.gradcheck(convolve_channels, (x.requires_grad_(), weight.requires_grad_()))


@pytest.mark.parametrize("which", [0, 1])
def test_only_the_gradient_that_is_asked_for(which):
    drawn = draw(2, 9, 4, 5)
    expected = differentiate(by_torch, *drawn)[1 + which]
    inputs = [drawn[0], drawn[1]]
    inputs[which].requires_grad_()
    convolve_channels(*inputs).backward(drawn[2])
    assert (inputs[which].grad - expected).abs().max() < 1e-10
    assert inputs[1 - which].grad is None


def test_layouts_in_memory_do_not_matter():
    x, weight, incoming = draw(3, 8, 6, 5)
    expected = differentiate(by_torch, x, weight, incoming)
    strided = [x.transpose(0, 1).contiguous().transpose(0, 1), weight, incoming.transpose(1, 2).contiguous().mT]
    for mine, theirs in zip(differentiate(convolve_channels, *strided), expected, strict=True):
        assert (mine - theirs).abs().max() < 1e-10


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_adds_up_the_gradient_in_single(dtype):
    drawn = draw(8, 200, 16, 11, dtype)
    expected = differentiate(by_torch, *(tensor.double() for tensor in drawn))
    for mine, exact in zip(differentiate(convolve_channels, *drawn), expected, strict=True):
        assert mine.dtype == dtype
        # no more than the rounding of the result itself, which sums in half precision would be far beyond
        assert (mine.double() - exact).abs().max() < 1.5 * torch.finfo(dtype).eps * exact.abs().max()


def test_autocast_is_left_to_torch():
    x, weight, incoming = draw(2, 9, 4, 5, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        result, of_x, of_weight = differentiate(convolve_channels, x, weight, incoming.bfloat16())
    assert result.dtype == torch.bfloat16
    assert of_x.dtype == of_weight.dtype == torch.float32
