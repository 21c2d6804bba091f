"""Batch norm over valid positions: torch's own without padding, the same with any padding."""

import math

import torch
from torch import nn

from fairseq_samu.modules.masked_batch_norm import MaskedBatchNorm
from fairseq_samu.ops.masking import lengths_to_padding_mask


def build(dim=4):
    torch.manual_seed(0)
    ours = MaskedBatchNorm(dim).double()
    nn.init.normal_(ours.weight)
    nn.init.normal_(ours.bias)
    theirs = nn.BatchNorm1d(dim).double()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def close(a, b):
    return (a - b).abs().max() < 1e-12


def test_without_padding_it_is_the_batch_norm_of_torch():
    ours, theirs = build()
    everything = torch.zeros(3, 7, dtype=torch.bool)
    for mask in (None, everything, None):
        x = torch.randn(3, 7, 4, dtype=torch.float64)
        assert close(ours(x, mask), theirs(x.transpose(1, 2)).transpose(1, 2))
    assert close(ours.running_mean, theirs.running_mean)
    assert close(ours.running_var, theirs.running_var)
    assert ours.num_batches_tracked == theirs.num_batches_tracked == 3
    assert close(ours.eval()(x), theirs.eval()(x.transpose(1, 2)).transpose(1, 2))


def test_padding_changes_neither_values_nor_statistics_nor_gradients():
    lengths = [6, 2, 1]
    rows = [torch.randn(length, 4, dtype=torch.float64) for length in lengths]
    results = []
    for extra, filler in ((0, 0.0), (3, 1e6), (1, math.nan)):
        norm, _ = build()
        batch = torch.full((3, 6 + extra, 4), filler, dtype=torch.float64)
        for index, row in enumerate(rows):
            batch[index, : len(row)] = row
        mask = lengths_to_padding_mask(torch.tensor(lengths), 6 + extra)
        batch.requires_grad_()
        valid = norm(batch, mask)[~mask]
        valid.pow(3).sum().backward()
        results.append((valid, norm.running_mean, norm.running_var, batch.grad[~mask], norm.weight.grad))
        assert not batch.grad[mask].any()
    # the valid positions in one row are the oracle
    _, theirs = build()
    flat = torch.cat(rows)
    assert close(results[0][0], theirs(flat))
    assert close(results[0][1], theirs.running_mean)
    assert close(results[0][2], theirs.running_var)
    for other in results[1:]:
        assert all(close(a, b) for a, b in zip(results[0], other, strict=True))


def test_hand_computed():
    norm = MaskedBatchNorm(1, eps=0.0)
    x = torch.tensor([[[1.0], [3.0], [100.0]]])
    assert norm(x, torch.tensor([[False, False, True]]))[0, :2, 0].tolist() == [-1.0, 1.0]
    torch.testing.assert_close(norm.running_mean, torch.tensor([0.2]))
    torch.testing.assert_close(norm.running_var, torch.tensor([0.9 + 0.1 * 2.0]))


def test_one_position_is_allowed():
    norm = MaskedBatchNorm(2)
    assert norm(torch.randn(1, 1, 2)).isfinite().all()
    assert norm.running_var.tolist() == [0.8999999761581421] * 2


def test_half_precision_is_measured_in_single():
    norm = MaskedBatchNorm(2).half()
    loud = (torch.randn(1, 4000, 2) * 300).half()  # its squares overflow half precision
    result = norm(loud)
    assert result.dtype == torch.float16
    assert result.isfinite().all()
