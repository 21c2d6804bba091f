"""The pooling module: sizes, padding, gradients, state."""

import torch

from fairseq_samu.modules.attentive_pooling import AttentivePooling


def test_one_head_has_the_papers_size_and_starts_as_the_mean():
    pooling = AttentivePooling(1024)
    assert sum(p.numel() for p in pooling.parameters()) == 1025
    frames = torch.randn(2, 6, 1024)
    mask = torch.tensor([[False] * 6, [False] * 4 + [True] * 2])
    pooled = pooling(frames, mask)
    assert torch.allclose(pooled[0], frames[0].mean(0), atol=1e-6)
    assert torch.allclose(pooled[1], frames[1, :4].mean(0), atol=1e-6)


def test_several_heads_start_apart():
    pooling = AttentivePooling(16, num_heads=4)
    assert pooling.output_dim == 64
    assert pooling(torch.randn(2, 6, 16), torch.zeros(2, 6, dtype=torch.bool)).shape == (2, 64)
    assert pooling.score.weight.std() > 0


def test_padding_neither_counts_nor_gets_gradients():
    torch.manual_seed(0)
    pooling = AttentivePooling(8, num_heads=2).double()
    frames = torch.randn(2, 5, 8, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[False] * 5, [False, False, True, True, True]])
    pooled = pooling(frames, mask)
    single = pooling(frames[1:, :2], mask[1:, :2])
    assert torch.allclose(pooled[1:], single, atol=1e-9)
    pooled.sum().backward()
    assert (frames.grad[1, 2:] == 0).all()
    assert (pooling.score.weight.grad != 0).all()


def test_state_survives_a_round_trip():
    torch.manual_seed(0)
    first, second = AttentivePooling(8, 3), AttentivePooling(8, 3)
    second.load_state_dict(first.state_dict())
    frames, mask = torch.randn(1, 4, 8), torch.zeros(1, 4, dtype=torch.bool)
    assert torch.equal(first(frames, mask), second(frames, mask))
