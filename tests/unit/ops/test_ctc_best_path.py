import itertools

import torch

from fairseq_samu.ops.ctc_best_path import find_best_paths


def path_by_loop(logits, blank):
    """Labels, score, first frames and those behind the last of one row, frame by frame."""
    labels, starts, ends, score, last = [], [], [], 0.0, None
    for frame, row in enumerate(torch.log_softmax(logits, -1)):
        best = int(row.argmax())
        score += float(row[best])
        if best != last and best != blank:
            labels.append(best)
            starts.append(frame)
            ends.append(frame)
        if best != blank:
            ends[-1] = frame + 1
        last = best
    return labels, starts, ends, score


def test_equals_a_loop_on_padded_rows():
    torch.manual_seed(0)
    logits = torch.randn(20, 15, 4) * 2
    lengths = torch.randint(1, 16, (20,))
    mask = torch.arange(15)[None] >= lengths[:, None]
    for row, path in enumerate(find_best_paths(logits, mask, blank=0)):
        labels, starts, ends, score = path_by_loop(logits[row, : lengths[row]], 0)
        assert path.labels.tolist() == labels
        assert path.starts.tolist() == starts
        assert path.ends.tolist() == ends
        assert abs(path.score - score) < 1e-4


def test_all_short_paths():
    for symbols in itertools.product(range(3), repeat=4):
        logits = torch.nn.functional.one_hot(torch.tensor([symbols]), 3) * 9.0
        path = find_best_paths(logits, torch.zeros(1, 4, dtype=torch.bool), blank=0)[0]
        labels, starts, ends, _ = path_by_loop(logits[0], 0)
        assert (path.labels.tolist(), path.starts.tolist(), path.ends.tolist()) == (labels, starts, ends)


def test_a_labels_probability_is_that_of_its_surest_frame():
    probabilities = torch.tensor([[[0.1, 0.6, 0.3], [0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.2, 0.7, 0.1]]])
    path = find_best_paths(probabilities.log(), torch.zeros(1, 4, dtype=torch.bool), blank=0)[0]
    assert path.labels.tolist() == [1, 1]
    assert torch.allclose(path.log_probs.exp(), torch.tensor([0.8, 0.7]))


def test_nothing_but_blanks():
    logits = torch.tensor([[[5.0, 0.0], [5.0, 0.0]]])
    path = find_best_paths(logits, torch.zeros(1, 2, dtype=torch.bool), blank=0)[0]
    assert path.labels.tolist() == path.starts.tolist() == []
