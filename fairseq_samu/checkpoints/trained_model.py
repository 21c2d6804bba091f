"""What this package's own files say about the model in them: an encoder, with its sentence head."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from fairseq_samu.checkpoints.safe_loading import plain, read_json
from fairseq_samu.errors import CheckpointError, explain

EXPORT_CONFIG = "samu_config.json"
EXPORT_HEAD = "samu_head.safetensors"
EXPORT_VERSION = 1
ENCODER_PREFIX, HEAD_PREFIX = "encoder.", "head."
MEND = "Give a checkpoint of `fairseq-train`, or a directory of `fairseq-samu convert --to huggingface`."

# Sizes of the head, by their names in the training config, and what stands for "not given".
HEAD_SETTINGS = {"embedding_dim": 0, "num_pooling_heads": 1, "frame_perceptron_dim": 0}


def encoder_settings(checkpoint: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    """Find the encoder's config in a training checkpoint of this package; None in other files.

    Raises:
        CheckpointError: when it is there but unreadable.
    """
    text = _model_settings(checkpoint).get("encoder_config")
    if not isinstance(text, str) or not text or not isinstance(checkpoint.get("model"), Mapping):
        return None
    try:
        config = json.loads(text)
    except ValueError as error:
        raise CheckpointError(explain(where, "encoder_config", "JSON", text[:200], MEND)) from error
    return config if isinstance(config, dict) else None


def head_settings(checkpoint: Mapping[str, Any], head: Mapping[str, Tensor]) -> dict[str, int]:
    """Find the sizes of the sentence head in a training checkpoint."""
    settings = _model_settings(checkpoint)
    sizes = {name: int(settings.get(name) or absent) for name, absent in HEAD_SETTINGS.items()}
    # The option may have been left to the teacher's size; the weights know it.
    if "projection.weight" in head:
        sizes["embedding_dim"] = head["projection.weight"].size(0)
    return sizes


def split_parts(state: Mapping[str, Tensor], prefix: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Split tensors by whether their names begin with ``prefix``, which is taken off the names of the first part."""
    inside = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    return inside, {name: tensor for name, tensor in state.items() if not name.startswith(prefix)}


def parse_export_config(folder: Path) -> dict[str, Any]:
    """Read and check the config that an exported directory has beside Hugging Face's.

    Returns:
        ``encoder``, the encoder's config, and ``head``, the head's sizes or None.

    Raises:
        CheckpointError: when it is unreadable, or of a later version.
    """
    path = folder / EXPORT_CONFIG
    settings = read_json(path)
    if settings.get("version") != EXPORT_VERSION or not isinstance(settings.get("encoder"), dict):
        rule = f"of version {EXPORT_VERSION} with `encoder`"
        raise CheckpointError(explain(str(path), "file", rule, settings.get("version"), "Update this package."))
    head = settings.get("head")
    sizes = {name: int(head.get(name, absent)) for name, absent in HEAD_SETTINGS.items()} if head else None
    return {"encoder": settings["encoder"], "head": sizes}


def _model_settings(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    config = plain(checkpoint.get("cfg"))
    model = config.get("model") if isinstance(config, dict) else None
    return model if isinstance(model, dict) else {}
