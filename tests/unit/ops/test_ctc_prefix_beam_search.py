"""Prefix beam search against a sum over all paths, with and without a language model."""

import itertools

import numpy as np
import pytest

from fairseq_samu.ops.ctc_prefix_beam_search import BeamOptions, search_prefixes

WIDE = 400  # holds every prefix of the tiny cases


def draw(rng, frames, size, sharpness=2.0):
    logits = rng.normal(size=(frames, size)) * sharpness
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def sum_all_paths(log_probs, blank=0):
    """Probability of every label sequence, path by path."""
    sums = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        labels = tuple(label for label, _ in itertools.groupby(path) if label != blank)
        probability = np.exp(sum(log_probs[frame, label] for frame, label in enumerate(path)))
        sums[labels] = sums.get(labels, 0.0) + probability
    return sums


class Bigrams:
    """A language model of random bigrams; states are labels, the start is behind the last of them."""

    def __init__(self, size, seed=5):
        self.table = np.log(np.random.default_rng(seed).dirichlet(np.ones(size + 1), size + 1))
        self.size = size

    def start(self):
        return self.size

    def scores(self, states):
        return self.table[states, : self.size]

    def advance(self, states, labels):
        return labels

    def finish(self, states):
        return self.table[states, self.size]

    def of(self, labels):
        states = [self.size, *labels]
        return sum(self.table[pair] for pair in itertools.pairwise([*states, self.size]))


@pytest.mark.parametrize("blank", [0, 1])
def test_a_wide_beam_finds_every_sequence_with_its_probability(blank):
    rng = np.random.default_rng(0)
    for _ in range(25):
        frames, size = int(rng.integers(1, 6)), int(rng.integers(2, 5))
        log_probs = draw(rng, frames, size)
        (found,) = search_prefixes(log_probs[None], [frames], blank, BeamOptions(WIDE))
        expected = sum_all_paths(log_probs, blank)
        assert {tuple(one.labels): np.exp(one.log_prob) for one in found} == pytest.approx(expected)
        assert tuple(found[0].labels) == max(expected, key=expected.__getitem__)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_language_model_end_and_bonus_count():
    rng = np.random.default_rng(1)
    for _ in range(15):
        frames, size = int(rng.integers(1, 6)), int(rng.integers(2, 5))
        log_probs, model = draw(rng, frames, size), Bigrams(size)
        options = BeamOptions(WIDE, label_bonus=0.7, model=model, model_weight=1.3)
        (found,) = search_prefixes(log_probs[None], [frames], 0, options)
        expected = {
            labels: np.log(probability) + 1.3 * model.of(labels) + 0.7 * len(labels)
            for labels, probability in sum_all_paths(log_probs).items()
        }
        assert {tuple(one.labels): one.score for one in found} == pytest.approx(expected)
        assert tuple(found[0].labels) == max(expected, key=expected.__getitem__)


def test_the_sum_of_paths_beats_the_best_path():
    """By hand: blank, blank is the best path (.36), but the label has .4 * .4 + 2 * .4 * .6 = .64 in all."""
    log_probs = np.log([[[0.6, 0.4], [0.6, 0.4]]])
    best, other = search_prefixes(log_probs, [2], 0, BeamOptions(2))[0]
    assert (best.labels.tolist(), other.labels.tolist()) == ([1], [])
    assert np.exp([best.log_prob, other.log_prob]) == pytest.approx([0.64, 0.36])


def test_a_repeated_label_needs_a_blank_between():
    sure = np.log(np.array([[1e-9, 1.0], [1.0, 1e-9], [1e-9, 1.0]]))
    assert search_prefixes(sure[None], [3], 0, BeamOptions(4))[0][0].labels.tolist() == [1, 1]
    assert search_prefixes(sure[None, ::2], [2], 0, BeamOptions(4))[0][0].labels.tolist() == [1]


@pytest.mark.parametrize("model", [None, Bigrams(7)])
@pytest.mark.parametrize("labels_per_frame", [0, 3])
def test_padded_rows_equal_each_alone(model, labels_per_frame):
    rng = np.random.default_rng(2)
    lengths = [4, 11, 1, 11, 7]
    options = BeamOptions(5, labels_per_frame=labels_per_frame, label_bonus=0.1, model=model, model_weight=0.5)
    batch = np.stack([draw(rng, 11, 7) for _ in lengths])
    for row, length in enumerate(lengths):
        batch[row, length:] = np.nan  # whatever stands in the padding
    together = search_prefixes(batch, lengths, 0, options)
    for row, length in enumerate(lengths):
        (alone,) = search_prefixes(batch[row : row + 1, :length], [length], 0, options)
        assert [one.labels.tolist() for one in alone] == [one.labels.tolist() for one in together[row]]
        assert [one.score for one in alone] == [one.score for one in together[row]]


def prefix_search_by_loop(log_probs, beam, blank=0):
    """Algorithm 1 of arXiv:1408.2873 with dictionaries, without a language model."""
    beams = {(): (1.0, 0.0)}
    for frame in np.exp(log_probs):
        grown = {}
        for prefix, (ends_blank, ends_label) in beams.items():
            total = ends_blank + ends_label
            for label, probability in enumerate(frame):
                if label == blank:
                    ways = [(prefix, total * probability, 0.0)]
                elif prefix and prefix[-1] == label:
                    ways = [(prefix, 0.0, ends_label * probability)]
                    ways += [((*prefix, label), 0.0, ends_blank * probability)]
                else:
                    ways = [((*prefix, label), 0.0, total * probability)]
                for name, of_blank, of_label in ways:
                    known = grown.get(name, (0.0, 0.0))
                    grown[name] = (known[0] + of_blank, known[1] + of_label)
        beams = dict(sorted(grown.items(), key=lambda item: -sum(item[1]))[:beam])
    return {prefix: sum(parts) for prefix, parts in beams.items() if sum(parts) > 0}


@pytest.mark.parametrize("beam", [1, 2, 3, 8])
def test_a_narrow_beam_equals_dictionaries(beam):
    """Prefixes that fall out of the beam come back here, and must be told to be the same."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        log_probs = draw(rng, 12, 4, sharpness=1.0)
        (found,) = search_prefixes(log_probs[None], [12], 0, BeamOptions(beam))
        expected = prefix_search_by_loop(log_probs, beam)
        assert {tuple(one.labels): np.exp(one.log_prob) for one in found} == pytest.approx(expected)


def test_only_the_most_probable_labels_of_a_frame_are_tried():
    probabilities = np.array([[0.1, 0.2, 0.3, 0.4]])
    (found,) = search_prefixes(np.log(probabilities)[None], [1], 0, BeamOptions(10, labels_per_frame=2))
    assert [one.labels.tolist() for one in found] == [[3], [2], []]
    options = BeamOptions(10, labels_per_frame=2, forbidden=(3,))
    (found,) = search_prefixes(np.log(probabilities)[None], [1], 0, options)
    assert [one.labels.tolist() for one in found] == [[2], [1], []]


def test_many_frames_and_none():
    rng = np.random.default_rng(4)
    log_probs = draw(rng, 3000, 6, sharpness=6.0)
    (found,) = search_prefixes(log_probs[None], [3000], 0, BeamOptions(3))
    assert np.isfinite(found[0].log_prob)
    assert len(found) == 3
    (found,) = search_prefixes(log_probs[None], [0], 0, BeamOptions(3))
    assert [(one.labels.tolist(), one.log_prob) for one in found] == [([], 0.0)]
    assert search_prefixes(np.zeros((0, 5, 3)), [], 0, BeamOptions(3)) == []
