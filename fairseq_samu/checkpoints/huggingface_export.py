"""Writing an encoder as a Hugging Face directory, with the sentence head beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fairseq_samu.checkpoints.new_directory import new_directory, write_json, write_tensors
from fairseq_samu.checkpoints.trained_model import EXPORT_CONFIG, EXPORT_HEAD, EXPORT_VERSION
from fairseq_samu.checkpoints.wav2vec2_names import to_huggingface
from fairseq_samu.errors import CheckpointError, explain

README = """This directory was written by `fairseq-samu convert --to huggingface`.

- `config.json`, `preprocessor_config.json`, `model.safetensors`: the speech encoder. In transformers: {usage}.
- `samu_head.safetensors`, `samu_config.json` (where there is a sentence head): pooling and projection, and all sizes.
  `fairseq_samu.SpeechEmbedder.load` reads the directory as a whole.
"""
USAGE = {
    "whisper": "`WhisperModel.from_pretrained(DIR).encoder` on windows of 30 s (the decoder is an empty shell)",
    "wav2vec2": "`Wav2Vec2Model.from_pretrained(DIR)`",
}


def export_huggingface(
    folder: Path,
    encoder_config: Mapping[str, Any],
    encoder: Mapping[str, Tensor],
    head_config: Mapping[str, int] | None = None,
    head: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a directory that transformers and this package read; it appears whole or not at all.

    Args:
        folder: what is made; must not exist, or be empty.
        encoder_config: plain JSON of the encoder.
        encoder: tensors by the encoder's own names.
        head_config: sizes of the sentence head, where there is one.
        head: tensors by the head's own names.

    Raises:
        CheckpointError: when the folder is not empty or cannot be written, or transformers knows no such encoder.
    """
    family = encoder_config["family"]
    config, preprocessor, state = (_whisper if family == "whisper" else _wav2vec2)(encoder_config, encoder)
    samu = {
        "version": EXPORT_VERSION,
        "encoder": dict(encoder_config),
        "head": dict(head_config) if head_config else None,
    }
    with new_directory(folder) as made:
        files = {"config.json": config, "preprocessor_config.json": preprocessor, EXPORT_CONFIG: samu}
        for name, values in files.items():
            write_json(made / name, values)
        (made / "README.md").write_text(README.format(usage=USAGE[family]), encoding="utf-8")
        write_tensors(made / "model.safetensors", state)
        if head is not None:
            write_tensors(made / EXPORT_HEAD, head)


def _wav2vec2(
    config: Mapping[str, Any], state: Mapping[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Tensor]]:
    if not config["project_features"]:
        rule = "true: transformers always has a projection"
        raise CheckpointError(explain("export", "project_features", rule, False, "This encoder cannot be exported."))
    channels, kernels, strides = (list(sizes) for sizes in zip(*config["conv_layers"], strict=True))
    settings = {
        "model_type": "wav2vec2",
        "architectures": ["Wav2Vec2Model"],
        "hidden_size": config["dim"],
        "intermediate_size": config["ffn_dim"],
        "num_hidden_layers": config["num_layers"],
        "num_attention_heads": config["num_heads"],
        "hidden_act": config["activation"],
        "conv_dim": channels,
        "conv_kernel": kernels,
        "conv_stride": strides,
        "conv_bias": config["conv_bias"],
        "num_feat_extract_layers": len(channels),
        "feat_extract_norm": config["extractor_norm"],
        "do_stable_layer_norm": config["pre_norm"],
        "num_conv_pos_embeddings": config["conv_pos"],
        "num_conv_pos_embedding_groups": config["conv_pos_groups"],
        "layer_norm_eps": 1e-5,
        # The vector for masked frames is only read where masking is possible.
        "mask_time_prob": 0.05,
        "apply_spec_augment": False,
        "layerdrop": 0.0,
    }
    return settings, _wav2vec2_preprocessor(config), to_huggingface(state, config["extractor_norm"])


def _whisper(
    config: Mapping[str, Any], state: Mapping[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Tensor]]:
    dim = config["dim"]
    settings = {
        "model_type": "whisper",
        "architectures": ["WhisperModel"],
        "d_model": dim,
        "encoder_layers": config["num_layers"],
        "encoder_attention_heads": config["num_heads"],
        "encoder_ffn_dim": config["ffn_dim"],
        "activation_function": config["activation"],
        "num_mel_bins": config["num_mel_bins"],
        "max_source_positions": config["max_frames"],
        # An empty shell of a decoder, because the class has one.
        "decoder_layers": 0,
        "decoder_attention_heads": config["num_heads"],
        "decoder_ffn_dim": 1,
        "max_target_positions": 1,
        "vocab_size": 1,
        **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 0),
        "begin_suppress_tokens": None,
    }
    tensors = {
        f"encoder.{'embed_positions.weight' if name == 'positions' else name}": tensor for name, tensor in state.items()
    }
    tensors["decoder.embed_tokens.weight"] = torch.zeros(1, dim)
    tensors["decoder.embed_positions.weight"] = torch.zeros(1, dim)
    tensors["decoder.layer_norm.weight"] = torch.ones(dim)
    tensors["decoder.layer_norm.bias"] = torch.zeros(dim)
    return settings, _whisper_preprocessor(config), tensors


def _wav2vec2_preprocessor(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "do_normalize": config["normalize"],
        "feature_size": 1,
        "padding_side": "right",
        "padding_value": 0.0,
        # With the group norm of transformers a mask changes what is normalised; its authors advise against one.
        "return_attention_mask": config["extractor_norm"] == "layer",
        "sampling_rate": 16000,
    }


def _whisper_preprocessor(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": config["num_mel_bins"],
        "chunk_length": config["max_frames"] // 50,
        "hop_length": 160,
        "n_fft": 400,
        "sampling_rate": 16000,
        "padding_value": 0.0,
    }
