"""The least number of frames of CTC, against all alignments."""

import itertools

import torch

from fairseq_samu.ops.ctc_frames import count_least_frames

BLANK = 0


def collapse(path):
    """What a path writes: neighbours merged, blanks dropped."""
    return [label for label, _ in itertools.groupby(path) if label != BLANK]


def least_frames(labels):
    """The length of the shortest path that writes labels, by trying all."""
    lengths = range(2 * len(labels) + 1)
    return next(
        length
        for length in lengths
        if any(collapse(path) == labels for path in itertools.product(range(3), repeat=length))
    )


def test_every_short_sequence_against_all_paths():
    for length in range(5):
        for labels in itertools.product((1, 2), repeat=length):
            padded = torch.tensor([[*labels, *[2] * (5 - length)]])
            assert count_least_frames(padded, torch.tensor([length])).tolist() == [least_frames(list(labels))], labels


def test_by_hand():
    pieces = torch.tensor([[4, 4, 4], [4, 4, 4], [4, 5, 4], [2, 1, 1]])
    assert count_least_frames(pieces, torch.tensor([3, 2, 3, 0])).tolist() == [5, 3, 3, 0]
    assert count_least_frames(pieces[:, :1], torch.tensor([1, 1, 1, 0])).tolist() == [1, 1, 1, 0]
