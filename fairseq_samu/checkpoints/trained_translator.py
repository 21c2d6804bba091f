"""What a training checkpoint of a translation model says about the model in it."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairseq_samu.checkpoints.safe_loading import read_torch_file
from fairseq_samu.checkpoints.trained_system import LoadedSystem, find_config, read_system, system_from_checkpoint

ARCHITECTURE = "samu_xlsr_mbart"
ARCHITECTURES = (ARCHITECTURE, "multitask_st")
TRANSCRIPT_WEIGHTS = {"consistency_multitask": ("asr_ce_weight", 0.0), "ctc_ce": ("ce_weight", 1.0)}
"""Option of a criterion, and its default, by which a decoder learns transcripts; in others it is taken to."""


@dataclass(frozen=True)
class LoadedTranslator(LoadedSystem):
    """A translation model as a checkpoint holds it; see :class:`LoadedSystem`."""

    @property
    def source(self) -> str:
        """Kind of the file in words."""
        kind = "text" if self.settings.get("without_speech") else "speech"
        return f"{kind} translation checkpoint"

    @property
    def decoder_transcribes(self) -> bool:
        """Whether the decoder, where there is one, learnt transcripts; see :func:`decoder_learnt_transcripts`."""
        return decoder_learnt_transcripts(self.config.get("criterion"))


def decoder_learnt_transcripts(criterion: Any) -> bool:
    """Whether a training that had transcripts let the decoder write them, and not CTC alone.

    Args:
        criterion: its options in the config of a checkpoint; None, or of a criterion not known here, says nothing
            against it.
    """
    if not isinstance(criterion, Mapping) or criterion.get("_name") not in TRANSCRIPT_WEIGHTS:
        return True
    option, default = TRANSCRIPT_WEIGHTS[str(criterion["_name"])]
    return float(criterion.get(option, default)) > 0


def translator_from_checkpoint(checkpoint: Any, where: str) -> LoadedTranslator:
    """Take a translation model out of a training checkpoint; see :func:`system_from_checkpoint`."""
    return _as_translator(system_from_checkpoint(checkpoint, where, *ARCHITECTURES))


def read_trained_translator(path: str | Path) -> LoadedTranslator:
    """Read a translation model; see :func:`read_system`."""
    return _as_translator(read_system(path, *ARCHITECTURES))


def find_trained_translator(path: str | Path) -> LoadedTranslator | None:
    """As :func:`read_trained_translator`; None for anything else, of which the tensors are not even read.

    Raises:
        CheckpointError: when the file is unsafe, or one of these models that lacks its vocabulary.
    """
    path = Path(path).expanduser()
    if not zipfile.is_zipfile(path):
        return None
    checkpoint = read_torch_file(path, lazily=True)
    found = any(find_config(checkpoint, name) is not None for name in ARCHITECTURES)
    return translator_from_checkpoint(checkpoint, str(path)) if found else None


def _as_translator(loaded: LoadedSystem) -> LoadedTranslator:
    return LoadedTranslator(loaded.config, loaded.state, loaded.vocabulary)


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
