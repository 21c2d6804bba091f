import pytest
import torch
import torch.nn.functional as F

from fairseq_samu.ops import fast_products
from fairseq_samu.ops.fast_products import linear, prefers_onednn

HAS_ONEDNN = hasattr(torch.ops.mkldnn, "_linear_pointwise")
needs_onednn = pytest.mark.skipif(not HAS_ONEDNN, reason="this torch has no oneDNN")


@pytest.fixture
def with_onednn(monkeypatch):
    """Every product by oneDNN, whatever the machine; the list counts the calls."""
    calls = []
    product = fast_products._product

    def counted(*tensors):
        calls.append(tensors)
        return product(*tensors)

    monkeypatch.setattr(fast_products, "prefers_onednn", lambda: True)
    monkeypatch.setattr(fast_products, "SMALL", 0)
    monkeypatch.setattr(fast_products, "_product", counted)
    return calls


def draw(*shape, tuned=True):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).requires_grad_(tuned)


@needs_onednn
@pytest.mark.parametrize("shape", [(5, 16), (2, 3, 16), (1, 16), (2, 1, 3, 16)])
@pytest.mark.parametrize("with_bias", [True, False])
def test_values_and_gradients_are_those_of_torch(with_onednn, shape, with_bias):
    x, weight, bias = draw(*shape), draw(24, 16), draw(24) if with_bias else None
    tensors = [x, weight] + ([bias] if with_bias else [])
    expected, found = F.linear(x, weight, bias), linear(x, weight, bias)
    weights = draw(*found.shape, tuned=False)
    torch.testing.assert_close(found, expected)
    assert len(with_onednn) == 1
    for ours, theirs in zip(
        torch.autograd.grad(found, tensors, weights), torch.autograd.grad(expected, tensors, weights), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@needs_onednn
def test_a_transposed_input_is_read_right(with_onednn):
    x, weight = draw(4, 3, 16).transpose(0, 1), draw(8, 16)
    torch.testing.assert_close(linear(x, weight), F.linear(x, weight))
    found = torch.autograd.grad(linear(x, weight).transpose(0, 1).square().sum(), x)
    expected = torch.autograd.grad(F.linear(x, weight).transpose(0, 1).square().sum(), x)
    torch.testing.assert_close(found, expected)


@needs_onednn
def test_a_frozen_weight_costs_no_gradient_and_keeps_no_input(with_onednn):
    x, weight = draw(4, 16), draw(8, 16, tuned=False)
    found = linear(x, weight)
    assert len(with_onednn) == 1
    assert found.grad_fn.saved_tensors[0] is None
    found.sum().backward()
    assert len(with_onednn) == 2
    assert weight.grad is None
    torch.testing.assert_close(x.grad, weight.sum(dim=0).expand(4, 16))


@needs_onednn
def test_nothing_is_kept_where_no_gradient_is_wanted(with_onednn):
    x, weight = draw(4, 16), draw(8, 16)
    with torch.no_grad():
        assert linear(x, weight).grad_fn is None
    assert linear(x.detach(), weight.detach()).grad_fn is None
    assert len(with_onednn) == 2


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_types_stay_with_torch(with_onednn, dtype):
    x, weight = draw(4, 16).to(dtype), draw(8, 16).to(dtype)
    assert torch.equal(linear(x, weight), F.linear(x, weight))
    assert with_onednn == []


def test_autocast_and_fake_tensors_stay_with_torch(with_onednn):
    x, weight = draw(4, 16), draw(8, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert linear(x, weight).dtype == torch.bfloat16
    with torch._subclasses.fake_tensor.FakeTensorMode():
        assert linear(torch.empty(4, 16), torch.empty(8, 16)).shape == (4, 8)
    assert with_onednn == []


@pytest.mark.parametrize(
    ("capability", "maker", "expected"),
    [
        ("AVX512", "AuthenticAMD", True),
        ("AVX512", "GenuineIntel", False),
        ("AVX2", "AuthenticAMD", False),
        ("AVX512", "", False),
    ],
)
def test_onednn_is_preferred_where_mkl_is_slow(monkeypatch, capability, maker, expected):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    monkeypatch.setattr(fast_products, "_cpu_maker", lambda: maker)
    prefers_onednn.cache_clear()
    assert prefers_onednn() is (expected and HAS_ONEDNN)
    prefers_onednn.cache_clear()
