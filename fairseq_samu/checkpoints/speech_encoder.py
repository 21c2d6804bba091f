"""One entry for the weights of a speech encoder, whatever file they come in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from fairseq_samu.checkpoints import ctranslate2, whisper_base
from fairseq_samu.checkpoints.fairseq_files import encoder_from_fairseq
from fairseq_samu.checkpoints.huggingface import encoder_from_huggingface
from fairseq_samu.checkpoints.safe_loading import read_safetensors, read_torch_file
from fairseq_samu.checkpoints.trained_model import (
    ENCODER_PREFIX,
    EXPORT_CONFIG,
    EXPORT_HEAD,
    HEAD_PREFIX,
    MEND,
    encoder_settings,
    head_settings,
    parse_export_config,
    split_parts,
)
from fairseq_samu.errors import CheckpointError, explain


@dataclass(frozen=True)
class LoadedEncoder:
    """Weights of a speech encoder and what is needed to build it.

    Attributes:
        config: plain JSON for ``build_speech_encoder``.
        state: tensors by the encoder's own names.
        source: kind of the file in words, such as ``CTranslate2 Whisper``.
        left_over: names in the file that were left out on purpose (heads of pre-training, decoders).
        head_config: sizes of the sentence head; None where the file has no head.
        head: the head's tensors by its own names; None where the file has no head.
    """

    config: dict[str, Any]
    state: dict[str, Tensor]
    source: str
    left_over: list[str] = field(default_factory=list)
    head_config: dict[str, int] | None = None
    head: dict[str, Tensor] | None = None


def read_speech_encoder(path_or_spec: str | Path) -> LoadedEncoder:
    """Read a speech encoder's config and weights; no code in a file is ever executed.

    Args:
        path_or_spec: ``whisper-base`` (the installed data packages), a fairseq file of the wav2vec 2.0 family, a
            CTranslate2 ``model.bin``, a training checkpoint of this package, a Hugging Face or an exported directory.

    Returns:
        Config, weights (as they are in the file) and kind of the source.

    Raises:
        CheckpointError: when there is no such file, or it is damaged, unsafe or of an unknown kind.
    """
    if str(path_or_spec) == whisper_base.SPEC:
        return _read_ctranslate2(whisper_base.locate_whisper_base())
    path = Path(path_or_spec).expanduser()
    if path.is_dir():
        model = path / "model.bin"
        return _read_ctranslate2(model) if _is_ctranslate2(model) else _read_folder(path)
    if not path.is_file():
        rule = f"{whisper_base.SPEC} or the path of a checkpoint"
        raise CheckpointError(explain("", "encoder", rule, path_or_spec, "Check the path."))
    return _read_ctranslate2(path) if _is_ctranslate2(path) else _read_torch(path)


def read_trained_model(path: str | Path) -> LoadedEncoder:
    """Read an encoder together with its sentence head.

    Args:
        path: a training checkpoint, or an exported directory; nothing else of the training machine is needed.

    Returns:
        Config and weights, with ``head_config`` and ``head``.

    Raises:
        CheckpointError: as :func:`read_speech_encoder`, and when the file holds no sentence head.
    """
    loaded = read_speech_encoder(path)
    if loaded.head is None or loaded.head_config is None:
        rule = "one of an encoder with a sentence head"
        raise CheckpointError(explain(str(path), "checkpoint", rule, loaded.source, MEND))
    return loaded


def _is_ctranslate2(path: Path) -> bool:
    """Tell CTranslate2's files from PyTorch's, which are zip archives or pickles, by their first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as opened:
        return opened.read(4) == ctranslate2.BINARY_VERSION.to_bytes(4, "little")


def _read_ctranslate2(path: Path) -> LoadedEncoder:
    config, state, left_over = ctranslate2.whisper_from_ctranslate2(path)
    return LoadedEncoder(config, state, "CTranslate2 Whisper", left_over)


def _read_folder(path: Path) -> LoadedEncoder:
    config, state, left_over = encoder_from_huggingface(path)
    if (path / EXPORT_CONFIG).is_file():
        settings = parse_export_config(path)
        head = read_safetensors(path / EXPORT_HEAD) if settings["head"] else None
        source = "exported directory"
        return LoadedEncoder(settings["encoder"], state, source, left_over, settings["head"], head)
    return LoadedEncoder(config, state, "Hugging Face directory", left_over)


def _read_torch(path: Path) -> LoadedEncoder:
    checkpoint = read_torch_file(path)
    if not isinstance(checkpoint, Mapping):
        rule = "a checkpoint with tensors by name"
        raise CheckpointError(explain(str(path), "file", rule, type(checkpoint).__name__, "Check the path."))
    config = encoder_settings(checkpoint, str(path))
    if config is not None:
        state, others = split_parts(checkpoint["model"], ENCODER_PREFIX)
        head, others = split_parts(others, HEAD_PREFIX)
        sizes = head_settings(checkpoint, head) if head else None
        return LoadedEncoder(config, state, "training checkpoint", list(others), sizes, head or None)
    if "model" not in checkpoint:
        # A bare state dict, or one inside another training program's file.
        checkpoint = {"model": checkpoint.get("state_dict", checkpoint)}
    config, state, left_over = encoder_from_fairseq(checkpoint, str(path))
    return LoadedEncoder(config, state, "fairseq file", left_over)
