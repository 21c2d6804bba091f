"""Convolution before a layer of attention, whose window grows with depth: local first, global later."""

import torch.nn.functional as F
from torch import Tensor, nn

from fairseq_samu.modules.masked_batch_norm import MaskedBatchNorm
from fairseq_samu.ops.depthwise import convolve_channels

NORMS = ("layer", "batch")


def kernel_sizes(first: int = 5, step: int = 3, num_layers: int = 6) -> list[int]:
    """Windows of the extractors before each layer (arXiv:2311.03810): ``first + step * i``, 1 more where that is even.

    Args:
        first: window of the first layer, in positions.
        step: growth a layer.
        num_layers: layers.
    """
    sizes = [first + step * layer for layer in range(num_layers)]
    return [size + 1 if size % 2 == 0 else size for size in sizes]


class LocalToGlobal(nn.Module):
    """Local-to-global extractor: ``x + Conv(Norm(x))`` (arXiv:2311.03810).

    Conv is a pointwise layer with a gated linear unit, a depthwise convolution, a norm, SiLU, and a second pointwise
    layer: the convolution module of arXiv:2005.08100. Padding counts as zeros in the convolution, so that a padded
    batch gives what each row gives alone. In training the batch norm couples the rows of a batch by its statistics,
    which are over valid positions.

    Args:
        dim: features D.
        kernel_size: window, in positions; odd.
        dropout: dropout probability before the residual sum.
        norm: norm behind the depthwise convolution: ``layer``, or ``batch`` as in the authors' code.

    Raises:
        ValueError: an even window or another norm.
    """

    def __init__(self, dim: int, kernel_size: int, dropout: float = 0.0, norm: str = "layer") -> None:
        if kernel_size % 2 == 0 or norm not in NORMS:
            raise ValueError(
                f"an extractor needs an odd window and a norm of {', '.join(NORMS)}, not {kernel_size} and {norm}"
            )
        super().__init__()
        self.dropout = dropout
        self.norm = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, 2 * dim)
        # No bias: the norm behind it would take it out again.
        self.depthwise = nn.Conv1d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim, bias=False)
        self.inner_norm = MaskedBatchNorm(dim) if norm == "batch" else nn.LayerNorm(dim)
        self.contract = nn.Linear(dim, dim)

    def forward(self, x: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Add to every position what its neighbours say.

        Args:
            x: (B, T, D); what stands at padding does not matter, not even NaN.
            padding_mask: (B, T) bool, True = padding, or None where nothing is padded.

        Returns:
            (B, T, D); what stands at padding has no meaning.
        """
        padding = None if padding_mask is None else padding_mask[:, :, None]
        # Twice: not even NaN may enter by padding, and a norm and a linear layer make something of zeros.
        x = x if padding is None else x.masked_fill(padding, 0.0)
        h = F.glu(self.expand(self.norm(x)), dim=-1)
        h = h if padding is None else h.masked_fill(padding, 0.0)
        h = convolve_channels(h, self.depthwise.weight)
        h = self.inner_norm(h, padding_mask) if isinstance(self.inner_norm, MaskedBatchNorm) else self.inner_norm(h)
        return x + F.dropout(self.contract(F.silu(h)), self.dropout, self.training)
