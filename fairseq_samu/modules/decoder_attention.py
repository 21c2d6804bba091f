"""The two attentions of a transformer decoder, for whole texts and one token at a time."""

from torch import Tensor, nn

from fairseq_samu.ops.attention import attend


class Attention(nn.Module):
    """Projections of a multi-head attention (section 3.2.2 of arXiv:1706.03762), named as in mBART's checkpoints.

    Args:
        dim: features of a position.
        num_heads: heads; must divide ``dim``.
        dropout: dropout probability of the attention weights.
    """

    def __init__(self, dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.q_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def split(self, projected: Tensor) -> Tensor:
        """(B, U, D) -> (B, heads, U, D / heads)."""
        batch, length, _ = projected.shape
        return projected.view(batch, length, self.num_heads, -1).transpose(1, 2)

    def join(self, attended: Tensor) -> Tensor:
        """(B, heads, U, D / heads) -> (B, U, D), through the output projection."""
        batch, heads, length, width = attended.shape
        return self.out_proj(attended.transpose(1, 2).reshape(batch, length, heads * width))

    def attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Attend from (B, heads, U, D / heads) to (B, heads, T, D / heads), see :func:`ops.attention.attend`."""
        return attend(queries, keys, values, mask, causal, self.dropout if self.training else 0.0)


class PastTokens:
    """Keys and values of the tokens that a layer has seen, for decoding one token at a time.

    Room is made for more tokens than there are, so that a step does not copy all of them.

    Attributes:
        length: tokens seen.
    """

    def __init__(self) -> None:
        self.length = 0
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add (R, heads, U, d) keys and values; hand out those of all tokens, (R, heads, length, d) each."""
        end = self.length + keys.size(2)
        if self._keys is None or self._values is None or end > self._keys.size(2):
            self._keys, self._values = self._widen(self._keys, keys, end), self._widen(self._values, values, end)
        self._keys[:, :, self.length : end] = keys
        self._values[:, :, self.length : end] = values
        self.length = end
        return self._keys[:, :, :end], self._values[:, :, :end]

    def reorder(self, order: Tensor) -> None:
        """Keep the rows of ``order`` (R',) int64, in that order."""
        if self._keys is not None and self._values is not None:
            self._keys, self._values = self._keys.index_select(0, order), self._values.index_select(0, order)

    def _widen(self, old: Tensor | None, new: Tensor, length: int) -> Tensor:
        wide = new.new_zeros((new.size(0), new.size(1), 2 * length + 14, new.size(3)))
        if old is not None:
            wide[:, :, : self.length] = old[:, :, : self.length]
        return wide


class CausalSelfAttention(Attention):
    """Every token attends to itself and to those before it."""

    def forward(self, x: Tensor, past: PastTokens | None = None) -> Tensor:
        """Attend.

        Args:
            x: (B, U, D) all tokens of a text; with ``past`` the next token alone, U = 1.
            past: what the layer has seen of each row; the new token is added.

        Returns:
            (B, U, D).
        """
        queries, keys, values = (self.split(project(x)) for project in (self.q_proj, self.k_proj, self.v_proj))
        if past is None:
            return self.join(self.attend(queries, keys, values, causal=True))
        keys, values = past.append(keys, values)
        return self.join(self.attend(queries, keys, values))


class CrossAttention(Attention):
    """Every token attends to the frames of its utterance.

    The frames of an utterance are projected once, however many hypotheses a beam search has for it.
    """

    def project_frames(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B, heads, T, D / heads) of (B, T, D) frames."""
        return self.split(self.k_proj(frames)), self.split(self.v_proj(frames))

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Attend.

        Args:
            x: (R, U, D) tokens; R is B, or B times the beam with the hypotheses of an utterance side by side.
            keys: (B, heads, T, D / heads).
            values: likewise.
            mask: (B, 1, 1, T) bool, True = may be attended to, or None where nothing is padded.

        Returns:
            (R, U, D).
        """
        rows, length, dim = x.shape
        # (R, U, D) -> (B, beam * U, D): all hypotheses of an utterance ask the same keys
        queries = self.split(self.q_proj(x).view(keys.size(0), -1, dim))
        return self.join(self.attend(queries, keys, values, mask)).view(rows, length, dim)
