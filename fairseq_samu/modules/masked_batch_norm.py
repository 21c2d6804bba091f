"""Batch norm over sequences that counts valid positions only."""

import torch
from torch import Tensor, nn


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch norm over the valid positions of all rows, so that a batch gives the same however far it is padded.

    Arguments and state-dict names are those of ``nn.BatchNorm1d`` (arXiv:1502.03167), and so is the result where
    nothing is padded. Deviations: features stand last, statistics are computed in float32 at least, and a batch of
    one position is allowed (its variance is 0). Workers keep statistics of their own.
    """

    def forward(self, x: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Normalise by the batch's statistics in training, by the running ones in evaluation.

        Args:
            x: (B, T, D).
            padding_mask: (B, T) bool, True = padding, or None where nothing is padded.

        Returns:
            (B, T, D) of the type of ``x``; what stands at padding has no meaning.
        """
        mean, variance = self.running_mean, self.running_var
        assert mean is not None and variance is not None  # for the type checker: statistics are always kept
        dtype = torch.promote_types(x.dtype, torch.float32)
        values = x.to(dtype)
        if self.training:
            padding = None if padding_mask is None else padding_mask[:, :, None]
            values = values if padding is None else values.masked_fill(padding, 0.0)
            mean, variance = self._measure(values, padding)
        assert self.weight is not None and self.bias is not None
        scale = torch.rsqrt(variance.to(dtype) + self.eps) * self.weight.to(dtype)
        return torch.addcmul(self.bias.to(dtype) - mean.to(dtype) * scale, values, scale).to(x.dtype)

    def _measure(self, x: Tensor, padding: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and variance (D,) of the valid positions of (B, T, D), zero at padding; moves the running ones too."""
        ones = torch.ones_like(x[..., :1]) if padding is None else (~padding).to(x.dtype)
        count = ones.sum()
        mean = x.sum(dim=(0, 1)) / count
        variance = ((x - mean) * ones).square().sum(dim=(0, 1)) / count
        self._follow(mean.detach(), variance.detach(), count)
        return mean, variance

    def _follow(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics, the variance without bias, as torch does."""
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        share = self.momentum if self.momentum is not None else 0.1
        unbiased = variance * (count / (count - 1).clamp(min=1))
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), share)
        self.num_batches_tracked.add_(1)
