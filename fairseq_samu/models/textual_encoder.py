"""The encoder that speech and text share, and the sizes of all parts that work on text."""

from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.models.mbart_decoder import MBartDecoderConfig
from fairseq_samu.modules.local_to_global import LocalToGlobal, kernel_sizes
from fairseq_samu.modules.transformer_layer import ACTIVATIONS, TransformerLayer, valid_keys
from fairseq_samu.ops.positions import sinusoidal_positions


@dataclass(frozen=True)
class TextConfig:
    """Sizes of textual encoder and decoder, as they stand in checkpoints (plain JSON); the defaults are the paper's.

    Attributes:
        dim: features D of a token.
        ffn_dim: inner features of the feed-forward networks.
        num_heads: attention heads; must divide ``dim``.
        num_layers: layers of the textual encoder.
        decoder_layers: layers of the decoder.
        max_positions: longest target text in tokens; source texts and speech have no limit.
        activation: non-linearity of the feed-forward networks.
    """

    dim: int = 512
    ffn_dim: int = 2048
    num_heads: int = 8
    num_layers: int = 6
    decoder_layers: int = 6
    max_positions: int = 1024
    activation: str = "relu"

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TextConfig":
        """Build a config from plain JSON.

        Raises:
            ConfigError: with every unknown or impossible value at once.
        """
        known = [item.name for item in fields(cls)]
        mend = "Set --text-config."
        faults = [
            explain("text config", name, f"one of {', '.join(known)}", name, mend)
            for name in values
            if name not in known
        ]
        for name in known:
            value = values.get(name, getattr(cls, name))
            if name == "activation":
                if value not in ACTIVATIONS:
                    faults.append(explain("text config", name, " or ".join(ACTIVATIONS), value, mend))
            elif not isinstance(value, int) or isinstance(value, bool) or value <= 0:
                faults.append(explain("text config", name, "a positive number", value, mend))
        dim, heads = values.get("dim", cls.dim), values.get("num_heads", cls.num_heads)
        if not faults and (dim % heads or dim % 2 or dim < 4):
            faults.append(explain("text config", "dim", "even, 4 or more and a multiple of num_heads", dim, mend))
        if faults:
            raise ConfigError(report_all(faults))
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON that :meth:`from_dict` takes."""
        return asdict(self)

    def decoder(self, vocabulary_size: int, dropout: float) -> MBartDecoderConfig:
        """Sizes of the decoder for a vocabulary of so many tokens."""
        return MBartDecoderConfig(
            vocabulary_size=vocabulary_size,
            dim=self.dim,
            ffn_dim=self.ffn_dim,
            num_layers=self.decoder_layers,
            num_heads=self.num_heads,
            max_positions=self.max_positions,
            activation=self.activation,
            dropout=dropout,
        )


@dataclass(frozen=True)
class ExtractorConfig:
    """Kernels of the local-to-global extractor.

    Attributes:
        first_kernel: positions that the first layer's convolution sees; 0 for no extractor.
        step: how many more each following layer's sees.
        norm: "layer" or "batch".
    """

    first_kernel: int = 5
    step: int = 3
    norm: str = "layer"


class TextualEncoder(nn.Module):
    """Positions, pre-norm transformer layers, each behind a local-to-global extractor, and a final norm.

    Source: section 3 of arXiv:2311.03810. Speech (compressed frames) and text (embeddings) go the same way.

    Args:
        config: sizes.
        extractor: kernels of the extractors.
        dropout: dropout probability of the input, before each residual sum and inside the extractors.
    """

    def __init__(self, config: TextConfig, extractor: ExtractorConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.dim = config.dim
        self.dropout = dropout
        kernels = kernel_sizes(extractor.first_kernel, extractor.step, config.num_layers)
        self.extractors = nn.ModuleList(
            LocalToGlobal(config.dim, kernel, dropout, extractor.norm)
            for kernel in (kernels if extractor.first_kernel else ())
        )
        self.layers = nn.ModuleList(
            TransformerLayer(
                config.dim,
                config.ffn_dim,
                config.num_heads,
                pre_norm=True,
                dropout=dropout,
                activation=config.activation,
            )
            for _ in range(config.num_layers)
        )
        self.layer_norm = nn.LayerNorm(config.dim)
        self._positions = torch.zeros(0, config.dim)  # grows with the longest input seen

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Encode.

        Args:
            x: (B, S, D) compressed frames or scaled embeddings, without positions.
            padding_mask: (B, S) bool, True = padding; every row has a valid position.

        Returns:
            (B, S, D), zero at padding.
        """
        x = F.dropout(x + self._positions_of(x), self.dropout, self.training)
        mask = padding_mask if bool(padding_mask.any()) else None
        attention_mask = None if mask is None else valid_keys(mask)
        for index, layer in enumerate(self.layers):
            if len(self.extractors):
                x = self.extractors[index](x, mask)
            x = layer(x, attention_mask)
        x = self.layer_norm(x)
        return x if mask is None else x.masked_fill(mask[:, :, None], 0.0)

    def _positions_of(self, x: Tensor) -> Tensor:
        """Positions (S, D) in the dtype and on the device of ``x``."""
        if self._positions.size(0) < x.size(1) or self._positions.device != x.device:
            self._positions = sinusoidal_positions(max(x.size(1), 2 * self._positions.size(0)), self.dim).to(x.device)
        return self._positions[: x.size(1)].to(x.dtype)
