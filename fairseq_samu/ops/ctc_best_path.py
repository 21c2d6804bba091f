"""Best-path decoding of CTC."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class CtcPath:
    """The most probable path of an utterance, read as labels.

    Attributes:
        labels: (U,) int64 labels, without blanks and repeats.
        log_probs: (U,) float32 log-probability of each label at its most probable frame.
        starts: (U,) int64 first frame of each label.
        ends: (U,) int64 frame behind the last one of each label.
        score: log-probability of the whole path.
    """

    labels: Tensor
    log_probs: Tensor
    starts: Tensor
    ends: Tensor
    score: float


def find_best_paths(logits: Tensor, padding_mask: Tensor, blank: int) -> list[CtcPath]:
    """Take the most probable label of every frame, then merge repeats and leave out blanks.

    Source: section 3.2.1 of the CTC paper (Graves et al., 2006), best path decoding.

    Args:
        logits: (B, T, V) float.
        padding_mask: (B, T) bool, True = padding.
        blank: label that stands for none.

    Returns:
        One path a row.
    """
    log_probs, labels = torch.log_softmax(logits.float(), dim=-1).max(dim=-1)
    paths = []
    for row in range(logits.size(0)):
        valid = ~padding_mask[row]
        symbols, scores = labels[row][valid], log_probs[row][valid]
        merged, runs = torch.unique_consecutive(symbols, return_inverse=True)
        best = scores.new_full((len(merged),), -torch.inf).scatter_reduce(0, runs, scores, "amax")
        first = (torch.diff(runs, prepend=runs.new_full((1,), -1)) > 0).nonzero().squeeze(1)
        behind = torch.cat([first[1:], first.new_tensor([len(runs)])])
        kept = merged != blank
        score = float(scores.sum().detach())
        paths.append(CtcPath(merged[kept], best[kept], first[kept], behind[kept], score))
    return paths
