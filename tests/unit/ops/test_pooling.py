"""Attentive pooling against loops and hand-computed cases."""

import math

import pytest
import torch

from fairseq_samu.ops.pooling import attentive_pool, masked_softmax


def pool_by_loops(frames, scores, padding_mask):
    batch, time, dim = frames.shape
    rows = []
    for b in range(batch):
        row = []
        for h in range(scores.shape[2]):
            valid = [t for t in range(time) if not padding_mask[b, t]]
            total = sum(math.exp(scores[b, t, h]) for t in valid)
            for d in range(dim):
                row.append(sum(math.exp(scores[b, t, h]) / total * frames[b, t, d].item() for t in valid))
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(3)
    frames = torch.randn(3, 5, 4, generator=generator, dtype=torch.float64)
    scores = torch.randn(3, 5, 2, generator=generator, dtype=torch.float64)
    mask = torch.tensor([[False] * 5, [False, False, True, True, True], [False, True, True, True, True]])
    return frames, scores, mask


def test_equals_loops(batch):
    assert torch.allclose(attentive_pool(*batch), pool_by_loops(*batch), atol=1e-12)


def test_weights_sum_to_one_and_padding_gets_none(batch):
    _, scores, mask = batch
    weights = masked_softmax(scores, mask)
    assert torch.allclose(weights.sum(1), torch.ones(3, 2, dtype=torch.float64))
    assert (weights[mask] == 0).all()


def test_equal_scores_give_the_masked_mean(batch):
    frames, scores, mask = batch
    pooled = attentive_pool(frames, torch.zeros_like(scores[:, :, :1]), mask)
    assert torch.allclose(pooled[1], frames[1, :2].mean(0))


def test_padding_may_hold_anything(batch):
    frames, scores, mask = batch
    dirty = frames.masked_fill(mask.unsqueeze(-1), float("nan"))
    assert torch.equal(attentive_pool(dirty, scores, mask), attentive_pool(frames, scores, mask))


def test_padded_equals_single(batch):
    frames, scores, mask = batch
    single = attentive_pool(frames[1:2, :2], scores[1:2, :2], mask[1:2, :2])
    assert torch.allclose(attentive_pool(frames, scores, mask)[1:2], single, atol=1e-12)


def test_half_precision_keeps_its_type_and_large_scores(batch):
    frames, scores, mask = batch
    pooled = attentive_pool(frames.half(), scores.half() * 1000, mask)
    assert pooled.dtype == torch.float16
    assert pooled.isfinite().all()
