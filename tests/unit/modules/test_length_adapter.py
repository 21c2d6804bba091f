"""Strided convolutions: counts, literal values, and padding that changes nothing."""

import math

import pytest
import torch

from fairseq_samu.modules.length_adapter import LengthAdapter
from fairseq_samu.ops.masking import lengths_to_padding_mask

D = 4


def build(num_layers, dtype=torch.float64):
    torch.manual_seed(0)
    return LengthAdapter(D, num_layers).to(dtype).eval()


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_a_padded_batch_gives_what_each_row_gives_alone(num_layers):
    adapter = build(num_layers)
    lengths = [17, 1, 8, 9, 16]
    rows = [torch.randn(length, D, dtype=torch.float64) for length in lengths]
    # what stands at padding must not matter, NaN included
    batch = torch.full((len(rows), max(lengths) + 3, D), math.nan, dtype=torch.float64)
    for row, frames in enumerate(rows):
        batch[row, : len(frames)] = frames
    mask = lengths_to_padding_mask(torch.tensor(lengths), batch.size(1))
    shortened, short_mask = adapter(batch, mask)
    counts = adapter.count_frames(torch.tensor(lengths))
    assert (~short_mask).sum(dim=1).tolist() == counts.tolist()
    assert shortened.masked_select(short_mask[:, :, None]).abs().sum() == 0
    for row, frames in enumerate(rows):
        alone, alone_mask = adapter(frames[None], torch.zeros(1, len(frames), dtype=torch.bool))
        assert not alone_mask.any()
        assert alone.size(1) == counts[row]
        torch.testing.assert_close(shortened[row, : counts[row]], alone[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize(("num_layers", "expected"), [(1, [1, 1, 2, 2, 3]), (3, [1, 1, 1, 1, 1]), (0, [1, 2, 3, 4, 5])])
def test_each_layer_halves_and_rounds_up(num_layers, expected):
    assert build(num_layers).count_frames(torch.arange(1, 6)).tolist() == expected


def test_a_layer_by_hand():
    """Sums of neighbours, times the gate's sigmoid(0)."""
    adapter = LengthAdapter(1, 1)
    with torch.no_grad():
        adapter.layers[0].weight.zero_()
        adapter.layers[0].weight[0] = 1.0
        adapter.layers[0].bias.zero_()
    frames = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])[None, :, None]
    shortened, _ = adapter(frames, torch.zeros(1, 5, dtype=torch.bool))
    assert shortened.flatten().tolist() == [1.5, 4.5, 4.5]


def test_gradients_reach_every_parameter_and_no_padding():
    adapter = build(2)
    frames = torch.randn(2, 8, D, dtype=torch.float64, requires_grad=True)
    mask = lengths_to_padding_mask(torch.tensor([8, 5]), 8)
    adapter(frames, mask)[0].square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in adapter.parameters())
    assert frames.grad[1, 5:].abs().sum() == 0
    assert frames.grad[1, :5].abs().sum(dim=1).min() > 0
