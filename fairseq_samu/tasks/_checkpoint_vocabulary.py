"""The vocabulary that a checkpoint holds, and the one of the run at hand: they must number the same tokens alike."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from torch import Tensor

from fairseq_samu.checkpoints.safe_loading import read_torch_file
from fairseq_samu.errors import CheckpointError, explain

NUM_SPECIALS = 4
"""Tokens of a vocabulary that was not filled yet: those of the host's dictionary."""


class StoredVocabulary(Protocol):
    """What a vocabulary does for checkpoints."""

    @property
    def fingerprint(self) -> str:
        """Hash of all tokens."""
        ...

    def __len__(self) -> int: ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Fill it in place."""
        ...


Kind = TypeVar("Kind", bound=StoredVocabulary)


def load_one_vocabulary(vocabulary: StoredVocabulary, state: Mapping[str, Tensor] | None, task: str) -> None:
    """Fill an empty vocabulary in place; one that is filled must be the same.

    Args:
        vocabulary: of the run.
        state: of the checkpoint.
        task: that writes such checkpoints, for messages.

    Raises:
        CheckpointError: there is none, or another one: models that decode together write the same tokens.
    """
    if state is None:
        mend = f"Name a checkpoint of `fairseq-train --task {task}`."
        raise CheckpointError(explain("", "checkpoint", "one with a vocabulary", "one of another task", mend))
    before = vocabulary.fingerprint if len(vocabulary) > NUM_SPECIALS else None
    vocabulary.load_state_dict(state)
    if before not in (None, vocabulary.fingerprint):
        rule, mend = "the same in all checkpoints of --path", "Name models that were trained with the same vocabulary."
        raise CheckpointError(explain("decoding", "vocabulary", rule, "of several kinds", mend))


def require_vocabulary_of_checkpoint(cfg: Any, vocabulary: Kind, mend: str) -> None:
    """Refuse to go on from a checkpoint whose tokens have other numbers; the host would load its weights in silence.

    Args:
        cfg: options of the task, which know what the host will load (``save_dir``, ``restore_file``,
            ``finetune_from_model``).
        vocabulary: of this run.
        mend: what to do, for the message.

    Raises:
        CheckpointError: the checkpoint that the run resumes or starts from has another vocabulary.
    """
    for path in (Path(cfg.save_dir) / str(cfg.restore_file), Path(cfg.finetune_from_model or "")):
        state = read_vocabulary_state(path)
        if state is None:
            continue
        other = type(vocabulary)()
        other.load_state_dict(state)
        if other.fingerprint != vocabulary.fingerprint:
            sizes = f"one of {len(other):,} tokens, some of them others than the {len(vocabulary):,} of this run"
            raise CheckpointError(explain(str(path), "vocabulary", "the same as of this run", sizes, mend))


def read_vocabulary_state(path: Path) -> Mapping[str, Tensor] | None:
    """Read the vocabulary in a checkpoint; None where there is no such file or no vocabulary in it."""
    if not zipfile.is_zipfile(path):
        return None  # none there, or none of torch's: the host says so
    checkpoint = read_torch_file(path, lazily=True)
    return (checkpoint.get("task_state") or {}).get("vocabulary") if isinstance(checkpoint, Mapping) else None
