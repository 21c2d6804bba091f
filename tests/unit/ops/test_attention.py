import pytest
import torch
import torch.nn.functional as F

from fairseq_samu.ops import attention
from fairseq_samu.ops.attention import attend, attend_by_products


def draw(queries=5, keys=7, dtype=torch.float64):
    torch.manual_seed(0)
    return [torch.randn(2, 3, length, 4, dtype=dtype, requires_grad=True) for length in (queries, keys, keys)]


MASK = (torch.arange(7)[None] < torch.tensor([[7], [4]]))[:, None, None, :]


@pytest.mark.parametrize(
    ("mask", "causal"), [(None, False), (MASK, False), (None, True)], ids=["all", "mask", "causal"]
)
def test_both_ways_agree_in_value_and_gradient(mask, causal):
    tensors = draw(queries=7 if causal else 5)
    results = []
    for way in (attend, lambda q, k, v, m, c: attend_by_products(q, k, v, m, c, 0.0)):
        result = way(*tensors, mask, causal)
        results.append([result, *torch.autograd.grad(result.square().sum(), tensors)])
    for first, second in zip(*results, strict=True):
        assert (first - second).abs().max() < 1e-12


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_on_a_cpu_goes_by_products(dtype, monkeypatch):
    monkeypatch.setattr(F, "scaled_dot_product_attention", None)
    tensors = draw()
    exact = attend_by_products(*tensors, MASK, False, 0.0)
    half = attend(*(tensor.to(dtype) for tensor in tensors), MASK)
    assert half.dtype == dtype
    assert (half - exact).abs().max() < 0.03


def test_long_texts_keep_to_the_fused_kernel(monkeypatch):
    monkeypatch.setattr(attention, "LONGEST_BY_PRODUCTS", 6)
    monkeypatch.setattr(attention, "attend_by_products", None)
    assert attend(*(tensor.bfloat16() for tensor in draw())).shape == (2, 3, 5, 4)


def test_dropout_drops_weights_and_keeps_the_mean():
    queries, keys, values = draw(1, 7)
    ones = torch.ones_like(values)
    torch.manual_seed(1)
    sums = torch.stack([attend_by_products(queries, keys, ones, None, False, 0.5) for _ in range(2000)])
    assert (sums.mean(0) - 1).abs().max() < 0.15
    assert sums.std() > 0.1
