"""Shortens speech to one vector for each label, which looks back at the frames that it stands for."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fairseq_samu.modules.transformer_layer import ACTIVATIONS
from fairseq_samu.ops.attention import attend
from fairseq_samu.ops.segment_products import score_frames, sum_weighted
from fairseq_samu.ops.segment_sums import softmax_by_segment
from fairseq_samu.ops.segmentation import FlatSegments, Segments, find_segments, represent_flat, weigh_frames

SCOPES = ("none", "segment", "global")


@dataclass(frozen=True)
class CompressedFrames:
    """What the compressor hands out.

    Attributes:
        frames: (B, S, D) float, zero at padding.
        padding_mask: (B, S) bool, True = padding.
        segments: what was made one of each.
    """

    frames: Tensor
    padding_mask: Tensor
    segments: Segments


class LookbackCompressor(nn.Module):
    """Looking-back length compressor: frames of one label become one vector, which attends to the frames.

    Source: section 4.1 of arXiv:2311.03810. The representative of each run of equal labels is the query; with ``A``
    what it finds by multi-head attention among the frames, ``Y = LN(Drop(Q + A))``, ``Z = LN(Drop(Y + FFN(Y)))``. The
    labels, the most probable ones of CTC, take no gradient. Deviations: the output keeps its padding mask; other
    representatives, rules for blanks and a limit of the length are options.

    Args:
        dim: features D of a frame.
        representative: query of a segment, see :func:`ops.segmentation.represent`.
        scope: what a query attends to: the frames of its ``segment`` (linear in T), or all of the row (``global``);
            ``none`` hands out the representatives and has no parameters.
        blanks: what becomes of blanks, see :func:`ops.segmentation.find_segments`.
        num_heads: attention heads; must divide ``dim``.
        ffn_dim: inner features of the feed-forward network.
        dropout: dropout probability before each norm.
        activation: name of the non-linearity, a key of ``ACTIVATIONS``.
        max_segments: most segments of a row; 0 for no limit.
        blank: label that stands for none.
    """

    def __init__(
        self,
        dim: int,
        representative: str = "first",
        scope: str = "segment",
        blanks: str = "keep",
        num_heads: int = 8,
        ffn_dim: int = 2048,
        dropout: float = 0.1,
        activation: str = "relu",
        max_segments: int = 0,
        blank: int = 0,
    ) -> None:
        super().__init__()
        self.representative = representative
        self.scope = scope
        self.blanks = blanks
        self.num_heads = num_heads
        self.dropout = dropout
        self.activation = ACTIVATIONS[activation]
        self.max_segments = max_segments
        self.blank = blank
        if scope != "none":
            self.query_norm = nn.LayerNorm(dim)
            self.q_proj = nn.Linear(dim, dim)
            self.k_proj = nn.Linear(dim, dim)
            self.v_proj = nn.Linear(dim, dim)
            self.out_proj = nn.Linear(dim, dim)
            self.fusion_norm = nn.LayerNorm(dim)
            self.fc1 = nn.Linear(dim, ffn_dim)
            self.fc2 = nn.Linear(ffn_dim, dim)
            self.final_norm = nn.LayerNorm(dim)

    def forward(
        self, frames: Tensor, logits: Tensor | None, padding_mask: Tensor, labels: Tensor | None = None
    ) -> CompressedFrames:
        """Compress.

        Args:
            frames: (B, T, D) float; what stands in padding does not matter, not even NaN.
            logits: (B, T, V) float of CTC; may be None where ``labels`` are given and the representative is the first
                frame or the mean.
            padding_mask: (B, T) bool, True = padding, at the end of a row.
            labels: (B, T) int64, in place of the most probable ones.

        Returns:
            (B, S, D) frames with their mask and segments; S is the largest number of segments of a row.

        Raises:
            ConfigError: there are labels but no logits, which the representative needs.
        """
        segments, flat, label_probs = self._cut(logits, padding_mask, labels)
        queries = represent_flat(frames, flat, self.representative, label_probs)
        if self.scope == "segment":
            queries = self._fuse(queries, self._look_into_segments(queries, frames, flat))
        elif self.scope == "global":
            queries = self._fuse(queries, self._look_everywhere(queries, frames, padding_mask, segments, flat))
        return CompressedFrames(segments.spread(queries), segments.padding_mask, segments)

    def _cut(
        self, logits: Tensor | None, padding_mask: Tensor, labels: Tensor | None
    ) -> tuple[Segments, FlatSegments, Tensor | None]:
        if labels is None:
            assert logits is not None
            labels = logits.argmax(dim=-1)
        label_probs = None
        if self.representative in ("weighted", "softmax") and logits is not None:
            log_probs = logits.log_softmax(dim=-1, dtype=torch.promote_types(logits.dtype, torch.float32))
            label_probs = log_probs.gather(2, labels.masked_fill(padding_mask, 0)[:, :, None]).squeeze(2).exp()
        segments = find_segments(labels, padding_mask, self.blank, self.blanks, self.max_segments)
        return segments, segments.flatten(), label_probs

    def _split(self, projected: Tensor) -> Tensor:
        """(..., D) -> (..., heads, D / heads)."""
        return projected.unflatten(-1, (self.num_heads, -1))

    def _score_own_frames(self, queries: Tensor, kept: Tensor, flat: FlatSegments) -> Tensor:
        """Weights (F, heads) of the frames ``kept`` (F, D) for the queries (M, D) of their segments."""
        asked = self.q_proj(self.query_norm(queries))
        scores = score_frames(asked, self.k_proj(kept), flat.segment_of, flat.lengths, self.num_heads)
        scale = math.sqrt(asked.size(1) // self.num_heads)
        return softmax_by_segment(scores / scale, flat.segment_of, len(queries))

    def _look_into_segments(self, queries: Tensor, frames: Tensor, flat: FlatSegments) -> Tensor:
        """What the queries (M, D) find among the frames of their own segments: (M, D)."""
        kept = flat.take(frames.flatten(0, 1))
        weights = self._score_own_frames(queries, kept, flat)
        places = torch.arange(len(kept), device=kept.device)
        found = sum_weighted(self.v_proj(kept), places, flat.segment_of, flat.lengths, weights)
        return self.out_proj(found.to(queries.dtype))

    def _project_everything(
        self, queries: Tensor, frames: Tensor, padding_mask: Tensor, segments: Segments
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Queries (B, heads, S, d), keys and values (B, heads, T, d), and the mask (B, 1, 1, T) of what is valid."""
        clean = frames.masked_fill(padding_mask[:, :, None], 0.0)
        asked = segments.spread(self.q_proj(self.query_norm(queries)))
        # (B, T, D) -> (B, heads, T, d)
        asked, keys, values = (
            self._split(part).transpose(1, 2) for part in (asked, self.k_proj(clean), self.v_proj(clean))
        )
        # a row without frames may attend to its padding, which is zero: without anything it would find no number
        valid = torch.logical_not(padding_mask) | padding_mask.all(dim=1, keepdim=True)
        return asked, keys, values, valid[:, None, None, :]

    def _look_everywhere(
        self, queries: Tensor, frames: Tensor, padding_mask: Tensor, segments: Segments, flat: FlatSegments
    ) -> Tensor:
        """What the queries (M, D) find among all frames of their rows: (M, D)."""
        asked, keys, values, valid = self._project_everything(queries, frames, padding_mask, segments)
        found = attend(asked, keys, values, valid if bool(padding_mask.any()) else None)
        # (B, heads, S, d) -> (M, D)
        return self.out_proj(found.transpose(1, 2).flatten(2).flatten(0, 1).index_select(0, flat.places))

    def _fuse(self, queries: Tensor, found: Tensor) -> Tensor:
        mixed = self.fusion_norm(F.dropout(queries + found, self.dropout, self.training))
        inner = self.fc2(self.activation(self.fc1(mixed)))
        return self.final_norm(F.dropout(mixed + inner, self.dropout, self.training))

    def attention_weights(
        self, frames: Tensor, logits: Tensor | None, padding_mask: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """How much each output attends to each frame, for plots; takes what :meth:`forward` takes.

        Returns:
            (B, S, T) float32 or float64 mean over the heads, without gradient; zero at padding. Where nothing looks
            back it is the share of the frames in the representative.
        """
        with torch.no_grad():
            segments, flat, label_probs = self._cut(logits, padding_mask, labels)
            queries = represent_flat(frames, flat, self.representative, label_probs)
            if self.scope == "global":
                asked, keys, _, valid = self._project_everything(queries, frames, padding_mask, segments)
                scores = torch.matmul(asked, keys.transpose(2, 3)) / math.sqrt(keys.size(-1))
                wide = torch.promote_types(scores.dtype, torch.float32)
                weights = scores.masked_fill(~valid, -torch.inf).softmax(dim=-1, dtype=wide).mean(dim=1)
                return weights.masked_fill(segments.padding_mask[:, :, None] | padding_mask[:, None, :], 0.0)
            if self.scope == "segment":
                kept = flat.take(frames.flatten(0, 1))
                shares = self._score_own_frames(queries, kept, flat).mean(dim=1)
            else:
                shares = weigh_frames(flat, self.representative, label_probs, frames)
            rows, size = segments.padding_mask.shape
            dense = shares.new_zeros(rows * size, frames.size(1))
            dense[flat.places[flat.segment_of], flat.frames % frames.size(1)] = shares
            return dense.unflatten(0, (rows, size))
