"""The length adapter of SeamlessM4T: strided convolutions with self-attention behind a speech encoder."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fairseq_samu.modules.transformer_layer import SelfAttention, valid_keys
from fairseq_samu.ops.masking import lengths_to_padding_mask, padding_mask_to_lengths


class ConformerLengthAdapter(nn.Module):
    """``y = x + FFN(x) / 2``, layers that shorten by a stride and attend, and a final norm.

    Source: the length adapter that arXiv:2410.13445 tunes, of arXiv:2308.11596. Deviations: padding counts as zeros
    before every convolution, so that a padded batch gives what each row gives alone; and it starts as the mean of each
    window of normalised frames, so that what follows a pre-trained encoder finds its frames in the first update
    (the second half of each feed-forward network and the attention's output projection start at zero).

    Args:
        dim: features D of a frame.
        ffn_dim: inner features of the feed-forward networks.
        num_heads: attention heads; must divide ``dim``.
        num_layers: layers; each shortens by ``stride``.
        stride: frames that become one, kernel and stride of the convolutions; even.
        dropout: dropout probability behind the attention and in the feed-forward network of each layer.
    """

    def __init__(
        self, dim: int, ffn_dim: int, num_heads: int, num_layers: int = 1, stride: int = 8, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.stride = stride
        self.ffn = FeedForward(dim, ffn_dim)
        self.layers = nn.ModuleList(
            ConformerLengthLayer(dim, ffn_dim, num_heads, stride, dropout) for _ in range(num_layers)
        )
        self.layer_norm = nn.LayerNorm(dim)

    def forward(self, frames: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Shorten frames.

        Args:
            frames: (B, T, D) float; what stands in padding does not matter, not even NaN.
            padding_mask: (B, T) bool, True = padding, at the end of a row.

        Returns:
            (B, T', D) frames, zero at padding, and their (B, T') mask; see :meth:`count_frames`.
        """
        frames = frames.masked_fill(padding_mask[:, :, None], 0.0)
        frames = frames + 0.5 * self.ffn(frames)
        for layer in self.layers:
            frames, padding_mask = layer(frames, padding_mask)
        return self.layer_norm(frames).masked_fill(padding_mask[:, :, None], 0.0), padding_mask

    def count_frames(self, lengths: Tensor) -> Tensor:
        """Count what is left of (B,) int64 frames after all layers: each divides, rounds down and adds one.

        As in the published model, up to half a window of frames at the end of a row stands in no window.
        """
        for _ in self.layers:
            lengths = lengths // self.stride + 1
        return lengths


class ConformerLengthLayer(nn.Module):
    """Self-attention over shortened frames, with shortened frames as residual, and a feed-forward network.

    Two branches ``LayerNorm -> Conv1d -> GLU`` shorten the same frames: one is the residual, the other what attends.

    Args:
        dim: features D of a frame.
        ffn_dim: inner features of the feed-forward network.
        num_heads: attention heads.
        stride: kernel and stride of the convolutions, half of which is padded on either side; even.
        dropout: dropout probability behind attention and in the feed-forward network.
    """

    def __init__(self, dim: int, ffn_dim: int, num_heads: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.stride = stride
        self.dropout = dropout
        self.residual_norm = nn.LayerNorm(dim)
        self.residual_conv = nn.Conv1d(dim, 2 * dim, stride, stride=stride, padding=stride // 2)
        self.attention_norm = nn.LayerNorm(dim)
        self.attention_conv = nn.Conv1d(dim, 2 * dim, stride, stride=stride, padding=stride // 2)
        self.self_attn = SelfAttention(dim, num_heads)
        self.ffn_norm = nn.LayerNorm(dim)
        self.ffn = FeedForward(dim, ffn_dim, dropout)
        with torch.no_grad():
            _start_as_mean(self.residual_conv)
            _start_at_zero(self.self_attn.out_proj)

    def forward(self, x: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Shorten (B, T, D) frames with their (B, T) mask to (B, T', D) and (B, T'); not zero at padding."""
        residual = self._shorten(self.residual_norm(x), padding_mask, self.residual_conv)
        x = self._shorten(self.attention_norm(x), padding_mask, self.attention_conv)
        lengths = padding_mask_to_lengths(padding_mask, padding_mask) // self.stride + 1
        short_mask = lengths_to_padding_mask(lengths, x.size(1))
        attended = self.self_attn(x, valid_keys(short_mask) if bool(short_mask.any()) else None)
        x = residual + F.dropout(attended, self.dropout, self.training)
        return x + self.ffn(self.ffn_norm(x)), short_mask

    @staticmethod
    def _shorten(x: Tensor, padding_mask: Tensor, convolution: nn.Conv1d) -> Tensor:
        x = x.masked_fill(padding_mask[:, :, None], 0.0)
        # (B, T, D) -> (B, D, T) -> (B, T', D)
        return F.glu(convolution(x.transpose(1, 2)), dim=1).transpose(1, 2)


class FeedForward(nn.Module):
    """``fc2(relu(fc1(x)))`` with dropout behind each half; starts at zero.

    Args:
        dim: features of a frame.
        ffn_dim: inner features.
        dropout: dropout probability.
    """

    def __init__(self, dim: int, ffn_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.fc1 = nn.Linear(dim, ffn_dim)
        self.fc2 = nn.Linear(ffn_dim, dim)
        with torch.no_grad():
            _start_at_zero(self.fc2)

    def forward(self, x: Tensor) -> Tensor:
        """Transform (..., D) frames."""
        x = F.dropout(F.relu(self.fc1(x)), self.dropout, self.training)
        return F.dropout(self.fc2(x), self.dropout, self.training)


def _start_at_zero(linear: nn.Linear) -> None:
    linear.weight.zero_()
    linear.bias.zero_()


def _start_as_mean(convolution: nn.Conv1d) -> None:
    """Make what leaves the gated linear unit the mean of a window: twice the mean, times a gate of one half."""
    channels, _, window = convolution.weight.shape
    assert convolution.bias is not None
    convolution.weight.zero_()
    convolution.bias.zero_()
    convolution.weight[torch.arange(channels // 2), torch.arange(channels // 2)] = 2.0 / window
