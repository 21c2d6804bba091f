"""mBART's decoder over the frames of a speech encoder."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.modules.decoder_attention import PastTokens
from fairseq_samu.modules.decoder_layer import DecoderLayer
from fairseq_samu.modules.fast_linear import use_fast_products
from fairseq_samu.modules.named_adapters import AdaptedRows
from fairseq_samu.modules.transformer_layer import ACTIVATIONS, valid_keys
from fairseq_samu.ops.fast_products import linear

POSITION_OFFSET = 2  # of mBART's table of positions, whose first rows are never used


@dataclass(frozen=True)
class MBartDecoderConfig:
    """Sizes of the decoder, as they stand in checkpoints (plain JSON); the defaults are mBART-50's.

    Attributes:
        vocabulary_size: tokens V, language tags included.
        dim: features of a token.
        ffn_dim: inner features of the feed-forward networks.
        num_layers: layers.
        num_heads: attention heads; must divide ``dim``.
        max_positions: longest text in tokens.
        activation: non-linearity of the feed-forward networks.
        num_added_tags: the last tokens of the vocabulary that are language tags added to a pre-trained decoder.
        scale_embedding: multiply embeddings by the square root of ``dim``.
        dropout: dropout before each residual sum and of the embeddings, in training.
        attention_dropout: dropout of the attention weights, in training.
    """

    vocabulary_size: int
    dim: int = 1024
    ffn_dim: int = 4096
    num_layers: int = 12
    num_heads: int = 16
    max_positions: int = 1024
    activation: str = "gelu"
    num_added_tags: int = 0
    scale_embedding: bool = True
    dropout: float = 0.0
    attention_dropout: float = 0.0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "MBartDecoderConfig":
        """Build a config from plain JSON.

        Raises:
            ConfigError: with every unknown, missing or impossible value at once.
        """
        known = {item.name for item in fields(cls)}
        mend = "Set --decoder-config."
        faults = [
            explain("decoder config", name, f"one of {', '.join(sorted(known))}", name, mend)
            for name in values
            if name not in known
        ]
        sizes = ("vocabulary_size", "dim", "ffn_dim", "num_layers", "num_heads", "max_positions")
        for name in sizes:
            value = values.get(name, getattr(cls, name, None))
            if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
                faults.append(explain("decoder config", name, "a positive number", value, mend))
        if values.get("activation", "gelu") not in ACTIVATIONS:
            faults.append(explain("decoder config", "activation", " or ".join(ACTIVATIONS), values["activation"], mend))
        if not faults and values.get("dim", cls.dim) % values.get("num_heads", cls.num_heads):
            faults.append(explain("decoder config", "num_heads", "a divisor of dim", values.get("num_heads"), mend))
        if faults:
            raise ConfigError(report_all(faults))
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON that :meth:`from_dict` takes."""
        return asdict(self)


class EncodedUtterances:
    """What a decoder attends to: keys and values of every layer, one row an utterance.

    Attributes:
        layers: keys and values (B, heads, T, D / heads) of each decoder layer.
        mask: (B, 1, 1, T) bool, True = may be attended to, or None where nothing is padded.
        adapters: (B,) int64, number of the decoder's adapter of each utterance, -1 for none; None for none of all.
    """

    def __init__(
        self, layers: Sequence[tuple[Tensor, ...]], mask: Tensor | None, adapters: Tensor | None = None
    ) -> None:
        self.layers = layers
        self.mask = mask
        self.adapters = adapters
        self._rows: dict[int, AdaptedRows] = {}

    def select(self, utterances: Tensor) -> "EncodedUtterances":
        """Keep the utterances of ``utterances`` (B',) int64, in that order."""
        layers = [tuple(part.index_select(0, utterances) for part in layer) for layer in self.layers]
        others = (None if part is None else part.index_select(0, utterances) for part in (self.mask, self.adapters))
        return EncodedUtterances(layers, *others)

    def adapted_rows(self, num_rows: int) -> AdaptedRows | None:
        """Sort rows by their adapter, when the hypotheses of an utterance stand side by side in R rows.

        They are sorted once, not in every step of a search.
        """
        if self.adapters is None:
            return None
        if num_rows not in self._rows:
            beam = num_rows // len(self.adapters)
            self._rows[num_rows] = AdaptedRows.of(self.adapters.repeat_interleave(beam))
        return self._rows[num_rows]


class MBartDecoder(nn.Module):
    """Decoder of mBART-50 (arXiv:2008.00401): learned positions, norms first, output tied to the embedding.

    Args:
        config: sizes.
        pad: id of the padding token.
    """

    def __init__(self, config: MBartDecoderConfig, pad: int = 1) -> None:
        super().__init__()
        self.config = config
        self.added_tags: Optional[nn.Parameter]
        self.scale = math.sqrt(config.dim) if config.scale_embedding else 1.0
        self.embed_tokens = nn.Embedding(config.vocabulary_size, config.dim, padding_idx=pad)
        # What is learnt about an added tag stands apart, so that the pre-trained embedding can stay frozen.
        added = nn.Parameter(torch.zeros(config.num_added_tags, config.dim)) if config.num_added_tags else None
        self.register_parameter("added_tags", added)
        self.embed_positions = nn.Embedding(config.max_positions + POSITION_OFFSET, config.dim)
        nn.init.normal_(self.embed_tokens.weight, std=config.dim**-0.5)
        nn.init.normal_(self.embed_positions.weight, std=config.dim**-0.5)
        self.layernorm_embedding = nn.LayerNorm(config.dim)
        self.layers = nn.ModuleList(
            DecoderLayer(
                config.dim,
                config.ffn_dim,
                config.num_heads,
                config.activation,
                config.dropout,
                config.attention_dropout,
            )
            for _ in range(config.num_layers)
        )
        self.layer_norm = nn.LayerNorm(config.dim)
        use_fast_products(self)

    def project_frames(self, frames: Tensor, padding_mask: Tensor, adapters: Tensor | None = None) -> EncodedUtterances:
        """Prepare frames for attention in every layer.

        Args:
            frames: (B, T, D).
            padding_mask: (B, T) bool, True = padding.
            adapters: (B,) int64, see :class:`EncodedUtterances`.
        """
        layers = [layer.encoder_attn.project_frames(frames) for layer in self.decoder_layers()]
        return EncodedUtterances(layers, valid_keys(padding_mask) if bool(padding_mask.any()) else None, adapters)

    def forward(
        self, tokens: Tensor, encoded: EncodedUtterances, past: list[PastTokens] | None = None, position: int = 0
    ) -> Tensor:
        """Decode.

        Args:
            tokens: (R, U) int64 ids of what was written so far: whole texts, or with ``past`` the last token alone.
                R is B, or B times the beam with the hypotheses of an utterance side by side.
            encoded: the utterances.
            past: what each layer has seen of each row.
            position: number of tokens before ``tokens``.

        Returns:
            (R, U, D) states, of which :meth:`project` makes logits of the next token.

        Raises:
            ConfigError: a text is longer than the positions reach.
        """
        end = position + tokens.size(1)
        if end > self.config.max_positions:
            mend = "Shorten the text, or decode with a smaller --max-len-b."
            rule = f"at most {self.config.max_positions} tokens long"
            raise ConfigError(explain("decoder", "text", rule, end, mend))
        positions = self.embed_positions.weight[position + POSITION_OFFSET : end + POSITION_OFFSET]
        x = self.layernorm_embedding(self._embed(tokens) * self.scale + positions)
        x = F.dropout(x, self.config.dropout, self.training)
        rows = encoded.adapted_rows(tokens.size(0))
        for index, (layer, (keys, values)) in enumerate(zip(self.decoder_layers(), encoded.layers, strict=True)):
            x = layer(x, keys, values, encoded.mask, past[index] if past is not None else None, rows)
        return self.layer_norm(x)

    def _embed(self, tokens: Tensor) -> Tensor:
        """Embed (R, U) ids as (R, U, D)."""
        x = self.embed_tokens(tokens)
        if self.added_tags is None:
            return x
        number = tokens - (self.config.vocabulary_size - len(self.added_tags))
        learnt = F.embedding(number.clamp(min=0), self.added_tags)
        return x + learnt * (number >= 0).unsqueeze(2).to(x.dtype)

    def project(self, hidden: Tensor) -> Tensor:
        """Logits (..., V) of (..., D) states, by the tied embedding."""
        return linear(hidden, self.embed_tokens.weight)

    def decoder_layers(self) -> list[DecoderLayer]:
        """Layers in their order."""
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]

    def trim_vocabulary(self, kept: Tensor) -> None:
        """Keep the tokens of ``kept`` (V',) int64 alone, renumbered in that order; their logits do not change."""
        old = self.embed_tokens
        trimmed = nn.Embedding(len(kept), self.config.dim, padding_idx=old.padding_idx, device="meta")
        trimmed.weight = nn.Parameter(old.weight.detach()[kept.to(old.weight.device)], old.weight.requires_grad)
        self.embed_tokens = trimmed
        sizes = {"vocabulary_size": len(kept)}
        if self.added_tags is not None:
            first = self.config.vocabulary_size - len(self.added_tags)
            rows = kept[kept >= first] - first
            added = nn.Parameter(self.added_tags.detach()[rows.to(old.weight.device)], self.added_tags.requires_grad)
            self.added_tags = added if len(rows) else None
            sizes["num_added_tags"] = len(rows)
        self.config = MBartDecoderConfig(**{**self.config.to_dict(), **sizes})

    @staticmethod
    def group_of(name: str) -> str:
        """Name the group of a parameter, see :data:`DECODER_GROUPS`."""
        if name == "added_tags":
            return name
        if "norm" in name:
            return "layer_norms"
        if name.startswith("embed_"):
            return "decoder_embedding"
        for part, group in (("self_attn", "self_attention"), ("encoder_attn", "cross_attention")):
            if f".{part}." in name:
                return group
        return "feed_forward"


DECODER_GROUPS = ("decoder_embedding", "added_tags", "self_attention", "cross_attention", "feed_forward", "layer_norms")
