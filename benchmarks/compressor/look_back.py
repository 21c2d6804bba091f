"""What the peers that look back share: the weights, attention, and fusion."""

import torch.nn.functional as F
from torch import Tensor, nn


class LookBack(nn.Module):
    """Parts of a compressor that looks back, named as in the package; each peer puts them together in its own way.

    Args:
        dim: features D.
        num_heads: of the attention.
        ffn_dim: inner features of the network.
        whole_row: look back at all frames of the row, instead of those of the segment.
    """

    def __init__(self, dim: int, num_heads: int, ffn_dim: int, whole_row: bool = False) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.whole_row = whole_row
        self.query_norm = nn.LayerNorm(dim)
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)
        self.fusion_norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, ffn_dim)
        self.fc2 = nn.Linear(ffn_dim, dim)
        self.final_norm = nn.LayerNorm(dim)

    def project(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (..., heads, T, D / heads) of (..., T, D) frames."""
        return self._split(self.k_proj(frames)), self._split(self.v_proj(frames))

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Have (..., S, D) queries look at frames, by a mask that is True where they may."""
        projected = self._split(self.q_proj(self.query_norm(queries)))
        found = F.scaled_dot_product_attention(projected, keys, values, mask)
        return self.out_proj(found.transpose(-3, -2).flatten(-2))

    def _split(self, projected: Tensor) -> Tensor:
        # (..., L, D) -> (..., heads, L, D / heads)
        return projected.unflatten(-1, (self.num_heads, -1)).transpose(-3, -2)

    def fuse(self, queries: Tensor, attended: Tensor) -> Tensor:
        """Add what was seen to the queries, and transform the sum."""
        fused = self.fusion_norm(queries + attended)
        return self.final_norm(fused + self.fc2(F.relu(self.fc1(fused))))
