"""Options of the length compressor between a head for CTC and what follows it, and its start in the middle of a run.

A model that has one mixes :class:`CompressorOptions` into its config, adds :func:`find_compressor_faults` to its own,
sets ``self.compressor = build_compressor(cfg, dim)`` and calls it as :class:`LookbackCompressor` says. No more is
needed for ``compressor_start_update``: the host tells every module of a model the number of updates, and the compressor
keeps it.
"""

from dataclasses import dataclass, field
from typing import Any, Optional

import torch
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from torch import Tensor

from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.modules.lookback_compressor import SCOPES, CompressedFrames, LookbackCompressor
from fairseq_samu.ops.segmentation import BLANK_RULES, REPRESENTATIVES, find_segments

OFF = "off"
KINDS = (OFF, *REPRESENTATIVES)


@dataclass
class CompressorOptions(FairseqDataclass):
    """Options of the length compressor inside a model."""

    compressor: ChoiceEnum(KINDS) = field(  # type: ignore[valid-type]
        default=OFF,
        metadata={
            "help": "make one frame of each run of frames with the same CTC label: its first frame, their mean, their "
            "mean weighted by the label's probability or by the softmax of that (arXiv:2311.03810, arXiv:2102.01578)"
        },
    )
    compressor_lookback: ChoiceEnum(SCOPES) = field(  # type: ignore[valid-type]
        default="segment",
        metadata={"help": "what the frame of a run looks back at by attention: nothing, its own run, or all frames"},
    )
    compressor_blanks: ChoiceEnum(BLANK_RULES) = field(  # type: ignore[valid-type]
        default="keep",
        metadata={"help": "runs of blanks: keep them as frames, drop them, or merge them into the run before"},
    )
    compressor_heads: int = field(default=8, metadata={"help": "attention heads of the compressor"})
    compressor_ffn_dim: int = field(
        default=2048, metadata={"help": "inner size of the compressor's feed-forward network"}
    )
    compressor_dropout: float = field(default=0.1, metadata={"help": "dropout of the compressor, where it is tuned"})
    compressor_start_update: int = field(
        default=0,
        metadata={"help": "updates at the start in which nothing is compressed, nor by a checkpoint of that time"},
    )
    compressor_max_length: int = field(
        default=0,
        metadata={"help": "most frames left of an utterance, of which the last takes the rest (0 = no limit)"},
    )


def find_compressor_faults(cfg: CompressorOptions, model: str) -> list[str]:
    """Describe every option of the compressor that cannot work, for a model's ``validate``."""
    faults = []

    def check(name: str, holds: bool, rule: str) -> None:
        if not holds:
            option = f"--{name.replace('_', '-')}"
            faults.append(explain(model, name, rule, getattr(cfg, name), f"Set {option}."))

    choices = {"compressor": KINDS, "compressor_lookback": SCOPES, "compressor_blanks": BLANK_RULES}
    for name, allowed in choices.items():
        check(name, getattr(cfg, name) in allowed, f"one of {', '.join(allowed)}")
    check("compressor_heads", cfg.compressor_heads > 0, "positive")
    check("compressor_ffn_dim", cfg.compressor_ffn_dim > 0, "positive")
    check("compressor_dropout", 0.0 <= cfg.compressor_dropout < 1.0, "a probability below 1")
    check("compressor_start_update", cfg.compressor_start_update >= 0, "0 or more")
    check("compressor_max_length", cfg.compressor_max_length >= 0, "0 or more")
    return faults


class ScheduledCompressor(LookbackCompressor):
    """A compressor that leaves the frames as they are until an update.

    The number of updates is a buffer, ``num_updates``: whoever decodes with a checkpoint, by the host or not,
    compresses if and only if the run did when the checkpoint was written. Models without a compressor have no such
    buffer, and so their checkpoints stay what they were.

    Args:
        dim: features D of a frame.
        start_update: updates that are done without.
        **options: see :class:`LookbackCompressor`.
    """

    num_updates: Tensor

    def __init__(self, dim: int, start_update: int = 0, **options: Any) -> None:
        super().__init__(dim, **options)
        self.start_update = start_update
        self.register_buffer("num_updates", torch.zeros((), dtype=torch.int64))

    def set_num_updates(self, num_updates: int) -> None:
        """Told by the host before each update how many were done."""
        self.num_updates.fill_(num_updates)

    @property
    def is_active(self) -> bool:
        """Whether frames are compressed by now."""
        return self.start_update == 0 or int(self.num_updates) >= self.start_update

    def forward(
        self, frames: Tensor, logits: Optional[Tensor], padding_mask: Tensor, labels: Optional[Tensor] = None
    ) -> CompressedFrames:
        """Compress, or hand out the frames with a segment for each; see :class:`LookbackCompressor`."""
        if self.is_active:
            return super().forward(frames, logits, padding_mask, labels)
        numbers = torch.arange(frames.size(1), device=frames.device).expand_as(padding_mask)
        return CompressedFrames(frames, padding_mask, find_segments(numbers, padding_mask))

    def attention_weights(
        self, frames: Tensor, logits: Optional[Tensor], padding_mask: Tensor, labels: Optional[Tensor] = None
    ) -> Tensor:
        """See :class:`LookbackCompressor`; as long as nothing is compressed, every frame attends to itself."""
        if self.is_active:
            return super().attention_weights(frames, logits, padding_mask, labels)
        dtype = torch.promote_types(frames.dtype, torch.float32)
        return torch.diag_embed(torch.logical_not(padding_mask).to(dtype))


def build_compressor(cfg: CompressorOptions, dim: int) -> Optional[ScheduledCompressor]:
    """Build the compressor of a model.

    Args:
        cfg: options.
        dim: features D of a frame.

    Returns:
        With random weights; None where the options have none.

    Raises:
        ConfigError: the heads do not divide the features.
    """
    if cfg.compressor == OFF:
        return None
    if cfg.compressor_lookback != "none" and dim % cfg.compressor_heads:
        rule, mend = f"a divisor of the {dim} features of a frame", "Set --compressor-heads."
        raise ConfigError(explain("", "compressor_heads", rule, cfg.compressor_heads, mend))
    return ScheduledCompressor(
        dim,
        cfg.compressor_start_update,
        representative=str(cfg.compressor),
        scope=str(cfg.compressor_lookback),
        blanks=str(cfg.compressor_blanks),
        num_heads=cfg.compressor_heads,
        ffn_dim=cfg.compressor_ffn_dim,
        dropout=cfg.compressor_dropout,
        max_segments=cfg.compressor_max_length,
    )
