"""One entry for pre-trained mBART decoders: fairseq's folders and Hugging Face directories."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fairseq_samu.checkpoints.decoder_vocabulary import read_sentencepiece, read_tokens
from fairseq_samu.checkpoints.huggingface import read_weights
from fairseq_samu.checkpoints.safe_loading import plain, read_json, read_torch_file
from fairseq_samu.errors import CheckpointError, explain

MEND = "Use mBART-50's published folder, a directory that transformers saved for MBart, or a fairseq `mbart_*` model."
FAIRSEQ_FILES = ("model.pt", "checkpoint_best.pt", "checkpoint_last.pt")
ACTIVATIONS = ("gelu", "relu")
DEFAULT_HEADS = {768: 12, 1024: 16}  # by the features of the published models
POSITION_OFFSET = 2  # rows of the table of positions that are never used
EMBEDDING = "embed_tokens.weight"


@dataclass(frozen=True)
class LoadedDecoder:
    """Weights of a decoder and what is needed to build it and its vocabulary.

    Attributes:
        config: plain JSON for ``MBartDecoderConfig``.
        state: tensors by the decoder's own names.
        source: kind of the file in words, such as ``Hugging Face directory``.
        left_over: names in the file that were left out on purpose (the text encoder).
        tokens: all tokens by their ids.
        sentencepiece: contents of the SentencePiece model.
    """

    config: dict[str, Any]
    state: dict[str, Tensor]
    source: str
    tokens: list[str]
    sentencepiece: bytes
    left_over: list[str] = field(default_factory=list)


def read_mbart(path: str | Path) -> LoadedDecoder:
    """Read the decoder of an mBART and its vocabulary; no code in a file is ever executed.

    Args:
        path: a folder with ``model.pt`` (or ``checkpoint_best.pt``), ``dict.txt`` or ``dict.*.txt``, and
            ``sentence.bpe.model``; such a file in it; or a Hugging Face directory with ``sentencepiece.bpe.model``.

    Returns:
        Config, weights (as they are in the file), tokens and kind of the source.

    Raises:
        CheckpointError: when something is missing, damaged, unsafe or of another kind, or the dictionary does not fit
            the embedding.
    """
    path = Path(path).expanduser()
    if path.is_file():
        folder, weights = path.parent, path
    else:
        found = [path / name for name in FAIRSEQ_FILES if (path / name).is_file()]
        folder, weights = path, found[0] if found else path / "config.json"
    if not weights.is_file():
        rule = f"a folder with {FAIRSEQ_FILES[0]}, {FAIRSEQ_FILES[1]} or config.json"
        raise CheckpointError(explain("", "decoder", rule, path, "Check the path."))
    sentencepiece = read_sentencepiece(folder)
    if weights.name == "config.json":
        source = "Hugging Face directory"
        config, state, left_over = decoder_from_huggingface(folder)
    else:
        source = "fairseq folder"
        config, state, left_over = decoder_from_fairseq(read_torch_file(weights), str(weights))
    tokens = read_tokens(folder, sentencepiece, config["vocabulary_size"])
    return LoadedDecoder(config, state, source, tokens, sentencepiece, left_over)


def decoder_from_fairseq(checkpoint: Any, where: str) -> tuple[dict[str, Any], dict[str, Tensor], list[str]]:
    """Take the decoder out of a fairseq checkpoint of an encoder and decoder for text.

    Args:
        checkpoint: with ``model`` (tensors by name) and ``args`` or ``cfg``.
        where: name of the file, for messages.

    Returns:
        Config, tensors by the decoder's own names, and the names that were left out.

    Raises:
        CheckpointError: when there is no decoder in it, or one that is built otherwise than mBART's.
    """
    model = checkpoint.get("model") if isinstance(checkpoint, Mapping) else None
    if not isinstance(model, Mapping) or f"decoder.{EMBEDDING}" not in model:
        raise CheckpointError(explain(where, "model", "one with a text decoder", "something else", MEND))
    settings = _find_settings(plain(checkpoint.get("cfg")), plain(checkpoint.get("args")))
    state, left_over = _split(model, "decoder.")
    _require_tied(state, "output_projection.weight", where)
    for name in ("version", "output_projection.weight"):
        state.pop(name, None)
    if settings.get("decoder_normalize_before") is False:
        raise CheckpointError(explain(where, "decoder_normalize_before", "true", "false", MEND))
    config = _config(
        state,
        where,
        num_heads=settings.get("decoder_attention_heads"),
        activation=settings.get("activation_fn"),
        scale_embedding=not settings.get("no_scale_embedding", False),
    )
    return config, state, left_over


def decoder_from_huggingface(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor], list[str]]:
    """Read the decoder from a directory that transformers saved for MBart.

    Args:
        folder: with ``config.json`` and safetensors or ``.bin`` files, whole or sharded.

    Returns:
        Config, tensors by the decoder's own names, and the names that were left out.

    Raises:
        CheckpointError: when a file is missing, damaged or unsafe, or the model is of another kind.
    """
    settings = read_json(folder / "config.json")
    where = f"{folder}/config.json"
    if settings.get("model_type") != "mbart":
        raise CheckpointError(explain(where, "model_type", "mbart", settings.get("model_type"), MEND))
    skipped: list[str] = []

    def wanted(name: str) -> bool:
        encoder = name.removeprefix("model.").startswith("encoder.")
        if encoder:
            skipped.append(name)
        return not encoder

    weights = {name.removeprefix("model."): tensor for name, tensor in read_weights(folder, wanted).items()}
    if torch.any(weights.get("final_logits_bias", torch.zeros(1)) != 0):
        rule = "zero: the decoder's output has no bias"
        raise CheckpointError(explain(str(folder), "final_logits_bias", rule, "not zero", MEND))
    state, left_over = _split(weights, "decoder.")
    _take_embedding(state, weights, settings, str(folder))
    config = _config(
        state,
        where,
        num_heads=settings.get("decoder_attention_heads"),
        activation=settings.get("activation_function"),
        scale_embedding=bool(settings.get("scale_embedding", False)),
    )
    for name, key in {"d_model": "dim", "decoder_ffn_dim": "ffn_dim", "decoder_layers": "num_layers"}.items():
        if settings.get(name, config[key]) != config[key]:
            rule = f"{config[key]}, as the weights are"
            raise CheckpointError(explain(where, name, rule, settings[name], "Use the files of one model."))
    shared = {"shared.weight", "lm_head.weight", "final_logits_bias"}
    return config, state, skipped + [name for name in left_over if name not in shared]


def _take_embedding(
    state: dict[str, Tensor], weights: Mapping[str, Tensor], settings: Mapping[str, Any], where: str
) -> None:
    """Put the embedding in its place: a file holds a tied tensor under one of its three names or under all."""
    names = [name for name in (f"decoder.{EMBEDDING}", "shared.weight", "lm_head.weight") if name in weights]
    if not names:
        raise CheckpointError(explain(where, "weights", "of an MBart with a decoder", "others", MEND))
    state[EMBEDDING] = weights[names[0]]
    if "lm_head.weight" in weights:
        _require_tied(
            {EMBEDDING: state[EMBEDDING], "lm_head.weight": weights["lm_head.weight"]}, "lm_head.weight", where
        )
    elif settings.get("tie_word_embeddings") is False:
        raise CheckpointError(explain(where, "tie_word_embeddings", "true", "false", MEND))


def _split(model: Mapping[str, Tensor], prefix: str) -> tuple[dict[str, Tensor], list[str]]:
    state = {name.removeprefix(prefix): tensor for name, tensor in model.items() if name.startswith(prefix)}
    return state, [name for name in model if not name.startswith(prefix)]


def _require_tied(state: Mapping[str, Tensor], output: str, where: str) -> None:
    if output in state and not torch.equal(state[output], state[EMBEDDING]):
        rule = "tied to the embedding: the decoder here has one matrix for both"
        raise CheckpointError(explain(where, output, rule, "another matrix", MEND))


def _find_settings(*configs: Any) -> dict[str, Any]:
    """Find the settings of the model, wherever in the file's config they are."""
    waiting = list(configs)
    while waiting:
        values = waiting.pop(0)
        if isinstance(values, dict):
            if "decoder_attention_heads" in values:
                return values
            waiting += values.values()
    return {}


def _config(
    state: Mapping[str, Tensor], where: str, num_heads: Any, activation: Any, scale_embedding: bool
) -> dict[str, Any]:
    """Describe the decoder by its weights and the three settings that weights do not show."""
    needed = ("embed_positions.weight", "layernorm_embedding.weight", "layer_norm.weight", "layers.0.fc1.weight")
    if missing := [name for name in (EMBEDDING, *needed) if name not in state]:
        rule = "that of mBART: learned positions, their norm, and norms before each part"
        raise CheckpointError(explain(where, "decoder", rule, f"one without {', '.join(missing)}", MEND))
    vocabulary_size, dim = state[EMBEDDING].shape
    num_heads = num_heads or DEFAULT_HEADS.get(dim)
    if not isinstance(num_heads, int) or num_heads <= 0 or dim % num_heads:
        raise CheckpointError(explain(where, "decoder_attention_heads", f"a divisor of {dim}", num_heads, MEND))
    if (activation or "gelu") not in ACTIVATIONS:
        raise CheckpointError(explain(where, "activation", " or ".join(ACTIVATIONS), activation, MEND))
    return {
        "vocabulary_size": vocabulary_size,
        "dim": dim,
        "ffn_dim": state["layers.0.fc1.weight"].size(0),
        "num_layers": len({name.split(".")[1] for name in state if name.startswith("layers.")}),
        "num_heads": num_heads,
        "max_positions": state["embed_positions.weight"].size(0) - POSITION_OFFSET,
        "activation": activation or "gelu",
        "scale_embedding": scale_embedding,
    }
