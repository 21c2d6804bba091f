"""Alignment of speech and text against loops, hand-computed values and edge cases."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_samu.ops.alignment import alignment_loss, gold_share, mean_pool
from fairseq_samu.ops.masking import lengths_to_padding_mask


def mean_by_loops(frames, lengths):
    return [
        [sum(row[s][d] for s in range(length)) / length if length else 0.0 for d in range(len(row[0]))]
        for row, length in zip(frames, lengths, strict=True)
    ]


def cosine_of(a, b):
    norms = math.hypot(*a) * math.hypot(*b)
    return sum(x * y for x, y in zip(a, b, strict=True)) / norms if norms else 0.0


def loss_by_loops(speech, text, temperature, symmetric=False, alike=frozenset()):
    rows = range(len(speech))
    filled = [i for i in rows if any(text[i])]
    losses = []
    for i in rows:
        if i not in filled:
            losses.append(0.0)
            continue
        rivals = [j for j in filled if j == i or (cosine_of(text[i], text[j]) <= 1 - 1e-6 and (i, j) not in alike)]
        own = math.exp(cosine_of(speech[i], text[i]) / temperature)
        texts = sum(math.exp(cosine_of(speech[i], text[j]) / temperature) for j in rivals)
        voices = sum(math.exp(cosine_of(speech[j], text[i]) / temperature) for j in rivals)
        there, back = -math.log(own / texts), -math.log(own / voices)
        losses.append((there + back) / 2 if symmetric else there)
    return losses


def draw(batch, dim, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, dim, generator=generator, dtype=torch.float64) for _ in range(2)]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 7), min_size=1, max_size=4),
    extra=st.integers(0, 3),
    filler=st.sampled_from([0.0, 1e9, math.inf, math.nan]),
)
def test_mean_of_valid_frames(lengths, extra, filler):
    size = max(*lengths, 1) + extra
    mask = lengths_to_padding_mask(torch.tensor(lengths), size)
    frames = torch.randn(len(lengths), size, 3, dtype=torch.float64).masked_fill(mask[:, :, None], filler)
    expected = torch.tensor(mean_by_loops(frames.tolist(), lengths), dtype=torch.float64)
    assert (mean_pool(frames, mask) - expected).abs().max() < 1e-12


def test_mean_by_hand():
    frames = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [9.0, 9.0]]])
    assert mean_pool(frames, torch.tensor([[False, False, True]])).tolist() == [[2.0, 4.0]]


def test_mean_gives_padding_no_gradient():
    frames = torch.full((1, 3, 2), math.nan).index_fill(1, torch.tensor([0, 1]), 1.0).requires_grad_()
    mean_pool(frames, torch.tensor([[False, False, True]])).sum().backward()
    assert frames.grad[0].tolist() == [[0.5, 0.5], [0.5, 0.5], [0.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_mean_of_half_precision_is_summed_in_single(dtype):
    frames = torch.full((1, 3000, 2), 100.0, dtype=dtype)  # half precision ends at 65504
    pooled = mean_pool(frames, torch.zeros(1, 3000, dtype=torch.bool))
    assert pooled.dtype == torch.float32
    assert pooled.tolist() == [[100.0, 100.0]]


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 6),
    seed=st.integers(0, 10_000),
    temperature=st.sampled_from([0.1, 0.5, 1.0]),
    symmetric=st.booleans(),
    twin=st.booleans(),
    void=st.booleans(),
)
def test_loss_equals_loops(batch, seed, temperature, symmetric, twin, void):
    speech, text = draw(batch, 4, seed)
    if twin:
        text[-1] = text[0] * 3
    if void:
        text[batch // 2] = 0.0
    loss = alignment_loss(speech, text, temperature, symmetric)
    expected = loss_by_loops(speech.tolist(), text.tolist(), temperature, symmetric)
    assert loss.tolist() == pytest.approx(expected, abs=1e-9)


def test_loss_by_hand():
    """Cosines 1 and 0 with the first text, 0 and 1 with the second, 0.6 and 0.8 for the second row of speech."""
    speech = torch.tensor([[2.0, 0.0], [3.0, 4.0]], dtype=torch.float64)
    text = torch.tensor([[5.0, 0.0], [0.0, 0.1]], dtype=torch.float64)
    # log(1 + exp((0 - 1) / .5)), log(1 + exp((.6 - .8) / .5))
    assert alignment_loss(speech, text, 0.5).tolist() == pytest.approx([0.1269280110, 0.5130152524], abs=1e-9)
    # the other direction: log(1 + exp((.6 - 1) / .5)), log(1 + exp((0 - .8) / .5))
    both = [(0.1269280110 + 0.3711006659) / 2, (0.5130152524 + 0.1839007409) / 2]
    assert alignment_loss(speech, text, 0.5, symmetric=True).tolist() == pytest.approx(both, abs=1e-9)


def test_default_temperature_is_a_tenth():
    speech, text = draw(4, 5, 0)
    assert torch.equal(alignment_loss(speech, text), alignment_loss(speech, text, 0.1))


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_batch_of_one_gives_zero_and_no_gradient(symmetric, dtype):
    speech = torch.randn(1, 6).to(dtype).requires_grad_()
    loss = alignment_loss(speech, torch.randn(1, 6).to(dtype), 0.1, symmetric)
    assert loss.tolist() == [0.0]
    loss.sum().backward()
    assert not speech.grad.any()


@pytest.mark.parametrize("symmetric", [False, True])
def test_only_speech_gets_a_gradient(symmetric):
    speech, text = draw(4, 5, 1)
    speech.requires_grad_()
    text.requires_grad_()
    alignment_loss(speech, text, 0.1, symmetric).sum().backward()
    assert text.grad is None
    assert speech.grad.abs().sum(dim=1).min() > 0


def test_a_step_against_the_gradient_brings_speech_nearer_to_its_text():
    speech, text = draw(4, 5, 2)
    speech.requires_grad_()
    before = alignment_loss(speech, text)
    (gradient,) = torch.autograd.grad(before.sum(), speech)
    assert alignment_loss(speech - 0.01 * gradient, text).sum() < before.sum()


def test_rows_that_are_said_to_be_alike_are_no_negatives():
    speech, text = draw(4, 5, 3)
    alike = torch.eye(4, dtype=torch.bool)
    assert torch.equal(alignment_loss(speech, text, alike=alike), alignment_loss(speech, text))
    alike[0, 2] = alike[2, 0] = True
    expected = loss_by_loops(speech.tolist(), text.tolist(), 0.1, alike={(0, 2), (2, 0)})
    assert alignment_loss(speech, text, alike=alike).tolist() == pytest.approx(expected, abs=1e-9)


def test_an_empty_text_changes_no_other_row_and_gives_finite_gradients():
    speech, text = draw(3, 5, 4)
    empty = mean_pool(torch.randn(1, 2, 5, dtype=torch.float64), torch.ones(1, 2, dtype=torch.bool))
    speech.requires_grad_()
    loss = alignment_loss(speech, torch.cat([text[:2], empty]))
    assert loss[2] == 0
    torch.testing.assert_close(loss[:2], alignment_loss(speech[:2], text[:2]))
    loss.sum().backward()
    assert speech.grad.isfinite().all()
    assert not speech.grad[2].any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype):
    speech, text = (tensor.to(dtype) * 100 for tensor in draw(4, 512, 5))
    loss = alignment_loss(speech, text, 0.01)
    assert loss.dtype == torch.float32
    expected = loss_by_loops(speech.tolist(), text.tolist(), 0.01)
    assert loss.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    ("update", "beta", "step", "share"),
    [
        (0, 1.0, 5000, 1.0),
        (4999, 1.0, 5000, 1.0),
        (5000, 1.0, 5000, 0.9),
        (34_999, 1.0, 5000, 0.4),
        (50_000, 1.0, 5000, 0.0),
        (10**9, 1.0, 5000, 0.0),
        (30, 0.25, 10, 0.0),
        (10, 0.25, 10, 0.15),
        (0, 0.0, 5000, 0.0),
    ],
)
def test_the_share_of_gold_text_falls_by_a_tenth_a_step(update, beta, step, share):
    assert gold_share(update, beta, step) == pytest.approx(share, abs=1e-12)


def test_the_curriculum_of_the_paper_is_the_default():
    assert [round(gold_share(update), 9) for update in (0, 5000, 12_345, 60_000)] == [1.0, 0.9, 0.8, 0.0]
