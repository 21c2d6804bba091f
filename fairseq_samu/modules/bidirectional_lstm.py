"""A bidirectional LSTM that padding cannot reach, without packed sequences."""

import torch
from torch import Tensor, nn


class BidirectionalLstm(nn.LSTM):
    """Layers of LSTM that read every row in both directions; parameters and results are those of ``nn.LSTM``.

    Source: the contextualiser of arXiv:2406.12141. On a CPU a packed sequence keeps PyTorch from the fused kernel of
    oneDNN. Here each row is turned round within its own length instead, so that both directions meet padding last,
    where it changes nothing, and the fused kernel runs. On other devices the sequence is packed, as cuDNN likes it.

    Args:
        input_dim: features D of a frame.
        hidden_dim: features H of a direction.
        num_layers: how many layers.
        dropout: between layers, in training.
    """

    def __init__(self, input_dim: int, hidden_dim: int, num_layers: int = 1, dropout: float = 0.0) -> None:
        between = dropout if num_layers > 1 else 0.0
        super().__init__(input_dim, hidden_dim, num_layers, batch_first=True, bidirectional=True, dropout=between)

    @property
    def output_dim(self) -> int:
        """Features of an output frame: both directions."""
        return 2 * self.hidden_size

    def forward(self, frames: Tensor, padding_mask: Tensor) -> Tensor:  # type: ignore[override]
        """Read frames in context.

        Args:
            frames: (B, T, D) float.
            padding_mask: (B, T) bool, True = padding (at the end of rows).

        Returns:
            (B, T, 2H) float, zero at padding.
        """
        lengths = (~padding_mask).sum(dim=1)
        if frames.device.type != "cpu":
            return self.run_packed(frames, lengths)
        if bool((lengths == frames.size(1)).all()):
            return super().forward(frames)[0]
        reversal = reverse_within(lengths, frames.size(1))
        keep = (~padding_mask).unsqueeze(2)
        for layer in range(self.num_layers):
            if layer:
                frames = nn.functional.dropout(frames, self.dropout, self.training)
            onward = self._run_direction(frames, layer, "")
            back = _reorder(self._run_direction(_reorder(frames, reversal), layer, "_reverse"), reversal)
            frames = torch.where(keep, torch.cat([onward, back], dim=2), 0.0)
        return frames

    def run_packed(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Read (B, T, D) frames of (B,) int64 lengths as a packed sequence; gives (B, T, 2H), zero at padding."""
        packed = nn.utils.rnn.pack_padded_sequence(
            frames, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        states = nn.utils.rnn.pad_packed_sequence(
            super().forward(packed)[0], batch_first=True, total_length=frames.size(1)
        )[0]
        return states.masked_fill((lengths == 0)[:, None, None], 0.0)

    def _run_direction(self, frames: Tensor, layer: int, suffix: str) -> Tensor:
        """Run one direction of one layer over (B, T, D) from the first frame to the last: (B, T, H)."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = [getattr(self, f"{name}_l{layer}{suffix}") for name in names]
        start = frames.new_zeros(1, frames.size(0), self.hidden_size)
        return torch.lstm(frames, (start, start), weights, True, 1, 0.0, self.training, False, True)[0]


def reverse_within(lengths: Tensor, size: int) -> Tensor:
    """Positions that turn each row round within its length and leave its padding where it is.

    Args:
        lengths: (B,) int64.
        size: T.

    Returns:
        (B, T) int64; applied twice they change nothing.
    """
    places = torch.arange(size, device=lengths.device).expand(len(lengths), size)
    return torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)


def _reorder(frames: Tensor, places: Tensor) -> Tensor:
    return frames.gather(1, places.unsqueeze(2).expand(-1, -1, frames.size(2)))
