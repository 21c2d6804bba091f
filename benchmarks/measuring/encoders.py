"""Encoders of random weights that behave as trained ones do."""

import math
from typing import Any

import torch
from torch import Tensor

SHARPNESS = 4.0  # standard deviation of the attentions' logits: a few positions are attended to, not the mean of all
RESIDUAL_GAIN = 2.0


def wav2vec2_config(dim: int, layers: int, heads: int, channels: int, conv_pos: int = 128) -> dict[str, Any]:
    """Config of an encoder like XLS-R, as the package reads it (plain JSON); `channels` are the convolutions'."""
    convolutions = [[channels, 10, 5], *[[channels, 3, 2]] * 4, *[[channels, 2, 2]] * 2]
    return {
        "family": "wav2vec2",
        "dim": dim,
        "ffn_dim": 4 * dim,
        "num_layers": layers,
        "num_heads": heads,
        "conv_layers": convolutions,
        "conv_bias": True,
        "extractor_norm": "layer",
        "pre_norm": True,
        "conv_pos": conv_pos,
        "conv_pos_groups": min(16, heads),
    }


def draw_weight(name: str, shape: torch.Size, generator: torch.Generator, layers: int) -> Tensor:
    """Draw a parameter of an encoder or a decoder with so many layers in all, so that its outputs are of use."""
    tensor = torch.empty(shape).normal_(generator=generator)
    if name.endswith("weight_g"):
        return tensor.mul_(0.1).add_(4.0)
    if len(shape) < 2:
        is_norm_weight = ("norm" in name and name.endswith("weight")) or ".2.1.weight" in name
        return tensor.mul_(0.1).add_(1.0) if is_norm_weight else tensor.mul_(0.1)
    fan_in = shape[-1] if name.endswith(("embed_tokens.weight", "embed_positions.weight")) else shape[1:].numel()
    residual = name.endswith(("out_proj.weight", "fc2.weight", "up.weight"))
    gain = RESIDUAL_GAIN / math.sqrt(layers) if residual else 1.0
    if name.endswith("q_proj.weight"):
        gain = SHARPNESS
    return tensor.mul_(gain / math.sqrt(fan_in))
