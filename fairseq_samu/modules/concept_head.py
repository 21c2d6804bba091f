"""The head that tags concepts: labels of CTC from frames."""

from torch import Tensor, nn

from fairseq_samu.modules.bidirectional_lstm import BidirectionalLstm


class ConceptHead(nn.Module):
    """Frames to logits of labels: bidirectional LSTM -> linear -> LeakyReLU -> dropout -> linear.

    Source: section 3 of arXiv:2406.12141 (three layers of 1024 a direction, 2048 -> 1024, one softmax over characters
    and concept tags).

    Args:
        dim: D, size of a frame.
        num_labels: V, with the blank.
        lstm_dim: size of a direction of the LSTM.
        num_lstm_layers: its layers.
        hidden_dim: size between the two linear layers.
        dropout: between the layers of the LSTM, and before the last linear layer.
    """

    def __init__(
        self,
        dim: int,
        num_labels: int,
        lstm_dim: int = 1024,
        num_lstm_layers: int = 3,
        hidden_dim: int = 1024,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.lstm = BidirectionalLstm(dim, lstm_dim, num_lstm_layers, dropout)
        self.hidden = nn.Linear(self.lstm.output_dim, hidden_dim)
        self.activation = nn.LeakyReLU()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_dim, num_labels)

    def forward(self, frames: Tensor, padding_mask: Tensor) -> Tensor:
        """Logits (B, T, V) of (B, T, D) frames with their (B, T) bool mask, True = padding."""
        states = self.hidden(self.lstm(frames, padding_mask))
        return self.output(self.dropout(self.activation(states)))
