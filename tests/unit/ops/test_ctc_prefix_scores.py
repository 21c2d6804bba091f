"""Prefix scores of CTC against a sum over all paths, and against the textbook's loop over frames."""

import itertools
import math

import pytest
import torch

from fairseq_samu.ops.ctc_prefix_scores import FLOOR, extend_prefixes, read_frames, score_next_labels, start_prefixes

END = 1


def draw(rows, frames, size, seed=0, sharpness=2.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, frames, size, generator=generator, dtype=torch.float64) * sharpness


def unpadded(logits):
    return torch.zeros(logits.shape[:2], dtype=torch.bool)


def sum_all_paths(log_probs, blank):
    """Probability of every text, path by path."""
    sums = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        text = tuple(label for label, _ in itertools.groupby(path) if label != blank)
        sums[text] = sums.get(text, 0.0) + math.exp(sum(log_probs[t, label] for t, label in enumerate(path)))
    return sums


def score_by_the_textbook(log_probs, prefix, label, blank, end):
    """Algorithm 2 of Watanabe et al. (2017) in probabilities, frame after frame; a prefix is written from nothing."""
    probs, frames = log_probs.exp().tolist(), len(log_probs)
    ending_label, ending_blank = [0.0] * (frames + 1), [1.0] * (frames + 1)
    for t in range(frames):
        ending_blank[t + 1] = ending_blank[t] * probs[t][blank]
    total, last = 1.0, None
    for one in [*prefix, label]:
        if one == end:
            return ending_label[frames] + ending_blank[frames]
        new_label, new_blank, total = [0.0] * (frames + 1), [0.0] * (frames + 1), 0.0
        for t in range(frames):
            entering = ending_blank[t] + (0.0 if one == last else ending_label[t])
            new_label[t + 1] = (new_label[t] + entering) * probs[t][one]
            new_blank[t + 1] = (new_blank[t] + new_label[t]) * probs[t][blank]
            total += entering * probs[t][one]
        ending_label, ending_blank, last = new_label, new_blank, one
    return total


def walk(frames, texts, end=END):
    """Scores (R, V) behind texts (R, U), each written label after label, one prefix an utterance or several."""
    prefixes = start_prefixes(frames, len(texts) // len(frames.shares))
    for labels in torch.tensor(texts).T:
        prefixes = extend_prefixes(frames, prefixes, labels)
    return score_next_labels(frames, prefixes, end), prefixes


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("seed", range(6))
def test_scores_are_those_of_all_paths(blank, seed):
    logits = draw(1, 1 + seed % 5, 4, seed)
    texts = sum_all_paths(logits[0].log_softmax(-1), blank)
    frames = read_frames(logits, unpadded(logits), blank)
    begins = {}
    for text, probability in texts.items():
        for length in range(len(text) + 1):
            begins[text[:length]] = begins.get(text[:length], 0.0) + probability
    labels = [label for label in range(4) if label not in (blank, END)]
    compared = 0
    for prefix in begins:
        if END in prefix:
            continue
        scores, prefixes = walk(frames, [prefix])
        assert math.exp(prefixes.log_probs[0]) == pytest.approx(begins[prefix])
        expected = {label: begins.get((*prefix, label), 0.0) / begins[prefix] for label in labels}
        expected[END] = texts.get(prefix, 0.0) / begins[prefix]
        assert {label: math.exp(scores[0, label]) for label in expected} == pytest.approx(expected)
        assert scores[0, blank] == -math.inf
        compared += len(expected)
    assert compared >= 3 * (1 + seed % 5)


def test_by_hand():
    """Two frames, blank .5 and label .5 in each: the label is said with 3/4, and never twice."""
    logits = torch.zeros(1, 2, 3, dtype=torch.float64)
    logits[:, :, END] = -torch.inf
    frames = read_frames(logits, unpadded(logits), 0)
    scores, _ = walk(frames, [[]])
    assert scores[0].exp().tolist() == pytest.approx([0.0, 0.25, 0.75])
    scores, prefixes = walk(frames, [[2]])
    assert scores[0].exp().tolist() == pytest.approx([0.0, 1.0, 0.0])
    assert scores[0, 2] == FLOOR
    assert prefixes.log_probs.exp().tolist() == pytest.approx([0.75])


def test_labels_and_end_share_all_there_is():
    logits = draw(2, 30, 9, seed=3)
    logits[:, :, END] = -torch.inf
    frames = read_frames(logits, unpadded(logits), 0)
    for texts in ([[], []], [[3], [3]], [[4, 4, 2], [2, 3, 4]], [[5, 6, 7, 8, 8], [2, 2, 2, 2, 2]]):
        scores, _ = walk(frames, texts)
        assert scores.exp().sum(dim=1).tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_many_prefixes_of_padded_utterances_are_those_of_the_textbook(dtype):
    logits, lengths, beam = draw(3, 40, 12, seed=4, sharpness=3.0), [40, 1, 17], 3
    mask = torch.arange(40)[None, :] >= torch.tensor(lengths)[:, None]
    padded = torch.where(mask[:, :, None], torch.full((), 1e4, dtype=torch.float64), logits).to(dtype)
    texts = torch.randint(2, 12, (9, 4), generator=torch.Generator().manual_seed(1)).tolist()
    texts[0], texts[1] = [5, 5, 5, 2], [2, 2, 3, 3]
    frames = read_frames(padded, mask, 0)
    for length in range(5):
        scores, prefixes = walk(frames, [text[:length] for text in texts])
        assert scores.dtype == dtype
        for row, text in enumerate(texts):
            utterance = row // beam
            own = logits[utterance, : lengths[utterance]].log_softmax(-1)
            before = score_by_the_textbook(own, text[: max(length - 1, 0)], text[length - 1], 0, END) if length else 1.0
            assert math.exp(prefixes.log_probs[row]) == pytest.approx(before, rel=1e-4)
            if before == 0.0:
                assert (scores[row, 1:] == FLOOR).all()
                continue
            for label in range(1, 12):
                expected = score_by_the_textbook(own, text[:length], label, 0, END) / before
                assert math.exp(scores[row, label]) == pytest.approx(
                    expected, rel=1e-9 if dtype == torch.float64 else 1e-4
                )


def test_hypotheses_change_places_and_utterances_leave():
    logits = draw(3, 20, 8, seed=5)
    frames = read_frames(logits, unpadded(logits), 0)
    _, prefixes = walk(frames, [[2, 3], [4, 4], [5, 6], [2, 7], [3, 3], [6, 2]])
    order = torch.tensor([1, 1, 5, 4])
    moved, left = prefixes.select(order), frames.select(torch.tensor([0, 2]))
    moved = extend_prefixes(left, moved, torch.tensor([4, 2, 3, 3]))
    alone, _ = walk(frames, [[4, 4, 4], [4, 4, 2], [7, 7, 7], [7, 7, 7], [6, 2, 3], [3, 3, 3]])
    torch.testing.assert_close(score_next_labels(left, moved, END), alone[[0, 1, 4, 5]])


def test_a_batch_is_its_rows_alone_to_the_last_digits():
    logits, lengths = draw(4, 50, 30, seed=6, sharpness=4.0), [50, 33, 2, 49]
    mask = torch.arange(50)[None, :] >= torch.tensor(lengths)[:, None]
    texts = [[3, 4, 4], [9, 2, 11], [5, 5, 6], [29, 28, 29]]
    together, _ = walk(read_frames(logits, mask, 0), texts)
    for row, length in enumerate(lengths):
        own = logits[row : row + 1, :length]
        alone, _ = walk(read_frames(own, unpadded(own), 0), [texts[row]])
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    logits = draw(2, 25, 10, seed=7).to(dtype)
    scores, _ = walk(read_frames(logits, unpadded(logits), 0), [[2, 2, 3], [4, 5, 4]])
    wide, _ = walk(read_frames(logits.double(), unpadded(logits), 0), [[2, 2, 3], [4, 5, 4]])
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores.double(), wide, rtol=1e-4, atol=1e-4)


def test_a_long_utterance_that_is_sure_of_itself():
    """1500 frames, the right label about e^60 times as probable as any other: nothing overflows or gets lost."""
    generator = torch.Generator().manual_seed(8)
    said = torch.randint(2, 20, (60,), generator=generator)
    path = torch.zeros(1500, dtype=torch.int64)
    path[torch.arange(60) * 25 + 3] = said
    logits = torch.randn(1, 1500, 20, generator=generator)
    logits[0, torch.arange(1500), path] += 60.0
    frames = read_frames(logits, unpadded(logits), 0)
    prefixes, total = start_prefixes(frames, 1), 0.0
    for label in said:
        scores = score_next_labels(frames, prefixes, END)
        assert int(scores[0].argmax()) == int(label)
        assert scores.isfinite().sum() == 19
        total += float(scores[0, label])
        prefixes = extend_prefixes(frames, prefixes, label[None])
    scores = score_next_labels(frames, prefixes, END)
    assert int(scores[0].argmax()) == END
    loss = torch.nn.functional.ctc_loss(
        logits[0].double().log_softmax(-1)[:, None], said[None], torch.tensor([1500]), torch.tensor([60])
    )
    assert -(total + float(scores[0, END])) == pytest.approx(60 * float(loss), rel=1e-3, abs=1e-4)


def test_what_cannot_be_said_keeps_finite_scores():
    logits = draw(1, 2, 5)
    scores, prefixes = walk(read_frames(logits, unpadded(logits), 0), [[2, 3, 4, 2]])
    assert prefixes.log_probs[0] == -math.inf
    assert scores[0].tolist() == [-math.inf, *[FLOOR] * 4]
