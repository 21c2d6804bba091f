"""Products of frames with what belongs to their segments, against loops, with their gradients."""

import pytest
import torch

from fairseq_samu.ops.segment_products import score_frames, sum_weighted

LENGTHS = [
    pytest.param([3, 1, 4], id="several"),
    pytest.param([1], id="one-frame"),
    pytest.param([0, 2, 0, 0, 5, 0], id="empty-ones"),
    pytest.param([0], id="nothing"),
]
PARTS = [1, 3]
D = 6


def draw(lengths, parts, spare=0, dtype=torch.float64):
    """Rows of which some are in no segment, the segments of the others, vectors and weights."""
    generator = torch.Generator().manual_seed(1)
    count = sum(lengths)
    frames = torch.randperm(count + spare, generator=generator)[:count].sort().values
    segment_of = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))

    def tensor(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    vectors, rows, weights = tensor(len(lengths), D), tensor(count + spare, D), tensor(count, parts)
    return rows, frames, segment_of, torch.tensor(lengths), weights, vectors


def sum_by_loops(rows, frames, segment_of, count, weights):
    found = [[0.0] * D for _ in range(count)]
    width = D // weights.size(1)
    for place, frame in enumerate(frames.tolist()):
        for i in range(D):
            found[segment_of[place]][i] += float(weights[place, i // width]) * float(rows[frame, i])
    return torch.tensor(found, dtype=torch.float64)


def score_by_loops(queries, keys, segment_of, parts):
    width = D // parts
    return torch.tensor(
        [
            [
                sum(float(queries[segment_of[f], i]) * float(keys[f, i]) for i in range(p * width, (p + 1) * width))
                for p in range(parts)
            ]
            for f in range(len(keys))
        ],
        dtype=torch.float64,
    ).view(len(keys), parts)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("spare", [0, 4])
def test_sums_equal_loops_and_their_gradients_differences(lengths, parts, spare):
    rows, frames, segment_of, counts, weights, _ = draw(lengths, parts, spare)
    found = sum_weighted(rows, frames, segment_of, counts, weights)
    assert (found - sum_by_loops(rows, frames, segment_of, len(lengths), weights)).abs().max() < 1e-12
    assert found.shape == (len(lengths), D)
    if sum(lengths):
        inputs = (rows.requires_grad_(), weights.requires_grad_())
        assert torch.autograd.gradcheck(lambda r, w: sum_weighted(r, frames, segment_of, counts, w), inputs)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("parts", PARTS)
def test_scores_equal_loops_and_their_gradients_differences(lengths, parts):
    keys, _, segment_of, counts, _, queries = draw(lengths, parts)
    found = score_frames(queries, keys, segment_of, counts, parts)
    assert found.shape == (sum(lengths), parts)
    if sum(lengths):
        assert (found - score_by_loops(queries, keys, segment_of, parts)).abs().max() < 1e-12
        inputs = (queries.requires_grad_(), keys.requires_grad_())
        assert torch.autograd.gradcheck(lambda q, k: score_frames(q, k, segment_of, counts, parts), inputs)


def test_rows_of_no_segment_do_not_matter_and_get_no_gradient():
    rows, frames, segment_of, counts, weights, _ = draw([2, 3], 3, spare=2)
    outside = torch.ones(len(rows), dtype=torch.bool).index_fill(0, frames, False)
    expected = sum_weighted(rows, frames, segment_of, counts, weights)
    rows = rows.masked_fill(outside[:, None], torch.nan).requires_grad_()
    weights.requires_grad_()
    found = sum_weighted(rows, frames, segment_of, counts, weights)
    found.sum().backward()
    assert torch.equal(found, expected)
    assert not rows.grad[outside].any() and rows.grad[frames].all()
    assert weights.grad.isfinite().all()


@pytest.mark.parametrize("which", [0, 1])
def test_what_asks_for_no_gradient_gets_none(which):
    rows, frames, segment_of, counts, weights, queries = draw([2, 3], 3)
    (rows, weights)[which].requires_grad_()
    sum_weighted(rows, frames, segment_of, counts, weights).sum().backward()
    assert (rows.grad is None, weights.grad is None) == (which == 1, which == 0)
    keys = rows.detach()
    (queries, keys)[which].requires_grad_()
    score_frames(queries, keys, segment_of, counts, 3).sum().backward()
    assert (queries.grad is None, keys.grad is None) == (which == 1, which == 0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_half_precision_is_added_up_in_float32(dtype):
    rows, frames, segment_of, counts, weights, queries = draw([40, 3], 3, dtype=dtype)
    rows.requires_grad_()
    found = sum_weighted(rows, frames, segment_of, counts, weights.float())
    exact = sum_weighted(rows.detach().double(), frames, segment_of, counts, weights.double())
    assert found.dtype == torch.float32
    assert (found - exact).abs().max() < 1e-5
    found.sum().backward()
    assert rows.grad.dtype == dtype
    scores = score_frames(queries, rows.detach(), segment_of, counts, 3)
    assert scores.dtype == torch.float32
    assert (scores - score_frames(queries.double(), rows.detach().double(), segment_of, counts, 3)).abs().max() < 1e-5


def test_tensors_with_gaps_are_read_right():
    rows, frames, segment_of, counts, weights, queries = draw([4, 2], 3)
    expected = sum_weighted(rows, frames, segment_of, counts, weights)
    gapped, turned = rows.t().contiguous().t(), weights.t().contiguous().t()
    assert torch.equal(sum_weighted(gapped, frames, segment_of, counts, turned), expected)
    scores = score_frames(queries, rows, segment_of, counts, 3)
    assert torch.equal(score_frames(queries.t().contiguous().t(), gapped, segment_of, counts, 3), scores)
