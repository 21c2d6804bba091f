import numpy as np
import torch

from fairseq_samu.ops.masking import (
    draw_span_mask,
    draw_span_masks,
    lengths_to_padding_mask,
    padding_mask_to_lengths,
)


def test_padding_mask_and_lengths_are_inverse():
    lengths = torch.tensor([3, 1, 4])
    mask = lengths_to_padding_mask(lengths, 4)
    assert mask.tolist() == [[False, False, False, True], [False, True, True, True], [False] * 4]
    assert padding_mask_to_lengths(mask, torch.zeros(3, 4)).tolist() == [3, 1, 4]
    assert padding_mask_to_lengths(None, torch.zeros(2, 5)).tolist() == [5, 5]


def test_spans_are_whole_and_inside():
    for seed in range(50):
        mask = draw_span_mask(40, 0.2, 6, [seed])
        edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
        runs = edges[1::2] - edges[::2]
        assert all(run >= 6 for run in runs)


def test_share_of_masked_positions_is_what_overlap_leaves():
    # 1000 positions, 30 spans of 10: each position is free with a chance of about (1 - 10 / 991) ** 30 = .738
    share = np.mean([draw_span_mask(1000, 0.3, 10, [seed]).mean() for seed in range(300)])
    assert abs(share - 0.262) < 0.01


def test_short_rows_keep_something():
    for length in range(1, 12):
        for seed in range(20):
            assert not draw_span_mask(length, 1.0, 5, [seed]).all()


def test_probability_zero_masks_nothing():
    assert not draw_span_mask(100, 0.0, 5, [1]).any()


def test_row_mask_depends_on_its_seed_only():
    seeds = [(1, 2, 1, row) for row in (7, 8, 9)]
    masks = draw_span_masks([50, 30, 40], 50, 0.5, 4, seeds)
    alone = draw_span_masks([30], 30, 0.5, 4, [seeds[1]])
    assert torch.equal(masks[1, :30], alone[0])
    assert not masks[1, 30:].any()
    assert not torch.equal(masks[0, :30], masks[1, :30])


def test_drawn_mask_is_pinned():
    # A resumed run must draw what the unbroken one drew, also after an upgrade of this package.
    assert np.flatnonzero(draw_span_mask(20, 0.5, 3, [1, 2, 1, 7])).tolist() == [0, 1, 2, 3, 4, 14, 15, 16]
