"""Prefix beam search over what a CTC head gives, for many utterances at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Hashes = NDArray[np.uint64]


class LabelModel(Protocol):
    """A language model over labels, whose states are small integers."""

    def start(self) -> int:
        """State in front of the first label."""
        ...

    def scores(self, states: Integers) -> NDArray[np.floating[Any]]:
        """What each label adds behind (N,) states: (N, V) log-probabilities, in nats."""
        ...

    def advance(self, states: Integers, labels: Integers) -> Integers:
        """States (N,) behind (N,) labels that follow (N,) states."""
        ...

    def finish(self, states: Integers) -> Floats:
        """What the end adds behind (N,) states: (N,) log-probabilities, in nats."""
        ...


@dataclass(frozen=True)
class BeamOptions:
    """How wide the search is, and what beside CTC it goes by.

    Attributes:
        beam: prefixes that are kept after every frame.
        labels_per_frame: how many labels of a frame, the most probable, may extend a prefix; 0 for all.
        forbidden: labels that no hypothesis has.
        label_bonus: added for every label, in nats.
        model: language model, or None.
        model_weight: weight of its log-probabilities.
    """

    beam: int
    labels_per_frame: int = 0
    forbidden: tuple[int, ...] = ()
    label_bonus: float = 0.0
    model: LabelModel | None = None
    model_weight: float = 0.0


@dataclass(frozen=True)
class CtcHypothesis:
    """Labels that may have been said.

    Attributes:
        labels: (U,) int64, without blanks and repeats.
        log_prob: logarithm of the probability that CTC gives them, summed over their paths in the beam, in nats.
        score: what hypotheses are ordered by: that with bonus and language model.
    """

    labels: Integers
    log_prob: float
    score: float


def search_prefixes(
    log_probs: Floats, lengths: Sequence[int], blank: int, options: BeamOptions
) -> list[list[CtcHypothesis]]:
    """Find the most probable label sequences of utterances.

    Source: the prefix search of Hannun et al. (arXiv:1408.2873), algorithm 1, which sums the paths of a prefix that end
    in its last label apart from those that end in the blank. Deviations: all rows and prefixes of a frame are worked
    on together; the language model counts for every label, and its end for every hypothesis; prefixes are told apart by
    hashes of 64 bits. A row's result does not depend on the others.

    Args:
        log_probs: (B, T, V) log-probabilities; what stands behind a row's length does not matter.
        lengths: frames of each row.
        blank: label that stands for none.
        options: of the search.

    Returns:
        For each row its hypotheses, best first, at most ``options.beam``.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    search = _Search(np.asarray(log_probs, dtype=np.float64)[order], blank, options)
    ends = [lengths[row] for row in order]
    for frame in range(ends[0] if ends else 0):
        # rows are sorted, so that those that go on stand in front
        search.step(frame, sum(end > frame for end in ends))
    found: list[list[CtcHypothesis]] = [[] for _ in order]
    for place, row in enumerate(order):
        found[row] = search.hypotheses(place, ends[place])
    return found


class _Search:
    """The beams of all rows; arrays are (B, K), one place a prefix.

    ``ending_blank`` and ``ending_label`` are log-probabilities of the paths of a prefix by how they end; ``prior`` is
    what language model and bonus add. Where a beam is not full yet, all paths are impossible.
    """

    def __init__(self, log_probs: Floats, blank: int, options: BeamOptions) -> None:
        batch, frames, size = log_probs.shape
        self.log_probs, self.blank, self.options = log_probs, blank, options
        allowed = [label for label in range(size) if label != blank and label not in options.forbidden]
        self.allowed = np.array(allowed, dtype=np.int64)
        self.pruned = 0 < options.labels_per_frame < len(allowed)
        self.choices = options.labels_per_frame if self.pruned else len(allowed)
        shape = (batch, options.beam)
        self.ending_blank = np.full(shape, -np.inf)
        self.ending_blank[:, 0] = 0.0
        self.ending_label = np.full(shape, -np.inf)
        self.prior = np.zeros(shape)
        self.last = np.full(shape, blank, dtype=np.int64)
        self.hashes: Hashes = np.zeros(shape, dtype=np.uint64)
        self.parents: Hashes = np.full(shape, np.iinfo(np.uint64).max)  # of the empty prefix: none
        self.states = np.full(shape, options.model.start() if options.model else 0, dtype=np.int64)
        # where the prefix in each place came from, and the label that was appended there (blank for none)
        self.sources = np.zeros((frames, *shape), dtype=np.int32)
        self.labels = np.full((frames, *shape), blank, dtype=np.int32)

    def step(self, frame: int, rows: int) -> None:
        """Read one frame of the first ``rows`` rows."""
        scores = self.log_probs[:rows, frame]
        labels, place_of = self._choose_labels(scores)
        last = self.last[:rows]
        ending_blank, ending_label = self.ending_blank[:rows], self.ending_label[:rows]
        total = np.logaddexp(ending_blank, ending_label)
        stays_label = ending_label + np.take_along_axis(scores, last, 1)
        stays_blank = total + scores[:, self.blank, None]
        extended = total[:, :, None] + np.take_along_axis(scores, labels, 1)[:, None, :]
        row, prefix = np.nonzero(np.take_along_axis(place_of, last, 1) >= 0)
        place = place_of[row, last[row, prefix]]
        # the same label again is a new one only behind a blank
        extended[row, prefix, place] = ending_blank[row, prefix] + scores[row, last[row, prefix]]
        self._merge(rows, place_of, extended, stays_label)
        prior = np.broadcast_to(self.prior[:rows, :, None], extended.shape)
        if self.options.model is not None or self.options.label_bonus:
            prior = prior + self._gains(rows, labels)
        self._keep_best(frame, rows, labels, (stays_blank, stays_label, extended, prior))

    def _choose_labels(self, scores: Floats) -> tuple[Integers, Integers]:
        """Labels (R, M) that may extend prefixes, and the place (R, V) of each label among them, -1 for none."""
        rows, size = scores.shape
        labels = np.broadcast_to(self.allowed, (rows, len(self.allowed)))
        if self.pruned:
            best = np.argpartition(-scores[:, self.allowed], self.choices - 1, axis=1)[:, : self.choices]
            labels = self.allowed[np.sort(best, axis=1)]
        place_of = np.full((rows, size), -1, dtype=np.int64)
        np.put_along_axis(place_of, labels, np.arange(self.choices)[None, :], 1)
        return labels, place_of

    def _merge(self, rows: int, place_of: Integers, extended: Floats, stays_label: Floats) -> None:
        """Add the paths that extend one prefix to another that is in the beam, to those of the other."""
        alive = np.isfinite(self.ending_blank[:rows]) | np.isfinite(self.ending_label[:rows])
        same = self.hashes[:rows, :, None] == self.parents[:rows, None, :]
        row, parent, child = np.nonzero(same & alive[:, :, None] & alive[:, None, :])
        place = place_of[row, self.last[row, child]]
        row, parent, child, place = (x[place >= 0] for x in (row, parent, child, place))
        stays_label[row, child] = np.logaddexp(stays_label[row, child], extended[row, parent, place])
        extended[row, parent, place] = -np.inf

    def _gains(self, rows: int, labels: Integers) -> Floats:
        """What language model and bonus add to (R, K) prefixes for (R, M) labels: (R, K, M)."""
        beam, model = self.options.beam, self.options.model
        gains = np.full((rows, beam, labels.shape[1]), self.options.label_bonus)
        if model is not None:
            table = model.scores(self.states[:rows].ravel()).reshape(rows, beam, -1)
            gains += self.options.model_weight * np.take_along_axis(table, labels[:, None, :], 2)
        return gains

    def _keep_best(
        self, frame: int, rows: int, labels: Integers, candidates: tuple[Floats, Floats, Floats, Floats]
    ) -> None:
        """Fill the beams with the best of the prefixes that stay and those that are new."""
        stays_blank, stays_label, extended, prior = candidates
        beam = self.options.beam
        staying = np.logaddexp(stays_blank, stays_label) + self.prior[:rows]
        scores = np.concatenate([staying, (extended + prior).reshape(rows, -1)], axis=1)
        best = np.sort(np.argpartition(-scores, beam - 1, axis=1)[:, :beam], axis=1)
        is_new = best >= beam
        source, choice = np.divmod(np.where(is_new, best - beam, 0), labels.shape[1])
        source = np.where(is_new, source, best)
        row = np.arange(rows)[:, None]
        label = np.where(is_new, labels[row, choice], self.blank)
        self.sources[frame, :rows], self.labels[frame, :rows] = source, label
        self.ending_blank[:rows] = np.where(is_new, -np.inf, stays_blank[row, source])
        self.ending_label[:rows] = np.where(is_new, extended[row, source, choice], stays_label[row, source])
        self.prior[:rows] = np.where(is_new, prior[row, source, choice], self.prior[row, source])
        before = self.hashes[row, source]
        self.parents[:rows] = np.where(is_new, before, self.parents[row, source])
        self.hashes[:rows] = np.where(is_new, _extend_hashes(before, label), before)
        self.last[:rows] = np.where(is_new, label, self.last[row, source])
        states = self.states[row, source]
        if self.options.model is not None:
            states[is_new] = self.options.model.advance(states[is_new], label[is_new])
        self.states[:rows] = states

    def hypotheses(self, row: int, end: int) -> list[CtcHypothesis]:
        """Read a row's prefixes off, best first."""
        totals = np.logaddexp(self.ending_blank[row], self.ending_label[row])
        scores = totals + self.prior[row]
        if self.options.model is not None:
            scores = scores + self.options.model_weight * self.options.model.finish(self.states[row])
        places = [place for place in np.argsort(-scores, kind="stable") if np.isfinite(totals[place])]
        return [
            CtcHypothesis(self._trace(row, place, end), float(totals[place]), float(scores[place])) for place in places
        ]

    def _trace(self, row: int, place: int, end: int) -> Integers:
        """Follow a prefix back to its first label."""
        labels = []
        for frame in range(end - 1, -1, -1):
            label = self.labels[frame, row, place]
            place = self.sources[frame, row, place]
            if label != self.blank:
                labels.append(int(label))
        return np.array(labels[::-1], dtype=np.int64)


def _extend_hashes(hashes: Hashes, labels: Integers) -> Hashes:
    """Hash prefixes with a label behind them, well mixed: the chance that two of a million collide is below 1e-7."""
    mixed = hashes + (labels + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed
