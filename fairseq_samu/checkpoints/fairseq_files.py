"""Reading XLS-R, wav2vec 2.0 and HuBERT from fairseq's own files, the official ones and those of forks."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from fairseq_samu.checkpoints.safe_loading import plain
from fairseq_samu.checkpoints.wav2vec2_names import FAIRSEQ_MARK, FAIRSEQ_PARTS, find_prefix, from_fairseq, split_heads
from fairseq_samu.errors import CheckpointError, explain

MEND = "Use a checkpoint of the wav2vec 2.0 family with the usual settings."
DEFAULT_STRIDES = {(10, 3, 3, 3, 3, 2, 2): (5, 2, 2, 2, 2, 2, 2)}  # by the kernels, which the weights show
DEFAULT_HEADS = {768: 12, 1024: 16, 1280: 16, 1920: 16}  # by the features of the published models


def encoder_from_fairseq(
    checkpoint: Mapping[str, Any], where: str
) -> tuple[dict[str, Any], dict[str, Tensor], list[str]]:
    """Take the encoder out of a fairseq checkpoint.

    The encoder may stand at the top (pre-training) or anywhere deeper (a fine-tuned model, or a fork's): it is found
    by its first convolution. Sizes come from the weights; the settings that weights do not show come from the config
    of the file, wherever in it they are.

    Args:
        checkpoint: with ``model`` (tensors by name) and ``args`` or ``cfg``.
        where: name of the file, for messages.

    Returns:
        Config, tensors by the encoder's own names, and the names that were left out.

    Raises:
        CheckpointError: when there is no encoder in it, or one with settings that are not known here.
    """
    model = checkpoint.get("model")
    prefix = find_prefix(model, FAIRSEQ_MARK) if isinstance(model, Mapping) else None
    if not isinstance(model, Mapping) or prefix is None:
        raise CheckpointError(explain(where, "model", "one of the wav2vec 2.0 family", "something else", MEND))
    state, left_over = split_heads(model, prefix, lambda name: not name.startswith(FAIRSEQ_PARTS))
    state = from_fairseq(state)
    settings = _find_settings(plain(checkpoint.get("cfg") or checkpoint.get("args") or {}))
    return _config(state, settings, where), state, left_over


def parse_conv_layers(expression: str, where: str = "") -> list[list[int]]:
    """Read fairseq's description of convolutions, ``[(512, 10, 5)] + [(512, 3, 2)] * 4``, without running it.

    Raises:
        CheckpointError: when it is anything but lists of numbers, added or repeated.
    """

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, (ast.List, ast.Tuple)):
            return [value(item) for item in node.elts]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return value(node.left) + value(node.right)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            left, right = value(node.left), value(node.right)
            if isinstance(left, list) and isinstance(right, int) and len(left) * right <= 1000:
                return left * right
        raise ValueError(expression)

    try:
        layers = value(ast.parse(expression.strip(), mode="eval").body)
        if not all(len(layer) == 3 and all(isinstance(size, int) for size in layer) for layer in layers):
            raise ValueError(expression)
    except (ValueError, SyntaxError, TypeError, RecursionError) as error:
        rule = "a list of (channels, kernel, stride)"
        raise CheckpointError(explain(where, "conv_feature_layers", rule, expression[:200], MEND)) from error
    return [list(layer) for layer in layers]


def _find_settings(config: Any) -> dict[str, Any]:
    """Gather the settings of the innermost speech model, and ``normalize`` from wherever a task or model says it."""
    settings: dict[str, Any] = {}
    for values in _dictionaries(config):
        if "encoder_attention_heads" in values and ("conv_feature_layers" in values or "extractor_mode" in values):
            settings = {**settings, **values}
    for values in _dictionaries(config):
        if isinstance(values.get("normalize"), bool):
            settings["normalize"] = values["normalize"]
    return settings


def _dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _dictionaries(item)


def _config(state: Mapping[str, Tensor], settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Describe the encoder by its weights and, where they are silent, by the settings of its file."""
    try:
        _, group_width, conv_pos = state["encoder.pos_conv.0.weight_v"].shape
        ffn_dim, dim = state["encoder.layers.0.fc1.weight"].shape
    except (KeyError, ValueError) as error:
        raise CheckpointError(explain(where, "encoder", "a transformer with positions", "another", MEND)) from error
    layer_norm = "feature_extractor.conv_layers.0.2.1.weight" in state
    return {
        "family": "wav2vec2",
        "dim": dim,
        "ffn_dim": ffn_dim,
        "num_layers": len({name.split(".")[2] for name in state if name.startswith("encoder.layers.")}),
        "num_heads": settings.get("encoder_attention_heads") or _default(DEFAULT_HEADS, dim, "heads", where),
        "activation": str(settings.get("activation_fn", "gelu")),
        "conv_layers": _conv_layers(state, settings, where),
        "conv_bias": "feature_extractor.conv_layers.0.0.bias" in state,
        "extractor_norm": "layer" if layer_norm else "group",
        "pre_norm": bool(settings.get("layer_norm_first", layer_norm)),
        "normalize": bool(settings.get("normalize", layer_norm)),
        "project_features": "post_extract_proj.weight" in state,
        "conv_pos": conv_pos,
        "conv_pos_groups": dim // group_width,
    }


def _conv_layers(state: Mapping[str, Tensor], settings: Mapping[str, Any], where: str) -> list[list[int]]:
    if isinstance(settings.get("conv_feature_layers"), str):
        return parse_conv_layers(settings["conv_feature_layers"], where)
    weights: list[Tensor] = []
    while (name := f"feature_extractor.conv_layers.{len(weights)}.0.weight") in state:
        weights.append(state[name])
    strides = _default(DEFAULT_STRIDES, tuple(weight.size(2) for weight in weights), "strides", where)
    return [[weight.size(0), weight.size(2), stride] for weight, stride in zip(weights, strides, strict=True)]


def _default(known: Mapping[Any, Any], key: Any, what: str, where: str) -> Any:
    if key not in known:
        raise CheckpointError(f"{where}: the file does not say the {what} of its encoder (sizes {key}). {MEND}")
    return known[key]
