"""One entry for the weights of a speech encoder, whatever file they come in."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from fairseq_samu.checkpoints import ctranslate2, whisper_base
from fairseq_samu.errors import CheckpointError, explain


@dataclass(frozen=True)
class LoadedEncoder:
    """Weights of a speech encoder and what is needed to build it.

    Attributes:
        config: plain JSON for ``build_speech_encoder``.
        state: tensors by the encoder's own names.
        source: kind of the file in words, such as ``CTranslate2 Whisper``.
        left_over: names in the file that were left out on purpose (heads of pre-training, decoders).
    """

    config: dict[str, Any]
    state: dict[str, Tensor]
    source: str
    left_over: list[str] = field(default_factory=list)


def read_speech_encoder(path_or_spec: str | Path) -> LoadedEncoder:
    """Read a speech encoder's config and weights; no code in a file is ever executed.

    Args:
        path_or_spec: ``whisper-base`` (the installed data packages) or a path.

    Returns:
        Config, weights and kind of the source.

    Raises:
        CheckpointError: when there is no such file, or it is damaged, unsafe or of an unknown kind.
    """
    if str(path_or_spec) == whisper_base.SPEC:
        return _read_ctranslate2(whisper_base.locate_whisper_base())
    path = Path(path_or_spec)
    if path.suffix == ".bin" and path.is_file():
        return _read_ctranslate2(path)
    raise CheckpointError(explain("", "encoder", "whisper-base or the path of a checkpoint", path_or_spec, "Check it."))


def _read_ctranslate2(path: Path) -> LoadedEncoder:
    config, state = ctranslate2.whisper_from_ctranslate2(path)
    return LoadedEncoder(config, state, "CTranslate2 Whisper")
