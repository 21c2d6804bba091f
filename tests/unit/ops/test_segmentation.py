"""Segments and their representatives against loops, by property tests, and on cases computed by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_samu.errors import ConfigError
from fairseq_samu.ops.masking import lengths_to_padding_mask
from fairseq_samu.ops.segmentation import BLANK_RULES, REPRESENTATIVES, find_segments, represent

D = 3


def cut_by_loops(labels, blank=0, blanks="keep", max_segments=0):
    """Frames of each segment of one row of labels without padding, as lists of frame numbers."""
    runs = []
    for frame, label in enumerate(labels):
        if frame and labels[frame - 1] == label:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    only_blanks = all(label == blank for label in labels)
    if blanks == "drop" and not only_blanks:
        runs = [run for run in runs if labels[run[0]] != blank]
    if blanks == "merge":
        merged, leading = [], []
        for run in runs:
            if labels[run[0]] != blank:
                merged.append(leading + run)
                leading = []
            elif merged:
                merged[-1] += run
            else:
                leading += run
        runs = merged if merged else [leading]
    runs = runs or [[]]
    if max_segments and len(runs) > max_segments:
        runs = [*runs[: max_segments - 1], [frame for run in runs[max_segments - 1 :] for frame in run]]
    return runs


def weigh_by_loops(run, how, probs):
    """Weight of each frame of a segment."""
    if how == "first":
        return [1.0 if index == 0 else 0.0 for index in range(len(run))]
    if how == "avg":
        return [1.0 / len(run)] * len(run)
    parts = [probs[frame] if how == "weighted" else math.exp(probs[frame]) for frame in run]
    return [part / sum(parts) for part in parts]


def batch_of(rows, size=None):
    """Pad lists of labels with a label that also stands inside of rows."""
    lengths = torch.tensor([len(row) for row in rows])
    mask = lengths_to_padding_mask(lengths, size or int(lengths.max()))
    labels = torch.full(mask.shape, 1)
    for number, row in enumerate(rows):
        labels[number, : len(row)] = torch.tensor(row, dtype=torch.long)
    return labels, mask


label_rows = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=12), min_size=1, max_size=4)
rules = st.tuples(st.sampled_from(BLANK_RULES), st.integers(0, 4), st.sampled_from([0, 2]))


def lists_of(segments, row):
    """Frames of each segment of a row."""
    count = int(segments.counts[row])
    return [(segments.of_frame[row] == number).nonzero().flatten().tolist() for number in range(count)]


@settings(deadline=None, max_examples=300)
@given(label_rows, rules)
def test_segments_equal_loops(rows, rule):
    blanks, most, blank = rule
    labels, mask = batch_of(rows)
    found = find_segments(labels, mask, blank, blanks, most)
    size = found.starts.size(1)
    assert size == int(found.counts.max())
    assert torch.equal(found.padding_mask, lengths_to_padding_mask(found.counts, size))
    for number, row in enumerate(rows):
        expected = cut_by_loops(row, blank, blanks, most)
        assert lists_of(found, number) == expected
        rest = size - len(expected)
        assert found.starts[number].tolist() == [run[0] for run in expected] + [0] * rest
        assert found.lengths[number].tolist() == [len(run) for run in expected] + [0] * rest
        outside = set(range(labels.size(1))) - {frame for run in expected for frame in run}
        assert all(found.of_frame[number, frame] == size for frame in outside)


@settings(deadline=None, max_examples=150)
@given(label_rows, rules, st.sampled_from(REPRESENTATIVES), st.integers(0, 99))
def test_representatives_equal_loops(rows, rule, how, seed):
    blanks, most, blank = rule
    labels, mask = batch_of(rows)
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randn(*labels.shape, D, generator=generator, dtype=torch.float64)
    probs = torch.rand(labels.shape, generator=generator, dtype=torch.float64) + 0.01
    segments = find_segments(labels, mask, blank, blanks, most)
    found = represent(frames, segments, how, probs)
    assert found.shape == (len(rows), segments.starts.size(1), D)
    for number, row in enumerate(rows):
        runs = cut_by_loops(row, blank, blanks, most)
        for place, run in enumerate(runs):
            weights = weigh_by_loops(run, how, probs[number])
            expected = sum(weight * frames[number, frame] for weight, frame in zip(weights, run, strict=True))
            torch.testing.assert_close(found[number, place], expected, rtol=0, atol=1e-12)
        assert not found[number, len(runs) :].any()


@settings(deadline=None, max_examples=100)
@given(label_rows, rules, st.sampled_from(REPRESENTATIVES), st.integers(1, 5))
def test_padding_changes_nothing_and_a_row_stands_for_itself(rows, rule, how, more):
    blanks, most, blank = rule
    labels, mask = batch_of(rows, max(map(len, rows)) + more)
    frames = torch.randn(*labels.shape, D, dtype=torch.float64)
    probs = torch.rand(labels.shape, dtype=torch.float64) + 0.01
    segments = find_segments(labels, mask, blank, blanks, most)
    found = represent(frames, segments, how, probs)
    other = find_segments(labels.masked_fill(mask, 3), mask, blank, blanks, most)
    assert all(torch.equal(getattr(segments, name), getattr(other, name)) for name in vars(segments))
    spoilt = represent(frames.masked_fill(mask[:, :, None], math.nan), segments, how, probs.masked_fill(mask, math.nan))
    assert torch.equal(found, spoilt)
    for number, row in enumerate(rows):
        part = (slice(number, number + 1), slice(len(row)))
        alone = find_segments(labels[part], mask[part], blank, blanks, most)
        count = int(segments.counts[number])
        assert int(alone.counts[0]) == count
        torch.testing.assert_close(represent(frames[part], alone, how, probs[part])[0], found[number, :count])


def test_by_hand():
    labels = torch.tensor([[0, 0, 5, 5, 0, 5, 7, 7, 0, 0], [7, 0, 0, 7, 7, 5, 5, 5, 5, 5]])
    mask = lengths_to_padding_mask(torch.tensor([10, 5]), 10)
    kept = find_segments(labels, mask)
    assert kept.of_frame.tolist() == [[0, 0, 1, 1, 2, 3, 4, 4, 5, 5], [0, 1, 1, 2, 2, 6, 6, 6, 6, 6]]
    assert kept.starts.tolist() == [[0, 2, 4, 5, 6, 8], [0, 1, 3, 0, 0, 0]]
    assert kept.lengths.tolist() == [[2, 2, 1, 1, 2, 2], [1, 2, 2, 0, 0, 0]]
    assert kept.counts.tolist() == [6, 3]
    dropped = find_segments(labels, mask, blanks="drop")
    assert dropped.of_frame.tolist() == [[3, 3, 0, 0, 3, 1, 2, 2, 3, 3], [0, 3, 3, 1, 1, 3, 3, 3, 3, 3]]
    merged = find_segments(labels, mask, blanks="merge")
    assert merged.of_frame.tolist() == [[0, 0, 0, 0, 0, 1, 2, 2, 2, 2], [0, 0, 0, 1, 1, 3, 3, 3, 3, 3]]
    assert merged.starts.tolist() == [[0, 5, 6], [0, 3, 0]]
    limited = find_segments(labels, mask, blanks="drop", max_segments=2)
    assert limited.of_frame.tolist() == [[2, 2, 0, 0, 2, 1, 1, 1, 2, 2], [0, 2, 2, 1, 1, 2, 2, 2, 2, 2]]


def test_without_repeats_nothing_gets_shorter():
    labels = torch.arange(9)[None] % 3
    mask = torch.zeros(1, 9, dtype=torch.bool)
    segments = find_segments(labels, mask)
    frames = torch.randn(1, 9, D)
    assert segments.counts.tolist() == [9]
    for how in REPRESENTATIVES:
        torch.testing.assert_close(represent(frames, segments, how, torch.rand(1, 9) + 0.1), frames)


@pytest.mark.parametrize("blanks", BLANK_RULES)
@pytest.mark.parametrize("label", [0, 2], ids=["all blank", "one label"])
@pytest.mark.parametrize("length", [1, 6])
def test_one_label_is_one_segment(blanks, label, length):
    labels = torch.full((2, 7), label)
    mask = lengths_to_padding_mask(torch.tensor([length, 7]), 7)
    segments = find_segments(labels, mask, blanks=blanks)
    assert segments.counts.tolist() == [1, 1]
    assert segments.lengths.tolist() == [[length], [7]]
    frames = torch.randn(2, 7, D, dtype=torch.float64)
    mean = represent(frames, segments, "avg")
    torch.testing.assert_close(mean[0, 0], frames[0, :length].mean(dim=0))


@pytest.mark.parametrize("how", REPRESENTATIVES)
@pytest.mark.parametrize("blanks", BLANK_RULES)
def test_a_row_without_frames_has_a_segment_of_zeros(blanks, how):
    labels = torch.tensor([[1, 1, 2], [1, 1, 1]])
    mask = torch.tensor([[False] * 3, [True] * 3])
    segments = find_segments(labels, mask, blanks=blanks)
    assert segments.counts.tolist() == [2, 1]
    assert segments.lengths[1].tolist() == [0, 0]
    found = represent(torch.randn(2, 3, D), segments, how, torch.full((2, 3), 0.5))
    assert found[0].all()
    assert not found[1].any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("how", REPRESENTATIVES)
def test_half_precision_adds_up_in_full(dtype, how):
    """A plain sum of 3000 ones in half precision stops at 2048 or at 256."""
    frames = torch.ones(1, 3000, D, dtype=dtype)
    mask = torch.zeros(1, 3000, dtype=torch.bool)
    segments = find_segments(mask.long(), mask)
    found = represent(frames, segments, how, torch.full((1, 3000), 0.7, dtype=dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found, torch.ones(1, 1, D, dtype=dtype), rtol=0, atol=1e-3)


def test_gradients_reach_what_a_representative_is_made_of():
    labels = torch.tensor([[1, 1, 2, 0, 0]])
    mask = torch.tensor([[False] * 4 + [True]])
    segments = find_segments(labels, mask, blanks="drop")
    reached = {
        "first": [1, 0, 1, 0, 0],
        "avg": [1, 1, 1, 0, 0],
        "weighted": [1, 1, 1, 0, 0],
        "softmax": [1, 1, 1, 0, 0],
    }
    for how in REPRESENTATIVES:
        frames = torch.randn(1, 5, D, requires_grad=True)
        probs = torch.rand(1, 5, requires_grad=True)
        represent(frames, segments, how, probs)[:, 0].square().sum().backward(retain_graph=True)
        assert frames.grad[0, :2].abs().sum(dim=1).bool().long().tolist() == reached[how][:2]
        assert not frames.grad[0, 2:].any()
        frames.grad = None
        represent(frames, segments, how, probs).square().sum().backward()
        assert frames.grad[0].abs().sum(dim=1).bool().long().tolist() == reached[how]
        if how in ("weighted", "softmax"):
            assert probs.grad[0, :2].all()
            assert not probs.grad[0, 3:].any()


@pytest.mark.parametrize("how", ["weighted", "softmax"])
def test_weights_need_probabilities(how):
    segments = find_segments(torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, 3, dtype=torch.bool))
    with pytest.raises(ConfigError, match=f"`label_probs` must be there for the representative {how}"):
        represent(torch.randn(1, 3, D), segments, how)
