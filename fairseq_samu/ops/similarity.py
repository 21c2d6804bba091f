"""Cosine similarity, and the contrastive loss and nearest-neighbour test that stand on it."""

import torch
from torch import Tensor
from torch.nn import functional


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the angle between paired rows, computed in float32 or wider.

    Args:
        a: (B, D) vectors of any length but zero.
        b: (B, D).

    Returns:
        (B,) values in [-1, 1], float32 (float64 where both inputs are float64).
    """
    return (unit_rows(a) * unit_rows(b)).sum(dim=-1)


def unit_rows(vectors: Tensor) -> Tensor:
    """Rows scaled to length 1, in float32 or wider.

    Args:
        vectors: (..., D); a row of zeros stays zero.

    Returns:
        (..., D) float32 (float64 where the input is float64).
    """
    wide = vectors if vectors.dtype == torch.float64 else vectors.float()
    return functional.normalize(wide, dim=-1)


def contrastive_loss(
    queries: Tensor, targets: Tensor, temperature: float, symmetric: bool = True, alike: Tensor | None = None
) -> Tensor:
    """InfoNCE within a batch (Eq. 1 of arXiv:1807.03748).

    Rows whose targets are the same vector are no negatives of each other: a batch may hold one sentence twice. A row
    whose target is zero has nothing to be compared with: its loss is 0, and it is nobody's negative.

    Args:
        queries: (B, D).
        targets: (B, D).
        temperature: divisor of the cosines, positive.
        symmetric: average both directions, target among targets and query among queries; else the first alone.
        alike: (B, B) bool, further pairs of rows that are no negatives of each other, where vectors do not tell.

    Returns:
        (B,) losses of float32 or wider, one a row.
    """
    q, z = unit_rows(queries), unit_rows(targets)
    logits = q @ z.t() / temperature
    empty = ~z.any(dim=1)
    excluded = (z @ z.t() > 1 - 1e-6) | empty[:, None] | empty[None, :]
    excluded = excluded if alike is None else excluded | alike
    excluded = excluded & ~torch.eye(len(z), dtype=torch.bool, device=z.device)
    logits = logits.masked_fill(excluded, float("-inf"))
    labels = torch.arange(len(q), device=q.device)
    losses = functional.cross_entropy(logits, labels, reduction="none")
    if symmetric:
        losses = (losses + functional.cross_entropy(logits.t(), labels, reduction="none")) / 2
    return losses.masked_fill(empty, 0.0)


def is_nearest(queries: Tensor, candidates: Tensor, match: Tensor, allowed: Tensor | None = None) -> Tensor:
    """Whether the matching candidate is strictly nearer than all others; ties count against the model.

    Args:
        queries: (B, D).
        candidates: (C, D).
        match: (B,) int64 index of the right candidate of each query.
        allowed: (B, C) bool, candidates that compete; None = all.

    Returns:
        (B,) bool.
    """
    scores = unit_rows(queries) @ unit_rows(candidates).t()
    right = scores.gather(1, match.unsqueeze(1))
    rivals = scores >= right
    rivals.scatter_(1, match.unsqueeze(1), False)
    if allowed is not None:
        rivals &= allowed
    return ~rivals.any(dim=1)
