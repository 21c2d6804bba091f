"""The peer: compression by a matrix product, and looking back by attention under a dense mask."""

from itertools import groupby

import torch
from torch import Tensor, nn

from benchmarks.compressor.look_back import LookBack


class MatrixCompressor(nn.Module):
    """CTC compression as arXiv:2102.01578 describes it (section 3), blanks kept: frames times a matrix of weights.

    Each row has a matrix of T x S weights, of which a frame fills one column: its own segment's. Labels and weights get
    no gradient.

    Args:
        how: ``avg`` (equal weights), ``weighted`` (by the probability of the frame's label) or ``softmax`` (of it).
        at_once: fill the matrices of all rows at once; otherwise segment by segment, from lists of Python, as the
            neighbours of this package do.
    """

    def __init__(self, how: str, at_once: bool) -> None:
        super().__init__()
        self.how = how
        self.at_once = at_once

    def forward(self, frames: Tensor, logits: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Compress.

        Args:
            frames: (B, T, D).
            logits: (B, T, V).
            padding_mask: (B, T) bool, True = padding.

        Returns:
            (B, S, D) and its (B, S) bool mask, True = padding.
        """
        with torch.no_grad():
            probs, labels = torch.softmax(logits, dim=-1).max(dim=-1)
            fill = self._fill_at_once if self.at_once else self._fill_by_segment
            weights, counts = fill(labels, probs, padding_mask)
            outside = torch.arange(weights.size(2)) >= counts[:, None]
        return torch.bmm(weights.transpose(1, 2).to(frames.dtype), frames), outside

    def _fill_by_segment(self, labels: Tensor, probs: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        lengths = (~padding_mask).sum(dim=1).tolist()
        runs = [
            [len(list(run)) for _, run in groupby(row[:length])]
            for row, length in zip(labels.tolist(), lengths, strict=True)
        ]
        weights = probs.new_zeros(*labels.shape, max(len(row) for row in runs))
        for number, row in enumerate(runs):
            begin = 0
            for segment, length in enumerate(row):
                weights[number, begin : begin + length, segment] = self._weigh(probs[number, begin : begin + length])
                begin += length
        return weights, torch.tensor([len(row) for row in runs])

    def _weigh(self, probs: Tensor) -> Tensor:
        if self.how == "avg":
            return torch.full_like(probs, 1.0 / len(probs))
        return probs / probs.sum() if self.how == "weighted" else torch.softmax(probs, dim=0)

    def _fill_at_once(self, labels: Tensor, probs: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        valid = ~padding_mask
        begins = torch.cat([valid[:, :1], (labels[:, 1:] != labels[:, :-1]) & valid[:, 1:]], dim=1)
        counts = begins.sum(dim=1)
        segment = begins.cumsum(dim=1) - 1
        values = {"avg": torch.ones_like(probs), "weighted": probs, "softmax": probs.exp()}[self.how] * valid
        weights = probs.new_zeros(*labels.shape, int(counts.max()))
        weights.scatter_(2, segment[:, :, None], values[:, :, None])
        sums = weights.sum(dim=1, keepdim=True)
        return weights.div_(sums.masked_fill_(sums == 0, 1.0)), counts


class MaskedLookBack(LookBack):
    """Looking back within segments by attention over all frames, S x T, under a mask of what lies in the segment."""

    def forward(self, frames: Tensor, logits: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Compress; see :meth:`MatrixCompressor.forward`."""
        valid = ~padding_mask
        labels = logits.argmax(dim=-1)
        begins = torch.cat([valid[:, :1], (labels[:, 1:] != labels[:, :-1]) & valid[:, 1:]], dim=1)
        counts = begins.sum(dim=1)
        numbers = torch.arange(int(counts.max()))
        outside = numbers >= counts[:, None]
        segment = (begins.cumsum(dim=1) - 1).masked_fill(padding_mask, -1)
        # a segment that is not there may look at frame 0: a softmax over nothing is no number
        segment_of_frame = segment[:, None, :] == numbers[:, None]
        segment_of_frame[:, :, 0] |= outside
        firsts = (segment[:, None, :] < numbers[:, None]).logical_and(valid[:, None, :]).sum(dim=2)
        firsts = firsts.clamp_(max=frames.size(1) - 1)
        queries = frames.gather(1, firsts[:, :, None].expand(-1, -1, frames.size(2)))
        found = self.fuse(queries, self.attend(queries, *self.project(frames), segment_of_frame[:, None]))
        return found.masked_fill(outside[:, :, None], 0.0), outside
