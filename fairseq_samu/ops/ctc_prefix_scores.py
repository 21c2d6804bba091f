"""How probable CTC finds texts that begin with given labels: what it adds to a search that writes label after label."""

from dataclasses import dataclass

import torch
from torch import Tensor

FLOOR = -1000.0
"""Least score, in nats, of a label that could follow: finite, so that a search never runs out of hypotheses."""

# Least logarithm of a label's share in a frame of its best one: far below what sums notice, and no denormal number.
_RAREST = {torch.float32: -80.0, torch.float64: -700.0}


@dataclass(frozen=True)
class CtcFrames:
    """What a CTC head says about utterances.

    A label's probabilities are divided by the greatest that it has in its row, so that float32 holds rare labels too.

    Attributes:
        blank: label that stands for none.
        shares: (B, T, V) float, those quotients; 0 at padding.
        peaks: (B, V) float, logarithms of the divisors.
        blanks: (B, T) float64 log-probabilities of the blank; 0 at padding, which is blank for certain.
        padding_mask: (B, T) bool, True = padding.
    """

    blank: int
    shares: Tensor
    peaks: Tensor
    blanks: Tensor
    padding_mask: Tensor

    def select(self, utterances: Tensor) -> "CtcFrames":
        """Keep the utterances of ``utterances`` (B',) int64, in that order."""
        parts = (self.shares, self.peaks, self.blanks, self.padding_mask)
        return CtcFrames(self.blank, *(part.index_select(0, utterances) for part in parts))

    def log_probs(self, labels: Tensor) -> Tensor:
        """Log-probabilities (R, T) float64 of a label (R,) for each prefix; at padding they mean nothing."""
        rows, frames, _ = self.shares.shape
        places = labels.view(rows, -1)
        shares = self.shares.gather(2, places[:, None, :].expand(-1, frames, -1)).transpose(1, 2)  # (B, beam, T)
        log_shares = shares.double().log().clamp(min=_RAREST[shares.dtype])
        return (log_shares + self.peaks.gather(1, places)[:, :, None]).flatten(0, 1)


@dataclass(frozen=True)
class CtcPrefixes:
    """Prefixes of texts, R = B x beam, those of an utterance side by side.

    Column t of a table is about the paths over the first t frames, so that there are T + 1.

    Attributes:
        ending_label: (R, T + 1) float64 log-probabilities of paths that write the prefix and end in its last label.
        ending_blank: (R, T + 1) likewise, of those that end in the blank.
        last: (R,) int64 last label; the blank for the empty prefix.
        log_probs: (R,) float64 log-probability of all texts that begin with the prefix.
    """

    ending_label: Tensor
    ending_blank: Tensor
    last: Tensor
    log_probs: Tensor

    def select(self, order: Tensor) -> "CtcPrefixes":
        """Keep the prefixes of ``order`` (R',) int64, in that order."""
        parts = (self.ending_label, self.ending_blank, self.last, self.log_probs)
        return CtcPrefixes(*(part.index_select(0, order) for part in parts))

    def paths(self) -> Tensor:
        """Log-probabilities (R, T + 1) of all paths that write the prefix, however they end."""
        return torch.logaddexp(self.ending_label, self.ending_blank)


def read_frames(logits: Tensor, padding_mask: Tensor, blank: int) -> CtcFrames:
    """Prepare what a CTC head gives.

    Args:
        logits: (B, T, V) float; half precision is computed in float32.
        padding_mask: (B, T) bool, True = padding, at the end of rows.
        blank: label that stands for none.

    Returns:
        What the other functions take.
    """
    log_probs = torch.log_softmax(logits, -1, dtype=torch.promote_types(logits.dtype, torch.float32))
    padded = padding_mask[:, :, None]
    peaks = log_probs.masked_fill(padded, -torch.inf).amax(dim=1).clamp(min=FLOOR)
    shares = (log_probs - peaks[:, None, :]).clamp_(_RAREST[log_probs.dtype], 0.0).exp_().masked_fill_(padded, 0.0)
    blanks = log_probs[:, :, blank].double().masked_fill(padding_mask, 0.0)
    return CtcFrames(blank, shares, peaks, blanks, padding_mask)


def start_prefixes(frames: CtcFrames, beam: int) -> CtcPrefixes:
    """The empty prefix, ``beam`` times for every utterance."""
    blanks = frames.blanks.repeat_interleave(beam, dim=0)
    ending_blank = torch.cat([blanks.new_zeros(len(blanks), 1), blanks.cumsum(dim=1)], dim=1)
    last = torch.full((len(blanks),), frames.blank, dtype=torch.int64, device=blanks.device)
    return CtcPrefixes(torch.full_like(ending_blank, -torch.inf), ending_blank, last, blanks.new_zeros(len(blanks)))


def extend_prefixes(frames: CtcFrames, prefixes: CtcPrefixes, labels: Tensor) -> CtcPrefixes:
    """Write one label more.

    Source: algorithm 2 of Watanabe et al. (2017, doi:10.1109/JSTSP.2017.2763455). Deviation: its loop over frames is a
    linear recurrence, which cumulative sums solve for all frames and prefixes at once.

    Args:
        frames: of the utterances.
        prefixes: R of them.
        labels: (R,) int64, one for each.

    Returns:
        The longer prefixes.
    """
    padded = _repeat(frames.padding_mask, len(labels))
    log_probs = frames.log_probs(labels).masked_fill(padded, 0.0)
    # the same label again is a new one only behind a blank
    repeats = (labels == prefixes.last)[:, None]
    before = torch.where(repeats, prefixes.ending_blank, prefixes.paths())[:, :-1]
    ending_label = _prepend(_recur(before, log_probs).masked_fill(padded, -torch.inf))
    ending_blank = _prepend(_recur(ending_label[:, :-1], _repeat(frames.blanks, len(labels))))
    total = (before + log_probs).masked_fill(padded, -torch.inf).logsumexp(dim=1)
    return CtcPrefixes(ending_label, ending_blank, labels, total)


def score_next_labels(frames: CtcFrames, prefixes: CtcPrefixes, end: int) -> Tensor:
    """What every label adds behind a prefix, by CTC.

    Source: Eq. 10 of Hori et al. (ACL 2017, P17-1048). Deviation: all labels are scored, by one matrix product, instead
    of those that attention prefers.

    Args:
        frames: of the utterances.
        prefixes: R of them.
        end: id of the end symbol, whose score is that of the text being whole.

    Returns:
        (R, V) float32 (float64 for float64 logits) ``log p(texts that begin with prefix and label) - log p(those that
        begin with prefix)``, in nats, ``FLOOR`` at least; -inf for the blank, which is no label. Exponentials of all
        labels and the end sum up to one, where ``end`` is never a label of CTC.
    """
    paths = prefixes.paths()
    before = paths[:, :-1].masked_fill(_repeat(frames.padding_mask, len(paths)), -torch.inf)
    top = before.amax(dim=1, keepdim=True).clamp(min=-torch.finfo(torch.float64).max)
    weights = (before - top).exp().to(frames.shares.dtype)
    rows, _, size = frames.shares.shape
    sums = torch.bmm(weights.view(rows, -1, weights.size(1)), frames.shares).view(-1, size)
    gained = (top.squeeze(1) - prefixes.log_probs).to(sums.dtype)
    scores = sums.log() + _repeat(frames.peaks, len(sums)) + gained[:, None]
    scores.scatter_(1, prefixes.last[:, None], _score_repeats(frames, prefixes)[:, None].to(sums.dtype))
    scores[:, end] = (paths[:, -1] - prefixes.log_probs).to(sums.dtype)
    scores = scores.nan_to_num(nan=FLOOR, neginf=FLOOR).clamp(min=FLOOR)
    scores[:, frames.blank] = -torch.inf
    return scores


def _score_repeats(frames: CtcFrames, prefixes: CtcPrefixes) -> Tensor:
    """What the last label adds to each prefix (R,) when it is said once more."""
    found = prefixes.ending_blank[:, :-1] + frames.log_probs(prefixes.last)
    padded = _repeat(frames.padding_mask, len(found))
    return found.masked_fill(padded, -torch.inf).logsumexp(dim=1) - prefixes.log_probs


def _recur(entering: Tensor, log_probs: Tensor) -> Tensor:
    """Solve ``x[t] = log_probs[t] + logaddexp(x[t - 1], entering[t])`` with nothing before, both (R, T)."""
    so_far = log_probs.cumsum(dim=1)
    return so_far + (entering - (so_far - log_probs)).logcumsumexp(dim=1)


def _prepend(table: Tensor) -> Tensor:
    """Put a column of impossible paths, over no frames, in front of (R, T)."""
    return torch.cat([table.new_full((len(table), 1), -torch.inf), table], dim=1)


def _repeat(per_utterance: Tensor, rows: int) -> Tensor:
    """Repeat (B, ...) for the hypotheses side by side: (R, ...)."""
    return per_utterance.repeat_interleave(rows // len(per_utterance), dim=0)
