"""Strided convolutions that shorten frames between a speech encoder and a decoder."""

import torch.nn.functional as F
from torch import Tensor, nn

from fairseq_samu.ops.masking import lengths_to_padding_mask, padding_mask_to_lengths

KERNEL, STRIDE = 3, 2


class LengthAdapter(nn.Module):
    """Convolutions of kernel 3 and stride 2 with gated linear units (section 3.2 of arXiv:2010.12829).

    Padding counts as zeros before every convolution, so that a padded batch gives what each row gives alone.

    Args:
        dim: features D of a frame.
        num_layers: convolutions; each halves the number of frames, rounded up.
    """

    def __init__(self, dim: int, num_layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(dim, 2 * dim, KERNEL, stride=STRIDE, padding=KERNEL // 2) for _ in range(num_layers)
        )

    def forward(self, frames: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Shorten frames.

        Args:
            frames: (B, T, D) float.
            padding_mask: (B, T) bool, True = padding.

        Returns:
            (B, T', D) frames, zero at padding, and their (B, T') mask; T' is T halved and rounded up for each layer.
        """
        lengths = padding_mask_to_lengths(padding_mask, frames)
        x = frames.masked_fill(padding_mask[:, :, None], 0.0).transpose(1, 2)  # (B, T, D) -> (B, D, T)
        for layer in self.layers:
            x = F.glu(layer(x), dim=1)
            lengths = self.count_frames(lengths, num_layers=1)
            padding_mask = lengths_to_padding_mask(lengths, x.size(2))
            x = x.masked_fill(padding_mask[:, None, :], 0.0)
        return x.transpose(1, 2), padding_mask

    def count_frames(self, lengths: Tensor, num_layers: int | None = None) -> Tensor:
        """Count what is left of (B,) int64 frames after all layers, or after the first ``num_layers``."""
        for _ in range(len(self.layers) if num_layers is None else num_layers):
            lengths = (lengths + STRIDE - 1) // STRIDE
        return lengths
