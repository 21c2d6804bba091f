"""Fused output layer and cross-entropy against loops, the host, and what autograd makes of the plain formula."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode

from fairseq_samu.errors import ConfigError
from fairseq_samu.ops import linear_cross_entropy as module
from fairseq_samu.ops.linear_cross_entropy import linear_cross_entropy

V, D, N = 23, 6, 9


@pytest.fixture(params=["one block", "blocks of 5"])
def blocks(request, monkeypatch):
    """The vocabulary at once, and in five blocks, the last of which is smaller."""
    if request.param != "one block":
        monkeypatch.setattr(module, "SMALLEST_BLOCK", 5)
        monkeypatch.setattr(module, "LOGITS_AT_ONCE", 1)
        monkeypatch.setattr(linear_cross_entropy, "__defaults__", (0.0, 1))


def draw(dtype=torch.float64, spread=1.0, tuned=True):
    generator = torch.Generator().manual_seed(3)
    hidden = (spread * torch.randn(N, D, generator=generator, dtype=torch.float64)).to(dtype).requires_grad_()
    weight = torch.randn(V, D, generator=generator, dtype=torch.float64).to(dtype).requires_grad_(tuned)
    return hidden, weight, torch.randint(V, (N,), generator=generator)


def losses_by_loops(hidden, weight, target, eps):
    """Loss and negative log-likelihood of each position, straight from the definition."""
    found = []
    for state, wanted in zip(hidden.tolist(), target.tolist(), strict=True):
        logits = [sum(a * b for a, b in zip(state, row, strict=True)) for row in weight.tolist()]
        norm = math.log(sum(math.exp(logit) for logit in logits))
        others = sum(norm - logit for token, logit in enumerate(logits) if token != wanted)
        nll = norm - logits[wanted]
        found.append(((1 - eps) * nll + eps / (len(logits) - 1) * others, nll))
    return [list(column) for column in zip(*found, strict=True)]


def plain_loss(hidden, weight, target, eps):
    log_probabilities = F.log_softmax(F.linear(hidden, weight), dim=-1)
    return losses_of_host(log_probabilities, target, eps)[0]


def losses_of_host(log_probabilities, target, eps):
    host = pytest.importorskip("fairseq.criterions.label_smoothed_cross_entropy", reason="the oracle is the host's")
    return host.label_smoothed_nll_loss(log_probabilities, target, eps, reduce=False)


@pytest.mark.parametrize("eps", [0.0, 0.3])
def test_losses_equal_loops(blocks, eps):
    hidden, weight, target = draw()
    found = linear_cross_entropy(hidden, weight, target, eps)
    loss, nll = losses_by_loops(hidden, weight, target, eps)
    assert found.loss.tolist() == pytest.approx(loss, rel=1e-12)
    assert found.nll.tolist() == pytest.approx(nll, rel=1e-12)
    assert found.correct.tolist() == (F.linear(hidden, weight).argmax(1) == target).tolist()


@pytest.mark.parametrize("eps", [0.0, 0.3])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_losses_equal_the_hosts(blocks, eps, dtype, tolerance):
    hidden, weight, target = draw(dtype)
    found = linear_cross_entropy(hidden, weight, target, eps)
    loss, nll = losses_of_host(F.log_softmax(F.linear(hidden, weight), dim=-1), target, eps)
    assert found.loss.dtype == found.nll.dtype == dtype
    torch.testing.assert_close(found.loss, loss, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(found.nll, nll.detach(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("eps", [0.0, 0.3])
@pytest.mark.parametrize("tuned", [True, False])
def test_gradients_of_any_weighting_equal_autograds(blocks, eps, tuned):
    weighting = torch.linspace(-1.0, 2.0, N, dtype=torch.float64)
    gradients = []
    for function in (lambda *inputs: linear_cross_entropy(*inputs).loss, plain_loss):
        hidden, weight, target = draw(tuned=tuned)
        (function(hidden, weight, target, eps) * weighting).sum().backward()
        gradients.append((hidden.grad, weight.grad))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-12, atol=1e-12)
    assert (gradients[0][1] is not None) == tuned


@pytest.mark.parametrize("frozen", ["hidden", "weight", "neither"])
def test_numerical_gradients(blocks, frozen):
    hidden, weight, target = draw()
    inputs = (hidden.detach() if frozen == "hidden" else hidden, weight.detach() if frozen == "weight" else weight)
    assert torch.autograd.gradcheck(lambda *pair: linear_cross_entropy(*pair, target, 0.1).loss, inputs)


def test_a_certain_prediction_keeps_its_small_loss_and_gradient(blocks):
    hidden = torch.tensor([[30.0, 0.0]], requires_grad=True)
    weight = torch.zeros(V, 2)
    weight[4, 0] = 1.0
    found = linear_cross_entropy(hidden, weight, torch.tensor([4]))
    found.loss.sum().backward()
    others = (V - 1) * math.exp(-30.0)
    assert found.correct.tolist() == [True]
    # log(1 + x) of float32 loses it, the gradient does not have to
    assert found.loss.item() == pytest.approx(others, abs=1e-7)
    assert abs(hidden.grad[0, 0].item()) <= 1e-7


@pytest.mark.parametrize("blocks_of", [5, 100])
def test_far_apart_logits_stay_finite(monkeypatch, blocks_of):
    monkeypatch.setattr(module, "SMALLEST_BLOCK", blocks_of)
    hidden, weight, target = draw(torch.float32, spread=1e3)
    found = linear_cross_entropy(hidden, weight, target, 0.3, logits_at_once=1)
    found.loss.sum().backward()
    expected = losses_of_host(F.log_softmax(F.linear(hidden, weight).double(), dim=-1), target, 0.3)[0]
    torch.testing.assert_close(found.loss.double(), expected, rtol=1e-5, atol=1e-5)
    assert hidden.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("tuned", [True, False])
def test_half_precision_has_wide_losses(blocks, dtype, tuned):
    hidden, weight, target = draw(dtype, tuned=tuned)
    found = linear_cross_entropy(hidden, weight, target, 0.3)
    found.loss.sum().backward()
    assert found.loss.dtype == torch.float32
    assert hidden.grad.dtype == dtype
    exact, exact_weight = hidden.detach().double().requires_grad_(), weight.detach().double().requires_grad_()
    expected = plain_loss(exact, exact_weight, target, 0.3)
    expected.sum().backward()
    rounding = torch.finfo(dtype).eps
    torch.testing.assert_close(found.loss.double(), expected, rtol=2 * rounding, atol=2 * rounding)
    torch.testing.assert_close(hidden.grad.double(), exact.grad, rtol=0, atol=8 * rounding)
    if tuned:
        torch.testing.assert_close(weight.grad.double(), exact_weight.grad, rtol=0, atol=8 * rounding)


def test_float16_does_not_lose_the_gradients_of_a_large_vocabulary():
    """Every probability is about 4e-6, near the smallest number of float16; together they pull as one."""
    vocabulary = 250_000
    hidden = torch.zeros(1, 2, dtype=torch.float16, requires_grad=True)
    weight = torch.ones(vocabulary, 2, dtype=torch.float16)
    weight[7] = 0.0
    linear_cross_entropy(hidden, weight, torch.tensor([7])).loss.sum().backward()
    assert hidden.grad[0].tolist() == pytest.approx([1.0, 1.0], rel=2e-3)


@pytest.mark.parametrize("tuned", [True, False])
def test_autocast_decides_the_dtype_of_the_products(blocks, tuned):
    hidden, weight, target = draw(torch.float32, tuned=tuned)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = linear_cross_entropy(hidden, weight, target, 0.3)
        found.loss.sum().backward()
    narrow = [tensor.detach().bfloat16() for tensor in (hidden, weight)]
    expected = linear_cross_entropy(*narrow, target, 0.3)
    assert torch.equal(found.loss, expected.loss)
    assert hidden.grad.dtype == torch.float32
    assert (weight.grad is not None) == tuned


def saved_sizes(function):
    sizes = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: sizes.append(tensor.numel()) or tensor, lambda x: x):
        result = function()
    return sizes, result


def test_nothing_of_the_size_of_the_logits_is_held():
    positions, vocabulary, dim = 64, 9000, 4
    hidden, weight = torch.randn(positions, dim, requires_grad=True), torch.randn(vocabulary, dim)
    target = torch.randint(vocabulary, (positions,))
    for tuned in (False, True):
        weight.requires_grad_(tuned)
        sizes, found = saved_sizes(lambda: linear_cross_entropy(hidden, weight, target, 0.3).loss.sum())
        assert sum(sizes) < 2 * vocabulary * dim
        sizes, _ = saved_sizes(lambda: plain_loss(hidden, weight, target, 0.3).sum())
        assert max(sizes) == positions * vocabulary
        assert largest_allocation(lambda: linear_cross_entropy(hidden, weight, target, 0.3, 1)) < 5000 * positions * 4
        assert largest_allocation(found.backward) <= positions * vocabulary * 4


def largest_allocation(function):
    """Most bytes that a single operation allocates."""
    with torch.profiler.profile(profile_memory=True, activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        function()
    return max(event.cpu_memory_usage for event in profiler.events())


def test_without_gradients_none_are_computed(monkeypatch):
    hidden, weight, target = draw(tuned=False)
    with torch.no_grad():
        found = linear_cross_entropy(hidden, weight, target, 0.3)
    assert not found.loss.requires_grad
    assert not linear_cross_entropy(hidden, weight, target).nll.requires_grad

    def product(x, weight):
        assert x.size(1) == D, "a gradient was computed"
        return torch.nn.functional.linear(x, weight)

    monkeypatch.setattr(module, "linear", product)
    with torch.no_grad():
        linear_cross_entropy(hidden, weight, target, 0.3)
    with pytest.raises(AssertionError, match="a gradient was computed"):
        linear_cross_entropy(hidden, weight, target, 0.3)


def test_no_position_has_no_loss(blocks):
    hidden = torch.zeros(0, D, requires_grad=True)
    weight = torch.zeros(V, D, requires_grad=True)
    found = linear_cross_entropy(hidden, weight, torch.zeros(0, dtype=torch.int64), 0.3)
    found.loss.sum().backward()
    assert found.loss.shape == found.correct.shape == (0,)
    assert weight.grad.abs().sum() == 0


def test_fake_tensors_pass():
    with FakeTensorMode():
        hidden = torch.empty(600, 1024, requires_grad=True)
        weight = torch.empty(250_054, 1024, requires_grad=True)
        found = linear_cross_entropy(hidden, weight, torch.empty(600, dtype=torch.int64), 0.3)
        found.loss.sum().backward()
        assert weight.grad.shape == (250_054, 1024)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"weight": torch.zeros(V, D + 1)}, "(9, 6), (23, 7), (9,)"),
        ({"target": torch.zeros(N + 1, dtype=torch.int64)}, "(10,)"),
        ({"weight": torch.zeros(1, D)}, "V of 2 or more"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
    ],
)
def test_what_cannot_work_is_named(changed, named):
    hidden, weight, target = draw(torch.float32)
    arguments = {"hidden": hidden, "weight": weight, "target": target, "label_smoothing": 0.0} | changed
    with pytest.raises(ConfigError) as caught:
        linear_cross_entropy(**arguments)
    assert named in str(caught.value)
