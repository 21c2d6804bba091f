"""The measured compressors, all with the same random weights and one form of call."""

import torch
from torch import Tensor, nn

from benchmarks.compressor.loop_peer import LoopCompressor, LoopLookBack
from benchmarks.compressor.matrix_peer import MaskedLookBack, MatrixCompressor
from benchmarks.compressor.numbers_oracle import NumbersLookBack
from benchmarks.compressor.sizes import BLANK, Sizes
from benchmarks.compressor.worker import Arm
from fairseq_samu.modules.fast_linear import use_fast_products
from fairseq_samu.modules.lookback_compressor import LookbackCompressor

LOOKING_BACK = ("segment", "global")
SHRINKING = ("avg", "weighted", "softmax")


class OurCompressor(nn.Module):
    """The package's compressor, called as the peers are.

    Args:
        function: see :class:`benchmarks.compressor.worker.Arm`.
        sizes: of the compressor.
    """

    def __init__(self, function: str, sizes: Sizes) -> None:
        super().__init__()
        looks_back = function in LOOKING_BACK
        self.compressor = LookbackCompressor(
            sizes.dim,
            representative="first" if looks_back else function,
            scope=function if looks_back else "none",
            num_heads=sizes.num_heads,
            ffn_dim=sizes.ffn_dim,
            dropout=0.0,
            blank=BLANK,
        )

    def forward(self, frames: Tensor, logits: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Compress (B, T, D) frames to (B, S, D) and its (B, S) mask."""
        found = self.compressor(frames, logits, padding_mask)
        return found.frames, found.padding_mask


def build_compressor(arm: Arm, sizes: Sizes) -> nn.Module:
    """Build a compressor, its weights drawn from a seed by their names."""
    function = arm.function
    compressor: nn.Module
    if arm.system == "ours":
        compressor = OurCompressor(function, sizes)
    elif function in SHRINKING:
        compressor = MatrixCompressor(function, arm.at_once) if arm.system == "matrix" else LoopCompressor(function)
    elif arm.system == "matrix":
        compressor = MaskedLookBack(sizes.dim, sizes.num_heads, sizes.ffn_dim)
    else:
        kind = LoopLookBack if arm.system == "loop" else NumbersLookBack
        compressor = kind(sizes.dim, sizes.num_heads, sizes.ffn_dim, whole_row=function == "global")
    draw_weights(compressor)
    if arm.fast_products:
        use_fast_products(compressor)
    return compressor


@torch.no_grad()
def draw_weights(compressor: nn.Module, seed: int = 1) -> None:
    """Draw the weights of a compressor in the order of their names, the same in all systems."""
    generator = torch.Generator().manual_seed(seed)
    weights = {name.removeprefix("compressor."): weight for name, weight in compressor.named_parameters()}
    for name in sorted(weights):
        weight = weights[name]
        if weight.dim() > 1:
            weight.normal_(0.0, weight.size(1) ** -0.5, generator=generator)
        else:
            weight.normal_(1.0 if "norm.weight" in name else 0.0, 0.1, generator=generator)
