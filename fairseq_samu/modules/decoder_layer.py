"""One layer of a transformer decoder, normalised before each part."""

import torch.nn.functional as F
from torch import Tensor, nn

from fairseq_samu.modules.decoder_attention import CausalSelfAttention, CrossAttention, PastTokens
from fairseq_samu.modules.named_adapters import AdaptedRows, adapt
from fairseq_samu.modules.transformer_layer import ACTIVATIONS


class DecoderLayer(nn.Module):
    """Self-attention, attention to the frames and feed-forward network, each with its norm first and a residual.

    Parameter names are those of mBART in fairseq and in Hugging Face's transformers, which agree. There are places for
    adapters as in :class:`TransformerLayer`: behind self-attention and feed-forward network, and behind the layer.

    Args:
        dim: features of a token.
        ffn_dim: inner features of the feed-forward network.
        num_heads: attention heads.
        activation: non-linearity, a key of ``ACTIVATIONS``.
        dropout: dropout probability before each residual sum.
        attention_dropout: dropout probability of the attention weights.
    """

    def __init__(
        self,
        dim: int,
        ffn_dim: int,
        num_heads: int,
        activation: str = "gelu",
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.activation = ACTIVATIONS[activation]
        self.self_attn = CausalSelfAttention(dim, num_heads, attention_dropout)
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.encoder_attn = CrossAttention(dim, num_heads, attention_dropout)
        self.encoder_attn_layer_norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, ffn_dim)
        self.fc2 = nn.Linear(ffn_dim, dim)
        self.final_layer_norm = nn.LayerNorm(dim)
        self.attention_adapter: nn.Module = nn.Identity()
        self.ffn_adapter: nn.Module = nn.Identity()
        self.layer_adapter: nn.Module = nn.Identity()

    def forward(
        self,
        x: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None,
        past: PastTokens | None = None,
        adapters: AdaptedRows | None = None,
    ) -> Tensor:
        """Transform tokens.

        Args:
            x: (R, U, D) tokens.
            keys: (B, heads, T, D / heads) of the frames, from ``encoder_attn.project_frames``.
            values: likewise.
            mask: (B, 1, 1, T) bool, True = may be attended to, or None where nothing is padded.
            past: what the layer has seen of each row, when tokens come one at a time.
            adapters: which of the R rows go through which named adapter; None for through none.

        Returns:
            (R, U, D).
        """
        attended = self.self_attn(self.self_attn_layer_norm(x), past)
        x = x + self._drop(adapt(self.attention_adapter, attended, adapters))
        x = x + self._drop(self.encoder_attn(self.encoder_attn_layer_norm(x), keys, values, mask))
        fed = self.fc2(self.activation(self.fc1(self.final_layer_norm(x))))
        x = x + self._drop(adapt(self.ffn_adapter, fed, adapters))
        return adapt(self.layer_adapter, x, adapters)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)
