"""mBART's architecture, small, for the host's own trainer: `fairseq-train --user-dir mbart_small --arch mbart_small`.

512 wide like Whisper-base's encoder; 3 encoder layers, which only the pre-training needs, and 4 decoder layers.
"""

from argparse import Namespace

import torch
from fairseq.models import register_model_architecture
from fairseq.models.bart.model import mbart_base_architecture

SIZES = {"embed_dim": 512, "ffn_embed_dim": 2048, "attention_heads": 8}
LAYERS = {"encoder": 3, "decoder": 4}

# The host keeps this model's settings in its checkpoints as a Namespace, which torch does not read unless told to.
torch.serialization.add_safe_globals([Namespace])


@register_model_architecture("bart", "mbart_small")
def mbart_small_architecture(args: Namespace) -> None:
    """Set the sizes; all else is mBART's: pre-norm, learned positions, normalised embeddings, one embedding matrix."""
    for side, layers in LAYERS.items():
        setattr(args, f"{side}_layers", layers)
        setattr(args, f"{side}_normalize_before", True)
        for name, size in SIZES.items():
            setattr(args, f"{side}_{name}", size)
    mbart_base_architecture(args)
    if getattr(args, "cpu", False):
        # The host takes --bf16 for a wish to train on a TPU. CPUs have it too, and there it is faster as well.
        args.tpu = False
        # Gradients that all but vanish are numbers on which a CPU is slow: an update took five times as long.
        torch.set_flush_denormal(True)
