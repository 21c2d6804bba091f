"""One layer of a transformer encoder, shared by every speech encoder of the package."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fairseq_samu.modules.named_adapters import AdaptedRows, adapt
from fairseq_samu.ops.attention import attend

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": F.gelu, "relu": F.relu}


class SelfAttention(nn.Module):
    """Multi-head self-attention with a padding mask (section 3.2.2 of arXiv:1706.03762).

    Args:
        dim: features of a frame.
        num_heads: heads; must divide ``dim``.
        dropout: dropout probability of the attention weights.
        key_bias: whether the key projection has a bias (Whisper's has none).
    """

    def __init__(self, dim: int, num_heads: int, dropout: float = 0.0, key_bias: bool = True) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim, bias=key_bias)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Let every frame attend to the valid frames.

        Args:
            x: (B, T, D).
            attention_mask: (B, 1, 1, T) bool, True = may be attended to, or None where nothing is padded.

        Returns:
            (B, T, D).
        """
        batch, frames, dim = x.shape

        def split(projected: Tensor) -> Tensor:
            # (B, T, D) -> (B, heads, T, D / heads)
            return projected.view(batch, frames, self.num_heads, -1).transpose(1, 2)

        queries, keys, values = (split(project(x)) for project in (self.q_proj, self.k_proj, self.v_proj))
        attended = attend(queries, keys, values, attention_mask, dropout=self.dropout if self.training else 0.0)
        # (B, heads, T, D / heads) -> (B, T, D)
        return self.out_proj(attended.transpose(1, 2).reshape(batch, frames, dim))


class TransformerLayer(nn.Module):
    """Self-attention and feed-forward network with residuals, normalised before (pre-norm) or after each part.

    Parameter names are those of fairseq's wav2vec 2.0 layers and of Hugging Face's Whisper layers, which agree.
    ``attention_adapter`` and ``ffn_adapter`` are empty places: a module put there is applied to the output of its
    part, before dropout and residual sum, and must include its own residual. So is ``layer_adapter``, for the output of
    the whole layer.

    Args:
        dim: features of a frame.
        ffn_dim: inner features of the feed-forward network.
        num_heads: attention heads.
        pre_norm: normalise before each part (XLS-R, Whisper) instead of after it (wav2vec 2.0 base, HuBERT base).
        dropout: dropout probability before each residual sum.
        attention_dropout: dropout probability of the attention weights.
        activation_dropout: dropout probability inside the feed-forward network.
        activation: name of the non-linearity, a key of ``ACTIVATIONS``.
        key_bias: whether the key projection has a bias.
    """

    def __init__(
        self,
        dim: int,
        ffn_dim: int,
        num_heads: int,
        pre_norm: bool,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        activation_dropout: float = 0.0,
        activation: str = "gelu",
        key_bias: bool = True,
    ) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.dropout = dropout
        self.activation_dropout = activation_dropout
        self.activation = ACTIVATIONS[activation]
        self.self_attn = SelfAttention(dim, num_heads, attention_dropout, key_bias)
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, ffn_dim)
        self.fc2 = nn.Linear(ffn_dim, dim)
        self.final_layer_norm = nn.LayerNorm(dim)
        self.attention_adapter: nn.Module = nn.Identity()
        self.ffn_adapter: nn.Module = nn.Identity()
        self.layer_adapter: nn.Module = nn.Identity()

    def forward(self, x: Tensor, attention_mask: Tensor | None = None, adapters: AdaptedRows | None = None) -> Tensor:
        """Transform frames.

        Args:
            x: (B, T, D).
            attention_mask: (B, 1, 1, T) bool, True = may be attended to, or None where nothing is padded.
            adapters: which rows go through which named adapter; None for through none.

        Returns:
            (B, T, D).
        """
        if self.pre_norm:
            x = x + self._attend(self.self_attn_layer_norm(x), attention_mask, adapters)
            x = x + self._feed_forward(self.final_layer_norm(x), adapters)
        else:
            x = self.self_attn_layer_norm(x + self._attend(x, attention_mask, adapters))
            x = self.final_layer_norm(x + self._feed_forward(x, adapters))
        return adapt(self.layer_adapter, x, adapters)

    def _attend(self, x: Tensor, attention_mask: Tensor | None, adapters: AdaptedRows | None) -> Tensor:
        x = adapt(self.attention_adapter, self.self_attn(x, attention_mask), adapters)
        return F.dropout(x, self.dropout, self.training)

    def _feed_forward(self, x: Tensor, adapters: AdaptedRows | None) -> Tensor:
        x = F.dropout(self.activation(self.fc1(x)), self.activation_dropout, self.training)
        return F.dropout(adapt(self.ffn_adapter, self.fc2(x), adapters), self.dropout, self.training)


def valid_keys(padding_mask: Tensor) -> Tensor:
    """Turn a padding mask (B, T), True = padding, into the (B, 1, 1, T) mask of what may be attended to."""
    return torch.logical_not(padding_mask)[:, None, None, :]
