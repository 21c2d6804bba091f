"""The best path of given labels against all paths, frame by frame."""

import itertools

import numpy as np
import torch

from fairseq_samu.ops.ctc_alignment import align_labels
from fairseq_samu.ops.ctc_best_path import find_best_paths


def draw(rng, frames, size):
    logits = rng.normal(size=(frames, size)) * 2
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def align_by_enumeration(log_probs, labels, blank=0):
    """First and behind-last frames on the best of all paths that read as the labels."""
    best, found = -np.inf, None
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        runs = [(label, len([*frames])) for label, frames in itertools.groupby(path)]
        if [label for label, _ in runs if label != blank] != labels:
            continue
        score = sum(log_probs[frame, label] for frame, label in enumerate(path))
        if score > best:
            ends = np.cumsum([length for _, length in runs])
            spans = [(end - length, end) for (label, length), end in zip(runs, ends, strict=True) if label != blank]
            best, found = score, ([start for start, _ in spans], [end for _, end in spans])
    return found


def test_equals_the_best_of_all_paths_on_padded_rows():
    rng = np.random.default_rng(0)
    frames, size = 6, 3
    wanted = [[1], [1, 1], [2, 1, 2], [], [1, 2, 1], [2, 2, 1]]
    lengths = [4, 3, 3, 2, 6, 5]
    batch = np.stack([draw(rng, frames, size) for _ in wanted])
    for row, length in enumerate(lengths):
        batch[row, length:] = np.nan
    found = align_labels(batch, lengths, [np.array(labels, dtype=np.int64) for labels in wanted], 0)
    for row, (starts, ends) in enumerate(found):
        expected = align_by_enumeration(batch[row, : lengths[row]], wanted[row])
        assert (starts.tolist(), ends.tolist()) == expected


def test_labels_of_the_best_path_stand_where_it_has_them():
    rng = np.random.default_rng(1)
    log_probs = np.stack([draw(rng, 30, 5) for _ in range(8)])
    lengths = rng.integers(1, 31, size=8)
    mask = torch.arange(30)[None] >= torch.from_numpy(lengths)[:, None]
    paths = find_best_paths(torch.from_numpy(log_probs), mask, blank=0)
    found = align_labels(log_probs, lengths.tolist(), [path.labels.numpy() for path in paths], 0)
    for path, (starts, ends) in zip(paths, found, strict=True):
        assert starts.tolist() == path.starts.tolist()
        assert ends.tolist() == path.ends.tolist()


def test_no_rows():
    assert align_labels(np.zeros((0, 4, 3)), [], [], 0) == []
