import pytest
import torch
from torch import nn

from fairseq_samu.models.speech_encoders import build_speech_encoder

SIZES = {"dim": 32, "ffn_dim": 48, "num_layers": 2, "num_heads": 4}
WAVE = {"conv_layers": [[16, 10, 5], *[[16, 3, 2]] * 4, *[[16, 2, 2]] * 2], "conv_pos": 16, "conv_pos_groups": 4}
TINY = {
    "whisper": {"family": "whisper", "num_mel_bins": 80, "max_frames": 1500, **SIZES},
    "xlsr": {
        "family": "wav2vec2", "extractor_norm": "layer", "pre_norm": True, "conv_bias": True, "normalize": True,
        **SIZES, **WAVE,
    },
    "hubert": {"family": "wav2vec2", "extractor_norm": "group", "pre_norm": False, **SIZES, **WAVE},
}  # fmt: skip


@pytest.fixture
def build_tiny():
    """Builder of tiny encoders with random weights everywhere, also where training starts at 0 or 1."""

    def build(name, **options):
        torch.manual_seed(0)
        encoder = build_speech_encoder({**TINY[name], **options})
        for parameter in encoder.parameters():
            nn.init.normal_(parameter, std=0.2)
        return encoder.eval()

    return build
