"""Reading whole models of this package: an encoder with its sentence head."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fairseq_samu.checkpoints.huggingface import encoder_from_huggingface
from fairseq_samu.checkpoints.safe_loading import plain, read_json, read_safetensors, read_torch_file
from fairseq_samu.errors import CheckpointError, explain

EXPORT_CONFIG = "samu_config.json"
EXPORT_HEAD = "samu_head.safetensors"
EXPORT_VERSION = 1
MEND = "Give a checkpoint of `fairseq-train`, or a directory of `fairseq-samu convert --to huggingface`."

# Sizes of the head, by their names in the training config.
HEAD_SETTINGS = ("embedding_dim", "num_pooling_heads", "frame_perceptron_dim")


@dataclass(frozen=True)
class TrainedModel:
    """A trained model as data.

    Attributes:
        encoder_config: plain JSON for ``build_speech_encoder``.
        head_config: the sizes in ``HEAD_SETTINGS``.
        encoder: the encoder's tensors by name.
        head: the head's tensors by name.
        source: kind of the file in words.
    """

    encoder_config: dict[str, Any]
    head_config: dict[str, int]
    encoder: dict[str, Tensor]
    head: dict[str, Tensor]
    source: str


def read_trained_model(path: Path) -> TrainedModel:
    """Read a training checkpoint or an exported directory; nothing else of the training machine is needed.

    Raises:
        CheckpointError: when it is missing, damaged or unsafe, or holds no model with a sentence head.
    """
    if path.is_dir():
        return _read_export(path)
    if not path.is_file():
        raise CheckpointError(explain("", "model", "an existing file or directory", path, MEND))
    checkpoint = read_torch_file(path)
    encoder_config = encoder_settings(checkpoint, str(path)) if isinstance(checkpoint, Mapping) else None
    if encoder_config is None:
        raise CheckpointError(explain(str(path), "file", "a model trained with this package", "another", MEND))
    settings = _model_settings(checkpoint)
    encoder, others = split_parts(checkpoint["model"], "encoder.")
    head, _ = split_parts(others, "head.")
    head_config = {name: int(settings.get(name) or 0) for name in HEAD_SETTINGS}
    head_config["num_pooling_heads"] = head_config["num_pooling_heads"] or 1
    # Where the option was left to the teacher's size, the weights know it.
    head_config["embedding_dim"] = head["projection.weight"].size(0) if "projection.weight" in head else 0
    return TrainedModel(encoder_config, head_config, encoder, head, "training checkpoint")


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


def split_parts(state: Mapping[str, Tensor], prefix: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Split tensors by whether their names begin with ``prefix``, which is taken off the names of the first part."""
    inside = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    return inside, {name: tensor for name, tensor in state.items() if not name.startswith(prefix)}


def parse_export_config(folder: Path) -> dict[str, Any]:
    """Read and check the config that an exported directory has beside Hugging Face's.

    Raises:
        CheckpointError: when it is unreadable, or of a later version.
    """
    path = folder / EXPORT_CONFIG
    settings = read_json(path)
    if settings.get("version") != EXPORT_VERSION or not isinstance(settings.get("encoder"), dict):
        rule = f"of version {EXPORT_VERSION} with `encoder`"
        raise CheckpointError(explain(str(path), "file", rule, settings.get("version"), "Update this package."))
    return settings


def _read_export(folder: Path) -> TrainedModel:
    if not (folder / EXPORT_CONFIG).is_file() or not (folder / EXPORT_HEAD).is_file():
        rule = f"one with {EXPORT_CONFIG} and {EXPORT_HEAD}"
        raise CheckpointError(explain("", "directory", rule, folder, MEND))
    settings = parse_export_config(folder)
    _, encoder, _ = encoder_from_huggingface(folder)
    head_config = {name: int(settings.get("head", {}).get(name, 0)) for name in HEAD_SETTINGS}
    head = read_safetensors(folder / EXPORT_HEAD)
    return TrainedModel(settings["encoder"], head_config, encoder, head, "exported directory")


def _model_settings(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    config = plain(checkpoint.get("cfg"))
    model = config.get("model") if isinstance(config, dict) else None
    return model if isinstance(model, dict) else {}
