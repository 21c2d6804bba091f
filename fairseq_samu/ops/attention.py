"""Scaled dot-product attention by whichever kernel is fastest."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LONGEST_BY_PRODUCTS = 1024
"""Most keys for which all scores are held at once."""


def attend(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    dropout: float = 0.0,
) -> Tensor:
    """Attend (Eq. 1 of arXiv:1706.03762).

    The fused kernel of torch serves, but for half precision on a CPU, where it takes two to three times as long as
    the matrix products that it stands for.

    Args:
        queries: (B, heads, U, d) float.
        keys: (B, heads, T, d) float.
        values: (B, heads, T, d) float.
        mask: bool, broadcast to (B, heads, U, T), True = may be attended to; None for all. A query without any gives
            no number in the fused kernel.
        causal: query u attends to keys 0 to u alone; U = T then, and no mask.
        dropout: probability that a weight is dropped.

    Returns:
        (B, heads, U, d).
    """
    halved = queries.dtype in (torch.bfloat16, torch.float16)
    if halved and queries.device.type == "cpu" and keys.size(2) <= LONGEST_BY_PRODUCTS:
        return attend_by_products(queries, keys, values, mask, causal, dropout)
    return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, dropout_p=dropout, is_causal=causal)


def attend_by_products(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, causal: bool, dropout: float
) -> Tensor:
    """The same by two matrix products with all scores between them; see :func:`attend`."""
    if causal:
        mask = torch.ones(queries.size(2), keys.size(2), dtype=torch.bool, device=queries.device).tril()
    scores = torch.matmul(queries * (1.0 / math.sqrt(queries.size(-1))), keys.transpose(2, 3))
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = F.dropout(torch.softmax(scores, dim=-1), dropout, training=dropout > 0.0)
    return torch.matmul(weights, values)
