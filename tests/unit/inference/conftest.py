import json

import pytest
import torch
from torch import nn

from fairseq_samu.models.samu_xlsr import SamuXlsrConfig, SamuXlsrModel

SIZES = {"dim": 32, "ffn_dim": 48, "num_layers": 2, "num_heads": 4}
WAVE = {"conv_layers": [[16, 10, 5], *[[16, 3, 2]] * 4, *[[16, 2, 2]] * 2], "conv_pos": 16, "conv_pos_groups": 4}
ENCODERS = {
    "whisper": {"family": "whisper", "num_mel_bins": 80, "max_frames": 1500, **SIZES},
    "xlsr": {
        "family": "wav2vec2",
        "extractor_norm": "layer",
        "pre_norm": True,
        "conv_bias": True,
        "normalize": True,
        **SIZES,
        **WAVE,
    },
    "hubert": {"family": "wav2vec2", "extractor_norm": "group", **SIZES, **WAVE},
}
HEADS = {
    "plain": {"embedding_dim": 12},
    "large": {"embedding_dim": 12, "num_pooling_heads": 2, "frame_perceptron_dim": 16},
}


@pytest.fixture
def trained(tmp_path):
    """Writer of training checkpoints: the model, and the file that the trainer would leave of it."""

    def write(encoder="whisper", head="plain", **options):
        torch.manual_seed(0)
        settings = {"encoder_config": json.dumps(ENCODERS[encoder]), **HEADS[head], **options}
        model = SamuXlsrModel.build_model(SamuXlsrConfig(**settings, seed=1)).eval()
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.2)
        settings["embedding_dim"] = 0  # left to the teacher's size
        config = {"model": {"_name": "samu_xlsr", "encoder_path": "/of/the/training/machine.pt", **settings}}
        path = tmp_path / f"{encoder}_{head}.pt"
        torch.save({"args": None, "cfg": config, "model": model.state_dict(), "extra_state": {"epoch": 3}}, path)
        return path, model

    return write
