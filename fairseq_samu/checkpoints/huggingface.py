"""Reading Wav2Vec2, HuBERT and Whisper encoders from Hugging Face directories."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fairseq_samu.checkpoints.safe_loading import read_json, read_safetensors, read_torch_file
from fairseq_samu.checkpoints.wav2vec2_names import (
    HUGGINGFACE_HEADS,
    HUGGINGFACE_MARK,
    find_prefix,
    from_huggingface,
    split_heads,
)
from fairseq_samu.errors import CheckpointError, explain

WAV2VEC2_TYPES = ("wav2vec2", "hubert")
WHISPER_MARK = "conv1.weight"
MEND = "Use a directory that transformers saved for Wav2Vec2, HuBERT or Whisper."

# Settings with one value that the encoders here have.
FIXED: dict[str, dict[str, Any]] = {
    "wav2vec2": {
        "feat_extract_activation": "gelu",
        "conv_pos_batch_norm": False,
        "feat_proj_layer_norm": True,
        "add_adapter": False,
        "adapter_attn_dim": None,
        "position_embeddings_type": None,
        "layer_norm_eps": 1e-5,
    },
    "whisper": {"scale_embedding": False},
}


def encoder_from_huggingface(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor], list[str]]:
    """Read an encoder from a directory with ``config.json`` and safetensors or ``.bin`` files, whole or sharded.

    Args:
        folder: the directory.

    Returns:
        Config, tensors by the encoder's own names, and the names that were left out.

    Raises:
        CheckpointError: when a file is missing, damaged or unsafe, or the model is of another kind.
    """
    settings = read_json(folder / "config.json")
    kind = str(settings.get("model_type"))
    family = "wav2vec2" if kind in WAV2VEC2_TYPES else kind
    if family not in FIXED:
        raise CheckpointError(explain(f"{folder}/config.json", "model_type", "wav2vec2, hubert or whisper", kind, MEND))
    for name, value in FIXED[family].items():
        if settings.get(name, value) != value:
            raise CheckpointError(explain(f"{folder}/config.json", name, str(value), settings[name], MEND))
    try:
        return _read_whisper(folder, settings) if family == "whisper" else _read_wav2vec2(folder, settings)
    except KeyError as error:
        raise CheckpointError(explain(f"{folder}/config.json", str(error.args[0]), "given", "missing", MEND)) from error


def read_weights(folder: Path, wanted: Callable[[str], bool] = bool) -> dict[str, Tensor]:
    """Read the tensors of a Hugging Face directory, whichever of its four layouts it has.

    Raises:
        CheckpointError: when there is none, or a part is missing, damaged or unsafe.
    """
    for base in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{base}.index.json"
        if index.is_file():
            # Only the last part of a name is used, so that an index cannot point out of its directory.
            parts = sorted({Path(str(part)).name for part in read_json(index).get("weight_map", {}).values()})
        elif (folder / base).is_file():
            parts = [base]
        else:
            continue
        state: dict[str, Tensor] = {}
        for part in parts:
            state.update(_read_part(folder / part, wanted))
        return state
    found = ", ".join(sorted(item.name for item in folder.iterdir())) or "nothing"
    raise CheckpointError(explain(str(folder), "weights", "model.safetensors or pytorch_model.bin", found, MEND))


def _read_part(path: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return read_safetensors(path, wanted)
    state = read_torch_file(path)
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(explain(str(path), "file", "tensors by name", type(state).__name__, MEND))
    return {name: tensor for name, tensor in state.items() if wanted(name)}


def _read_wav2vec2(folder: Path, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor], list[str]]:
    config = {
        "family": "wav2vec2",
        "dim": settings["hidden_size"],
        "ffn_dim": settings["intermediate_size"],
        "num_layers": settings["num_hidden_layers"],
        "num_heads": settings["num_attention_heads"],
        "activation": settings.get("hidden_act", "gelu"),
        "conv_layers": [
            list(layer)
            for layer in zip(settings["conv_dim"], settings["conv_kernel"], settings["conv_stride"], strict=True)
        ],
        "conv_bias": bool(settings.get("conv_bias", False)),
        "extractor_norm": settings.get("feat_extract_norm", "group"),
        "pre_norm": bool(settings.get("do_stable_layer_norm", False)),
        "normalize": _normalises(folder, settings),
        "project_features": True,
        "conv_pos": settings.get("num_conv_pos_embeddings", 128),
        "conv_pos_groups": settings.get("num_conv_pos_embedding_groups", 16),
    }
    weights = read_weights(folder)
    prefix = find_prefix(weights, HUGGINGFACE_MARK)
    if prefix is None:
        raise CheckpointError(explain(str(folder), "weights", "of a Wav2Vec2 or HuBERT model", "others", MEND))
    kept, left_over = split_heads(weights, prefix, lambda name: name.startswith(HUGGINGFACE_HEADS))
    state = from_huggingface(kept, str(config["extractor_norm"]))
    # A model that was saved with masking switched off has no vector for masked frames.
    state.setdefault("mask_emb", torch.zeros(int(settings["hidden_size"])))
    return config, state, left_over


def _normalises(folder: Path, settings: Mapping[str, Any]) -> bool:
    """Whether waves are normalised first: the feature extractor's setting, else what models of its kind do."""
    path = folder / "preprocessor_config.json"
    if path.is_file():
        return bool(read_json(path).get("do_normalize", True))
    return settings.get("feat_extract_norm") == "layer"


def _read_whisper(folder: Path, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor], list[str]]:
    config = {
        "family": "whisper",
        "dim": settings["d_model"],
        "ffn_dim": settings["encoder_ffn_dim"],
        "num_layers": settings["encoder_layers"],
        "num_heads": settings["encoder_attention_heads"],
        "activation": settings.get("activation_function", "gelu"),
        "num_mel_bins": settings.get("num_mel_bins", 80),
        "max_frames": settings.get("max_source_positions", 1500),
    }
    left_over: list[str] = []

    def wanted(name: str) -> bool:
        heads = ("model.decoder.", "decoder.", "proj_out.")
        if name.startswith(heads):
            left_over.append(name)
        return not name.startswith(heads)

    weights = read_weights(folder, wanted)
    prefix = find_prefix(weights, WHISPER_MARK)
    if prefix is None:
        raise CheckpointError(explain(str(folder), "weights", "of a Whisper model", "others", MEND))
    kept, others = split_heads(weights, prefix, lambda name: False)
    state = {"positions" if name == "embed_positions.weight" else name: tensor for name, tensor in kept.items()}
    return config, state, left_over + others
