"""Group norm over time that counts valid frames only."""

import torch
from torch import Tensor, nn


class MaskedChannelNorm(nn.Module):
    """Normalise every channel over the valid frames of its row: group norm with one group a channel.

    The host's extractor takes the statistics over padding too, so that a row's frames depend on the batch it stands
    in. State-dict names are those of ``nn.GroupNorm``. Computed in float32 at least.

    Args:
        num_channels: channels C.
        eps: added to the variance.
    """

    def __init__(self, num_channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Normalise.

        Args:
            x: (B, C, T).
            padding_mask: (B, T) bool, True = padding, or None where nothing is padded.

        Returns:
            (B, C, T) of the type of ``x``; zero at padding.
        """
        dtype = torch.promote_types(x.dtype, torch.float32)
        weight, bias = self.weight.to(dtype), self.bias.to(dtype)
        if padding_mask is None:
            return torch.group_norm(x.to(dtype), x.size(1), weight, bias, self.eps).to(x.dtype)
        padding = padding_mask[:, None, :]
        count = (~padding).sum(dim=-1, keepdim=True)
        values = x.to(dtype).masked_fill(padding, 0.0)
        mean = values.sum(dim=-1, keepdim=True) / count
        centred = (values - mean).masked_fill(padding, 0.0)
        scale = torch.rsqrt(centred.square().sum(dim=-1, keepdim=True) / count + self.eps) * weight[:, None]
        return torch.addcmul(bias[:, None], centred, scale).masked_fill(padding, 0.0).to(x.dtype)


class ChannelLayerNorm(nn.LayerNorm):
    """Layer norm over the channels of (B, C, T) features, in float32 at least.

    State-dict names are those of ``nn.LayerNorm``.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, T) features frame by frame."""
        dtype = torch.promote_types(x.dtype, torch.float32)
        weight, bias = self.weight.to(dtype), self.bias.to(dtype)
        values = x.to(dtype)
        is_channels_last = values.stride(1) == 1
        if is_channels_last or (torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)):
            # (B, C, T) -> (B, T, C) and back
            normed = nn.functional.layer_norm(values.transpose(1, 2), self.normalized_shape, weight, bias, self.eps)
            return normed.transpose(1, 2).to(x.dtype)
        # The same without a transpose, which costs more than the norm where nothing is kept for gradients; and without
        # torch.var_mean, which takes twice the time of the passes over memory here.
        centred = values - values.mean(dim=1, keepdim=True)
        variance = torch.linalg.vector_norm(centred, dim=1, keepdim=True).square_() / x.size(1)
        centred.mul_(torch.rsqrt(variance + self.eps))
        return torch.addcmul(bias[:, None], centred, weight[:, None], out=centred).to(x.dtype)
