"""Tiny models with a length compressor, and checkpoints of them."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from fairseq_samu.data.vocabulary import Vocabulary
from fairseq_samu.inference.translator_building import MODELS
from tests.unit.tiny_sentencepiece import train_model
from tests.unit.tiny_translator import DECODER, ENCODER

COMPRESSOR = {"compressor": "first", "compressor_heads": 4, "compressor_ffn_dim": 40, "seed": 3}
TEXT = {"dim": 32, "ffn_dim": 40, "num_heads": 4, "num_layers": 2, "decoder_layers": 1}
SIZES: dict[str, dict[str, Any]] = {
    "multitask_st": {"text_config": json.dumps(TEXT)},
    "samu_xlsr_mbart": {"decoder_config": json.dumps(DECODER), "ctc_head": True},
}


def make_compressing_model(folder: Path, architecture: str, **options: Any) -> tuple[Any, Vocabulary, dict[str, Any]]:
    """Build a model whose labels change from frame to frame, but not always: the model, its vocabulary, its options."""
    vocabulary = Vocabulary.from_sentencepiece(train_model(folder), ["en", "fr"])
    settings = {"encoder_config": json.dumps(ENCODER), **COMPRESSOR, **SIZES[architecture], **options}
    config, model_class = MODELS[architecture]
    torch.manual_seed(0)
    model = model_class.build_model(config(**settings), SimpleNamespace(target_dictionary=vocabulary.dictionary))
    with torch.no_grad():
        head = model.decoder.embed_tokens if architecture == "multitask_st" else model.ctc_head
        head.weight.normal_()
        head.weight[8:] = 0
    return model.eval(), vocabulary, settings


def save_compressing_model(folder: Path, architecture: str, **options: Any) -> Path:
    """Write a checkpoint of it as the host does, with traces of the training machine."""
    model, vocabulary, settings = make_compressing_model(folder, architecture, **options)
    places = {"encoder_path": "/nowhere/xlsr.pt"}
    state = {
        "cfg": {"model": {"_name": architecture, **settings, **places}, "task": {"data": "/nowhere/data"}},
        "model": model.state_dict(),
        "task_state": {"vocabulary": vocabulary.state_dict()},
    }
    path = folder / f"{architecture}.pt"
    torch.save(state, path)
    return path
