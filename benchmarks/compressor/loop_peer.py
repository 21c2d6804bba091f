"""The oracle: one row after the other, one segment after the other, as one would say it."""

from itertools import groupby

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from benchmarks.compressor.look_back import LookBack


def split_rows(frames: Tensor, logits: Tensor, padding_mask: Tensor) -> list[list[tuple[Tensor, Tensor]]]:
    """Cut rows where the label changes.

    Args:
        frames: (B, T, D).
        logits: (B, T, V).
        padding_mask: (B, T) bool, True = padding.

    Returns:
        For each segment of each row its frames (length, D) and the probabilities (length,) of its label.
    """
    rows = []
    for row, row_logits, mask in zip(frames, logits, padding_mask, strict=True):
        length = int((~mask).sum())
        probs, labels = torch.softmax(row_logits[:length], dim=-1).max(dim=-1)
        runs = [len(list(run)) for _, run in groupby(labels.tolist())]
        # cut by one operation: slices would each make a gradient of the whole row
        rows.append(list(zip(row[:length].split(runs), probs.split(runs), strict=True)))
    return rows


def pad_rows(rows: list[list[Tensor]]) -> tuple[Tensor, Tensor]:
    """Put segments (D,) of rows together to (B, S, D) and its (B, S) mask, True = padding."""
    counts = torch.tensor([len(row) for row in rows])
    padded = pad_sequence([torch.stack(row) for row in rows], batch_first=True)
    return padded, torch.arange(padded.size(1)) >= counts[:, None]


class LoopCompressor(nn.Module):
    """Shrinking without looking back; see :class:`benchmarks.compressor.matrix_peer.MatrixCompressor`.

    Args:
        how: ``avg``, ``weighted`` or ``softmax``.
    """

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, frames: Tensor, logits: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Compress (B, T, D) frames to (B, S, D) and its (B, S) mask."""
        rows = split_rows(frames, logits.detach(), padding_mask)
        return pad_rows([[self._represent(segment, probs) for segment, probs in row] for row in rows])

    def _represent(self, segment: Tensor, probs: Tensor) -> Tensor:
        if self.how == "avg":
            return segment.mean(dim=0)
        weights = probs / probs.sum() if self.how == "weighted" else torch.softmax(probs, dim=0)
        return weights.to(segment.dtype) @ segment


class LoopLookBack(LookBack):
    """Looking back with the first frame of each segment as its query."""

    def forward(self, frames: Tensor, logits: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Compress (B, T, D) frames to (B, S, D) and its (B, S) mask."""
        found = []
        for row in split_rows(frames, logits.detach(), padding_mask):
            # keys and values once a row: to project them anew for every segment would make a weaker opponent
            keys, values = self.project(torch.cat([segment for segment, _ in row]))
            runs = [len(segment) for segment, _ in row]
            seen = [(keys, values)] * len(runs)
            if not self.whole_row:
                seen = list(zip(keys.split(runs, dim=1), values.split(runs, dim=1), strict=True))
            found.append([self._compress(segment[:1], *pair) for (segment, _), pair in zip(row, seen, strict=True)])
        return pad_rows(found)

    def _compress(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        return self.fuse(query, self.attend(query, keys, values))[0]
