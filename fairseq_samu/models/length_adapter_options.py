"""Options of the length adapter between a speech encoder and what works on text.

A model that has one mixes :class:`LengthAdapterOptions` into its config, adds :func:`find_length_adapter_faults` to its
own, sets ``self.length_adapter = build_length_adapter(cfg, dim)`` and calls it, where it is one, with frames (B, T, D)
and their mask (B, T), for fewer frames and their mask.
"""

from dataclasses import dataclass, field
from typing import Optional, Union

from fairseq.dataclass import ChoiceEnum, FairseqDataclass

from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.modules.conformer_length_adapter import ConformerLengthAdapter
from fairseq_samu.modules.length_adapter import LengthAdapter

CONVOLUTION, CONFORMER = "convolution", "conformer"
KINDS = (CONVOLUTION, CONFORMER)


@dataclass
class LengthAdapterOptions(FairseqDataclass):
    """Options of the length adapter inside a model."""

    num_length_adapter_layers: int = field(
        default=0,
        metadata={
            "help": "layers between the speech encoder and what works on text, each shortens the frames (0, none)"
        },
    )
    length_adapter_kind: ChoiceEnum(KINDS) = field(  # type: ignore[valid-type]
        default=CONVOLUTION,
        metadata={
            "help": "layers of the length adapter: convolutions that halve the frames (arXiv:2010.12829), or "
            "SeamlessM4T's with self-attention that leave an eighth (arXiv:2410.13445, where one layer is tuned)"
        },
    )
    length_adapter_stride: int = field(
        default=8, metadata={"help": "frames of which a layer of a conformer length adapter makes one; even"}
    )
    length_adapter_heads: int = field(default=16, metadata={"help": "attention heads of a conformer length adapter"})
    length_adapter_ffn_dim: int = field(
        default=0,
        metadata={
            "help": "inner size of a conformer length adapter's feed-forward networks (0 = four times its features)"
        },
    )
    length_adapter_dropout: float = field(
        default=0.1, metadata={"help": "dropout of a conformer length adapter, where it is tuned"}
    )


def find_length_adapter_faults(cfg: LengthAdapterOptions, model: str) -> list[str]:
    """Describe every option of the length adapter that cannot work, for a model's ``validate``."""
    faults = []

    def check(name: str, holds: bool, rule: str) -> None:
        if not holds:
            option = f"--{name.replace('_', '-')}"
            faults.append(explain(model, name, rule, getattr(cfg, name), f"Set {option}."))

    stride = cfg.length_adapter_stride
    check("num_length_adapter_layers", cfg.num_length_adapter_layers >= 0, "0 or more")
    check("length_adapter_kind", cfg.length_adapter_kind in KINDS, f"one of {', '.join(KINDS)}")
    check("length_adapter_stride", stride > 0 and stride % 2 == 0, "positive and even")
    check("length_adapter_heads", cfg.length_adapter_heads > 0, "positive")
    check("length_adapter_ffn_dim", cfg.length_adapter_ffn_dim >= 0, "0 or more")
    check("length_adapter_dropout", 0.0 <= cfg.length_adapter_dropout < 1.0, "a probability below 1")
    return faults


def build_length_adapter(cfg: LengthAdapterOptions, dim: int) -> Optional[Union[LengthAdapter, ConformerLengthAdapter]]:
    """Build the length adapter of a model.

    Args:
        cfg: options.
        dim: features D of a frame.

    Returns:
        As it starts; None where the options have no layers.

    Raises:
        ConfigError: the heads do not divide the features.
    """
    layers = cfg.num_length_adapter_layers
    if not layers:
        return None
    if cfg.length_adapter_kind == CONVOLUTION:
        return LengthAdapter(dim, layers)
    if dim % cfg.length_adapter_heads:
        rule, mend = f"a divisor of the {dim} features of a frame", "Set --length-adapter-heads."
        raise ConfigError(explain("", "length_adapter_heads", rule, cfg.length_adapter_heads, mend))
    return ConformerLengthAdapter(
        dim,
        cfg.length_adapter_ffn_dim or 4 * dim,
        cfg.length_adapter_heads,
        layers,
        cfg.length_adapter_stride,
        cfg.length_adapter_dropout,
    )
