"""What a training checkpoint of samu_xlsr_mbart says about the model in it."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fairseq_samu.checkpoints.safe_loading import plain, read_torch_file
from fairseq_samu.errors import CheckpointError, explain

ARCHITECTURE = "samu_xlsr_mbart"
MEND = f"Give a checkpoint of `fairseq-train --arch {ARCHITECTURE}`."

# What of the training config a model needs to be built, decoded with and validated; the rest is about the run.
SECTIONS = ("common", "model", "task", "criterion")
COMMON = ("seed", "fp16", "bf16")
# Places on the training machine, which nothing needs afterwards.
PLACES = ("encoder_path", "decoder_path", "data", "audio_root", "feature_cache", "sentencepiece_model")


@dataclass(frozen=True)
class LoadedTranslator:
    """A speech translation model as a checkpoint holds it.

    Attributes:
        config: sections ``common``, ``model``, ``task`` and ``criterion`` of the training config, without places on the
            training machine.
        state: tensors by the model's own names.
        vocabulary: what ``Vocabulary.load_state_dict`` takes.
        source: kind of the file in words.
    """

    config: dict[str, Any]
    state: dict[str, Tensor]
    vocabulary: dict[str, Tensor]
    source: str = "speech translation checkpoint"

    @property
    def settings(self) -> dict[str, Any]:
        """Options of the model."""
        return dict(self.config["model"])


def translator_config(checkpoint: Any) -> dict[str, Any] | None:
    """Find the config of a samu_xlsr_mbart in a training checkpoint; None in other files."""
    config = plain(checkpoint.get("cfg")) if isinstance(checkpoint, Mapping) else None
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        return None
    if config["model"].get("_name") != ARCHITECTURE:
        return None
    found = {name: config[name] for name in SECTIONS if isinstance(config.get(name), dict)}
    found["common"] = {name: value for name, value in found.get("common", {}).items() if name in COMMON}
    return {
        section: {name: "" if name in PLACES else value for name, value in values.items()}
        for section, values in found.items()
    }


def translator_from_checkpoint(checkpoint: Any, where: str) -> LoadedTranslator:
    """Take a speech translation model out of a training checkpoint.

    Args:
        checkpoint: what ``read_torch_file`` gave.
        where: name of the file, for messages.

    Raises:
        CheckpointError: when it holds another model, or no vocabulary.
    """
    config = translator_config(checkpoint)
    if config is None or not isinstance(checkpoint.get("model"), Mapping):
        raise CheckpointError(explain(where, "checkpoint", f"one of {ARCHITECTURE}", "another", MEND))
    task = checkpoint.get("task_state")
    vocabulary = task.get("vocabulary") if isinstance(task, Mapping) else None
    if not isinstance(vocabulary, Mapping):
        raise CheckpointError(explain(where, "vocabulary", "in the checkpoint", "missing", MEND))
    return LoadedTranslator(config, dict(checkpoint["model"]), dict(vocabulary))


def read_trained_translator(path: str | Path) -> LoadedTranslator:
    """Read a speech translation model; nothing else of the training machine is needed.

    Args:
        path: a training checkpoint.

    Raises:
        CheckpointError: when there is no such file, or it is damaged, unsafe, or of another model.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise CheckpointError(explain("", "checkpoint", "a file", path, "Check the path."))
    # tensors are read when they are used, so that the optimizer's state costs no memory
    return translator_from_checkpoint(read_torch_file(path, lazily=zipfile.is_zipfile(path)), str(path))


def find_trained_translator(path: str | Path) -> LoadedTranslator | None:
    """As :func:`read_trained_translator`; None for anything else, of which the tensors are not even read.

    Raises:
        CheckpointError: when the file is unsafe, or one of this model that lacks its vocabulary.
    """
    path = Path(path).expanduser()
    if not zipfile.is_zipfile(path):
        return None
    checkpoint = read_torch_file(path, lazily=True)
    return None if translator_config(checkpoint) is None else translator_from_checkpoint(checkpoint, str(path))


def as_host_checkpoint(loaded: LoadedTranslator) -> dict[str, Any]:
    """Dress a model as the host saves it: ``fairseq-generate`` reads it, and training can begin from it."""
    history = {"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}, "num_updates": 0}
    return {
        "args": None,
        "cfg": loaded.config,
        "model": loaded.state,
        "task_state": {"vocabulary": loaded.vocabulary},
        "criterion": None,
        "optimizer_history": [history],
        "last_optimizer_state": None,
        "extra_state": {"epoch": 0, "train_iterator": {"epoch": 1, "iterations_in_epoch": 0}},
    }
