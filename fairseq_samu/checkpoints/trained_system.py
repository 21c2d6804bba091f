"""What a training checkpoint of this package says about a system with a vocabulary: config, weights, vocabulary."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fairseq_samu.checkpoints.safe_loading import plain, read_torch_file
from fairseq_samu.errors import CheckpointError, explain

# What of the training config a model needs to be built, decoded with and validated; the rest is about the run.
SECTIONS = ("common", "model", "task", "criterion")
COMMON = ("seed", "fp16", "bf16")
# Places on the training machine, which nothing needs afterwards.
PLACES = (
    "encoder_path",
    "decoder_path",
    "adapter_files",
    "text_path",
    "extra_manifests",
    "consistency_log",
    "slu_checkpoint",
    "data",
    "audio_root",
    "feature_cache",
    "sentencepiece_model",
    "teacher_table",
    "concept_labels",
    "concept_prefixes",
    "ngram_model",
    "spans_output",
)


@dataclass(frozen=True)
class LoadedSystem:
    """A system as a checkpoint holds it.

    Attributes:
        config: sections ``common``, ``model``, ``task`` and ``criterion`` of the training config, without places on the
            training machine.
        state: tensors by the model's own names.
        vocabulary: what the vocabulary's ``load_state_dict`` takes.
    """

    config: dict[str, Any]
    state: dict[str, Tensor]
    vocabulary: dict[str, Tensor]

    @property
    def settings(self) -> dict[str, Any]:
        """Options of the model."""
        return dict(self.config["model"])

    @property
    def architecture(self) -> str:
        """Registered name of the model."""
        return str(self.config["model"]["_name"])


def find_config(checkpoint: Any, architecture: str) -> dict[str, Any] | None:
    """Find the config of a model in a training checkpoint; None in files of another.

    Args:
        checkpoint: what ``read_torch_file`` gave.
        architecture: registered name of the model.
    """
    config = plain(checkpoint.get("cfg")) if isinstance(checkpoint, Mapping) else None
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        return None
    if config["model"].get("_name") != architecture:
        return None
    found = {name: config[name] for name in SECTIONS if isinstance(config.get(name), dict)}
    found["common"] = {name: value for name, value in found.get("common", {}).items() if name in COMMON}
    return {
        section: {name: "" if name in PLACES else value for name, value in values.items()}
        for section, values in found.items()
    }


def system_from_checkpoint(checkpoint: Any, where: str, *architectures: str) -> LoadedSystem:
    """Take a system out of a training checkpoint.

    Args:
        checkpoint: what ``read_torch_file`` gave.
        where: name of the file, for messages.
        *architectures: registered names of the models that it may hold.

    Raises:
        CheckpointError: when it holds another model, or no vocabulary.
    """
    names = " or ".join(architectures)
    mend = f"Give a checkpoint of `fairseq-train --arch {names}`."
    config = next((config for name in architectures if (config := find_config(checkpoint, name)) is not None), None)
    if config is None or not isinstance(checkpoint.get("model"), Mapping):
        raise CheckpointError(explain(where, "checkpoint", f"one of {names}", "another", mend))
    task = checkpoint.get("task_state")
    vocabulary = task.get("vocabulary") if isinstance(task, Mapping) else None
    if not isinstance(vocabulary, Mapping):
        raise CheckpointError(explain(where, "vocabulary", "in the checkpoint", "missing", mend))
    return LoadedSystem(config, dict(checkpoint["model"]), dict(vocabulary))


def read_system(path: str | Path, *architectures: str) -> LoadedSystem:
    """Read a system; nothing else of the training machine is needed.

    Args:
        path: a training checkpoint.
        *architectures: registered names of the models that it may hold.

    Raises:
        CheckpointError: when there is no such file, or it is damaged, unsafe, or of another model.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise CheckpointError(explain("", "checkpoint", "a file", path, "Check the path."))
    # tensors are read when they are used, so that the optimizer's state costs no memory
    checkpoint = read_torch_file(path, lazily=zipfile.is_zipfile(path))
    return system_from_checkpoint(checkpoint, str(path), *architectures)
