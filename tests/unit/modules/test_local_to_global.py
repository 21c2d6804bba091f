"""The extractor against loops over time, and everything that padding must not change."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fairseq_samu.modules.local_to_global import LocalToGlobal, kernel_sizes
from fairseq_samu.ops.masking import lengths_to_padding_mask

D = 6
NORMS = ("layer", "batch")


def build(kernel_size, norm="layer", dim=D):
    torch.manual_seed(0)
    module = LocalToGlobal(dim, kernel_size, norm=norm).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    if norm == "batch":
        module.inner_norm.running_mean.normal_()
        module.inner_norm.running_var.uniform_(0.5, 2.0)
    return module


def pad(rows, filler=math.nan, extra=0):
    """Rows (T_b, D) as a batch (B, T, D) with a filler behind them, and its mask."""
    lengths = torch.tensor([len(row) for row in rows])
    batch = torch.full((len(rows), int(lengths.max()) + extra, rows[0].size(1)), filler, dtype=rows[0].dtype)
    for index, row in enumerate(rows):
        batch[index, : len(row)] = row
    return batch, lengths_to_padding_mask(lengths, batch.size(1))


def draw_rows(lengths, dim=D):
    return [torch.randn(length, dim, dtype=torch.float64) for length in lengths]


def by_loops(module, row):
    """The extractor of one row (T, D) without padding in evaluation, one position and one channel at a time."""
    num_positions, dim = row.shape
    gated = []
    for position in range(num_positions):
        wide = module.expand(module.norm(row[position]))
        gated.append([wide[c].item() / (1 + math.exp(-wide[dim + c].item())) for c in range(dim)])
    kernel = module.depthwise.weight[:, 0]
    reach = kernel.size(1) // 2
    result = []
    for position in range(num_positions):
        local = torch.zeros(dim, dtype=row.dtype)
        for channel in range(dim):
            for place in range(kernel.size(1)):
                source = position + place - reach
                if 0 <= source < num_positions:
                    local[channel] += kernel[channel, place].item() * gated[source][channel]
        norm = module.inner_norm
        if isinstance(norm, nn.LayerNorm):
            local = norm(local)
        else:
            local = (local - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
        result.append(row[position] + module.contract(local / (1 + torch.exp(-local))))
    return torch.stack(result)


@pytest.mark.parametrize(
    ("first", "step", "num_layers", "expected"),
    [(5, 3, 6, [5, 9, 11, 15, 17, 21]), (4, 0, 2, [5, 5]), (3, 2, 3, [3, 5, 7]), (5, 3, 0, [])],
)
def test_windows_grow_and_are_odd(first, step, num_layers, expected):
    assert kernel_sizes(first, step, num_layers) == expected


def test_windows_of_the_paper_are_the_defaults():
    assert kernel_sizes() == [5, 9, 11, 15, 17, 21]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("length", "kernel_size"), [(9, 5), (1, 5), (3, 21), (12, 1)])
def test_equals_loops_over_time(length, kernel_size, norm):
    module = build(kernel_size, norm).eval()
    (row,) = draw_rows([length])
    with torch.no_grad():
        assert (module(row[None])[0] - by_loops(module, row)).abs().max() < 1e-12


@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 24), min_size=1, max_size=4),
    extra=st.integers(0, 5),
    kernel_size=st.sampled_from(kernel_sizes()),
    filler=st.sampled_from([0.0, 1e6, math.inf, math.nan]),
)
def test_a_padded_batch_gives_what_each_row_gives_alone(norm, lengths, extra, kernel_size, filler):
    module = build(kernel_size, norm).eval()
    rows = draw_rows(lengths)
    batch, mask = pad(rows, filler, extra)
    together = module(batch, mask)
    assert together.shape == batch.shape
    for index, row in enumerate(rows):
        alone = module(row[None], torch.zeros(1, len(row), dtype=torch.bool))
        assert (together[index, : len(row)] - alone[0]).abs().max() < 1e-9
        assert (alone - module(row[None])).abs().max() < 1e-12


@pytest.mark.parametrize("norm", NORMS)
def test_gradients_reach_every_parameter_and_no_padding(norm):
    module = build(5, norm)
    batch, mask = pad(draw_rows([8, 3, 1]))
    batch.requires_grad_()
    result = module(batch, mask)
    result[~mask].square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).flatten(1).any(dim=1).all() if parameter.dim() > 1 else parameter.grad.all(), name
    assert batch.grad[~mask].isfinite().all()
    assert batch.grad[~mask].abs().sum(dim=1).min() > 0
    assert not batch.grad[mask].any()


@pytest.mark.parametrize("norm", NORMS)
def test_a_new_extractor_is_live_at_valid_positions(norm):
    torch.manual_seed(0)
    module = LocalToGlobal(D, 9, norm=norm)
    batch, mask = pad([row.float() for row in draw_rows([7, 4])], filler=0.0)
    added = (module(batch, mask) - batch)[~mask]
    assert added.abs().amax(dim=1).min() > 1e-2


@pytest.mark.parametrize("norm", NORMS)
def test_the_window_is_as_wide_as_the_kernel(norm):
    module = build(5, norm).eval()
    x = torch.randn(1, 15, D, dtype=torch.float64, requires_grad=True)
    module(x)[0, 7].sum().backward()
    touched = x.grad[0].abs().sum(dim=1) > 0
    assert touched.nonzero().flatten().tolist() == [5, 6, 7, 8, 9]


def test_dropout_acts_on_the_convolution_in_training_only():
    module = LocalToGlobal(D, 5, dropout=0.999999)
    x = torch.randn(2, 7, D)
    assert torch.equal(module(x), x)
    assert not torch.equal(module.eval()(x), x)


@pytest.mark.parametrize("norm", NORMS)
def test_state_goes_round(norm):
    module, twin = build(5, norm), LocalToGlobal(D, 5, norm=norm).double()
    module(torch.randn(2, 7, D, dtype=torch.float64))  # moves running statistics
    twin.load_state_dict(module.state_dict())
    x = torch.randn(2, 7, D, dtype=torch.float64)
    assert torch.equal(module.eval()(x), twin.eval()(x))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("norm", NORMS)
def test_half_precision(norm, dtype):
    module = build(9, norm, dim=32).eval()
    rows = draw_rows([20, 7], dim=32)
    batch, mask = pad(rows, filler=0.0)
    expected = module(batch, mask)[~mask]
    result = module.to(dtype)(batch.to(dtype), mask)[~mask]
    assert result.dtype == dtype
    assert (result.double() - expected).norm() < 0.03 * expected.norm()


def test_other_norms_are_refused():
    with pytest.raises(ValueError, match="layer, batch"):
        LocalToGlobal(D, 5, norm="group")


def test_even_windows_are_refused():
    with pytest.raises(ValueError, match="odd"):
        LocalToGlobal(D, 4)
