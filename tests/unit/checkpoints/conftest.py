import argparse

import pytest
import torch
from torch import nn

from fairseq_samu.models.speech_encoders import build_speech_encoder

SIZES = {"dim": 32, "ffn_dim": 48, "num_layers": 2, "num_heads": 4}
CONV = "[(16, 10, 5)] + [(16, 3, 2)] * 4 + [(16,2,2)] + [(16,2,2)]"
WAVE = {"conv_layers": [[16, 10, 5], *[[16, 3, 2]] * 4, *[[16, 2, 2]] * 2], "conv_pos": 16, "conv_pos_groups": 4}
TINY = {
    "xlsr": {"extractor_norm": "layer", "pre_norm": True, "conv_bias": True, "normalize": True},
    "hubert": {"extractor_norm": "group", "pre_norm": False, "conv_bias": False, "normalize": False},
}


@pytest.fixture
def tiny_encoder():
    """Builder of tiny random encoders of the wav2vec 2.0 family."""

    def build(name):
        encoder = build_speech_encoder({"family": "wav2vec2", **SIZES, **WAVE, **TINY[name]})
        for parameter in encoder.parameters():
            nn.init.normal_(parameter, std=0.2)
        return encoder.eval()

    return build


@pytest.fixture
def fairseq_settings():
    """The settings of the model in an official file, by the names that the host gives them."""

    def settings(name):
        tiny = TINY[name]
        return {
            "_name": "wav2vec2" if name == "xlsr" else "hubert",
            "extractor_mode": "layer_norm" if name == "xlsr" else "default",
            "encoder_layers": 2,
            "encoder_embed_dim": 32,
            "encoder_ffn_embed_dim": 48,
            "encoder_attention_heads": 4,
            "activation_fn": "gelu",
            "layer_norm_first": tiny["pre_norm"],
            "conv_feature_layers": CONV,
            "conv_bias": tiny["conv_bias"],
            "conv_pos": 16,
            "conv_pos_groups": 4,
            "final_dim": 24,
            "quantize_targets": True,
        }

    return settings


@pytest.fixture
def official_file(tmp_path, tiny_encoder, fairseq_settings):
    """Writer of files as the official ones are: old ones with ``args``, newer ones with ``cfg``, with their heads."""

    def write(name, era="cfg", prefix=""):
        encoder = tiny_encoder(name)
        model = {prefix + key: tensor for key, tensor in encoder.state_dict().items()}
        heads = {
            "xlsr": ["quantizer.vars", "quantizer.weight_proj.weight", "project_q.weight", "final_proj.bias"],
            "hubert": ["label_embs_concat", "final_proj.weight", "final_proj.bias"],
        }[name]
        model.update({prefix + head: torch.ones(2) for head in heads})
        settings = fairseq_settings(name)
        if era == "args":
            config = {"args": argparse.Namespace(**settings, normalize=TINY[name]["normalize"], task="audio")}
        else:
            task = {"_name": "audio_pretraining", "normalize": TINY[name]["normalize"], "data": "/nowhere/at/all"}
            config = {"args": None, "cfg": {"model": settings, "task": task, "common": {"seed": 1}}}
        path = tmp_path / f"{name}_{era}.pt"
        torch.save({**config, "model": model, "optimizer_history": [], "extra_state": {"epoch": 1}}, path)
        return path, encoder, heads

    return write
