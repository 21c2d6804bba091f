"""The weights that all systems share, and the files in which each of them reads them.

The encoder is Whisper-base where the data packages are installed. The decoder has Whisper's sizes and random weights,
so chosen that mBART's decoder, which our model has, and Whisper's are the same function although the one normalises its
embeddings and the other does not: tokens use some features and positions the others, and each has a mean of 0 and a
variance of 1 there, so that nothing is left to normalise.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.adapters.sizes import EOS, PAD, WHISPER_BASE, Sizes
from benchmarks.adapters.system import ADAPTER_MARK, STATE
from benchmarks.measuring.encoders import draw_weight
from fairseq_samu.checkpoints.huggingface_export import export_huggingface
from fairseq_samu.checkpoints.speech_encoder import read_speech_encoder
from fairseq_samu.errors import CheckpointError
from fairseq_samu.models.mbart_decoder import POSITION_OFFSET, MBartDecoder, MBartDecoderConfig
from fairseq_samu.models.speech_encoders import build_speech_encoder
from fairseq_samu.modules.adapter import Adapter

LOGIT_SPREAD = 3.0  # standard deviation of the logits
NORM_EPSILON = 1e-5
POSITION_SHARE = 8  # one feature in so many belongs to the positions
PEER = "whisper"  # folder


def make_state(sizes: Sizes, seed: int = 1) -> tuple[dict[str, Tensor], str]:
    """Read or draw all weights.

    Args:
        sizes: of the model.
        seed: of the draw.

    Returns:
        Tensors named as in the model samu_xlsr_mbart, adapters included; and where the encoder is from.
    """
    generator = torch.Generator().manual_seed(seed)
    encoder, source = _encoder_state(sizes, generator)
    state = {f"encoder.{name}": tensor.float() for name, tensor in encoder.items()}
    with FakeTensorMode():
        config = MBartDecoderConfig(vocabulary_size=sizes.vocabulary, **sizes.decoder)
        decoder = MBartDecoder(config)
        adapter = Adapter(sizes.encoder["dim"], sizes.bottleneck)
    layers = sizes.decoder["num_layers"]
    for name, parameter in decoder.named_parameters():
        state[f"decoder.{name}"] = draw_weight(name, parameter.shape, generator, layers)
    _separate_embeddings(state, config.dim)
    for layer in range(sizes.encoder["num_layers"]):
        for name, parameter in adapter.named_parameters():
            drawn = torch.empty(parameter.shape).normal_(generator=generator) / math.sqrt(parameter.shape[-1])
            state[f"encoder.layers.{layer}.layer_adapter.{name}"] = 0.3 * drawn
    return state, source


def _encoder_state(sizes: Sizes, generator: torch.Generator) -> tuple[dict[str, Tensor], str]:
    if sizes.is_pretrained:
        try:
            loaded = read_speech_encoder(WHISPER_BASE)
            return loaded.state, "Whisper-base"
        except CheckpointError:
            pass
    encoder = build_speech_encoder(sizes.encoder)
    state = dict(encoder.state_dict())
    for name, parameter in encoder.named_parameters():
        state[name] = draw_weight(name, parameter.shape, generator, sizes.encoder["num_layers"])
    return state, "random weights"


def _separate_embeddings(state: dict[str, Tensor], dim: int) -> None:
    """Give tokens and positions features of their own, with a mean of 0 and a variance of 1 in each of the two."""
    first = dim - dim // POSITION_SHARE
    tokens, positions = state["decoder.embed_tokens.weight"], state["decoder.embed_positions.weight"]
    tokens[:, first:], positions[:, :first] = 0.0, 0.0
    for part in (tokens[:, :first], positions[:, first:]):
        part -= part.mean(dim=1, keepdim=True)
        part /= part.square().mean(dim=1, keepdim=True).sqrt()
    state["decoder.layernorm_embedding.weight"] = torch.full((dim,), math.sqrt(1.0 + NORM_EPSILON))
    state["decoder.layernorm_embedding.bias"] = torch.zeros(dim)
    state["decoder.layer_norm.weight"] *= LOGIT_SPREAD / math.sqrt(first)


def write_state(folder: Path, sizes: Sizes) -> str:
    """Write the weights: ``state.safetensors`` with our names, ``whisper/`` as transformers reads it.

    Returns:
        Where the encoder is from.
    """
    state, source = make_state(sizes)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / STATE)
    encoder = {name.removeprefix("encoder."): t for name, t in state.items() if _is_encoder(name)}
    # with the shell of a decoder, which is filled here
    export_huggingface(folder / PEER, build_speech_encoder(sizes.encoder).config(), encoder)
    config = json.loads((folder / PEER / "config.json").read_text("utf-8"))
    (folder / PEER / "config.json").write_text(json.dumps(config | _decoder_settings(sizes)), encoding="utf-8")
    save_file(whisper_names(state), folder / PEER / "model.safetensors", metadata={"format": "pt"})
    return source


def whisper_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The base, without adapters, by the names of transformers' WhisperForConditionalGeneration."""
    found = {}
    for name, tensor in state.items():
        if name.startswith("decoder.layernorm_embedding.") or name.endswith("k_proj.bias") or ADAPTER_MARK in name:
            continue  # does nothing, changes no attention, or is put in by the systems
        if name == "decoder.embed_positions.weight":
            tensor = tensor[POSITION_OFFSET:]
        renamed = "encoder.embed_positions.weight" if name == "encoder.positions" else name
        found[f"model.{renamed}"] = tensor.contiguous()
    return found


def _is_encoder(name: str) -> bool:
    return name.startswith("encoder.") and ADAPTER_MARK not in name


def _decoder_settings(sizes: Sizes) -> dict[str, Any]:
    decoder = sizes.decoder
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "decoder_layers": decoder["num_layers"],
        "decoder_attention_heads": decoder["num_heads"],
        "decoder_ffn_dim": decoder["ffn_dim"],
        "max_target_positions": decoder["max_positions"],
        "vocab_size": sizes.vocabulary,
        "pad_token_id": PAD,
        "bos_token_id": EOS,
        "eos_token_id": EOS,
        "decoder_start_token_id": EOS,
    }
