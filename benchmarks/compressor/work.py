"""What is compressed: frames whose labels come as a trained CTC head gives them, drawn from a seed.

A head trained by CTC says blank most of the time, and a label in one frame, sometimes two. The generator walks along a
row: a label for one frame, or for two in 30 of 100; then, in 85 of 100, blanks, one at least and geometrically many, 7
in the mean; then the next label, which is another one where no blank stands between. Runs of equal labels are 3.9
frames long in the mean, which is the ratio of compression.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.compressor.sizes import BLANK

TWO_FRAMES = 0.3  # of labels
BLANK_FOLLOWS = 0.85
MEAN_BLANKS = 7.0
SHORTEST = 0.85  # shortest row of a batch over the longest, as buckets give them
MARGIN = 6.0  # of the winning label's logit over the noise of the others


@dataclass(frozen=True)
class Batch:
    """Frames with their labels.

    Attributes:
        frames: (B, T, D) float32.
        logits: (B, T, V) float32, whose largest is the label.
        padding_mask: (B, T) bool, True = padding.
        segments: (B,) int64, runs of equal labels in each row.
        incoming: (B, S, D) float32, gradient of what comes out, zero at padding.
    """

    frames: Tensor
    logits: Tensor
    padding_mask: Tensor
    segments: Tensor
    incoming: Tensor

    def to(self, dtype: torch.dtype) -> "Batch":
        """The same in another precision; logits stay."""
        return Batch(self.frames.to(dtype), self.logits, self.padding_mask, self.segments, self.incoming.to(dtype))


def draw_labels(lengths: list[int], labels: int, generator: torch.Generator) -> Tensor:
    """Draw the labels of rows as a trained head would say them.

    Args:
        lengths: T of each row.
        labels: V, the blank included.
        generator: of the draws.

    Returns:
        (B, T) int64, blank beyond a row's end.
    """
    found = torch.full((len(lengths), max(lengths)), BLANK)
    for row, length in enumerate(lengths):
        found[row, :length] = torch.tensor(_draw_row(length, labels, generator))
    return found


def _draw_row(length: int, labels: int, generator: torch.Generator) -> list[int]:
    uniform = torch.rand(length + 1, 2, generator=generator).tolist()
    geometric = torch.empty(length + 1).geometric_(1.0 / MEAN_BLANKS, generator=generator).int().tolist()
    drawn = torch.randint(BLANK + 1, labels, (length + 1,), generator=generator).tolist()
    row: list[int] = [BLANK] * geometric[0]
    for (two, follows), blanks, label in zip(uniform[1:], geometric[1:], drawn[1:], strict=True):
        if row[-1] == label:
            label = label % (labels - 1) + 1
        row += [label] * (2 if two < TWO_FRAMES else 1)
        row += [BLANK] * (blanks if follows < BLANK_FOLLOWS else 0)
    return row[:length]


def row_lengths(frames: int, rows: int) -> list[int]:
    """Lengths of the rows of a batch, the longest first."""
    shares = torch.linspace(1.0, SHORTEST, rows).tolist()
    return [max(1, round(frames * share)) for share in shares]


def make_batch(frames: int, rows: int, dim: int, labels: int, seed: int = 1) -> Batch:
    """Draw a batch.

    Args:
        frames: T of the longest row.
        rows: B.
        dim: features D.
        labels: V.
        seed: of the draw.
    """
    generator = torch.Generator().manual_seed(seed)
    lengths = row_lengths(frames, rows)
    wanted = draw_labels(lengths, labels, generator)
    logits = torch.empty(rows, frames, labels).normal_(generator=generator).clamp_(-MARGIN / 2, MARGIN / 2)
    logits.scatter_add_(2, wanted[:, :, None], 0.5 + MARGIN * torch.ones(rows, frames, 1))
    valid = torch.arange(frames) < torch.tensor(lengths)[:, None]
    segments = 1 + ((wanted[:, 1:] != wanted[:, :-1]) & valid[:, 1:]).sum(dim=1)
    kept = torch.arange(int(segments.max())) < segments[:, None]
    incoming = torch.empty(*kept.shape, dim).normal_(generator=generator) * kept[:, :, None]
    return Batch(torch.empty(rows, frames, dim).normal_(generator=generator), logits, ~valid, segments, incoming)
