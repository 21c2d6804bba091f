"""A small perceptron on every frame of a frozen encoder."""

from torch import Tensor, nn


class FramePerceptron(nn.Module):
    """LayerNorm, two linear layers with GELU, and a residual path; frames stay independent of each other.

    An addition of ours for encoders that are frozen, where a linear head on pooled frames has too little to move.

    Args:
        dim: D, size of a frame.
        hidden_dim: inner size.
        dropout: probability on the inner activations.
    """

    def __init__(self, dim: int, hidden_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.inner = nn.Linear(dim, hidden_dim)
        self.activation = nn.GELU()
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(hidden_dim, dim)

    def forward(self, frames: Tensor) -> Tensor:
        """Transform (B, T, D) frames into frames of the same shape and dtype."""
        normed = self.norm(frames)
        return normed + self.outer(self.dropout(self.activation(self.inner(normed))))
