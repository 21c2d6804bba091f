"""What text translation has learnt, read from a training checkpoint of multitask_st."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fairseq_samu.checkpoints.safe_loading import plain, read_torch_file
from fairseq_samu.errors import CheckpointError, explain

PARTS = ("text_encoder.", "decoder.")
BETWEEN = ("projection.", "compressor.", "length_adapter.")
"""Parts between an acoustic encoder and the textual one, which a translator of texts lacks."""
MEND = "Give a checkpoint of `fairseq-train --task multitask_st --arch multitask_st`."


@dataclass(frozen=True)
class LoadedTextParts:
    """Text parts of a checkpoint.

    Attributes:
        config: sizes, as plain JSON.
        vocabulary: state of the vocabulary.
        state: tensors of textual encoder and decoder, and of what stands between speech and them, by their names.
    """

    config: dict[str, Any]
    vocabulary: Mapping[str, Tensor]
    state: dict[str, Tensor]


def read_text_parts(path: str | Path) -> LoadedTextParts:
    """Read textual encoder, decoder, their sizes and vocabulary.

    A speech encoder and the state of an optimizer, which fill most of such a file, are not read.

    Args:
        path: a training checkpoint of the model multitask_st, with or without speech.

    Raises:
        CheckpointError: there is no such file, it is damaged, or of another model.
    """
    file = Path(path)
    if not file.is_file():
        raise CheckpointError(explain(str(path), "text_path", "a file", "missing", MEND))
    checkpoint = read_torch_file(file, lazily=zipfile.is_zipfile(file))
    config = plain(checkpoint.get("cfg")) if isinstance(checkpoint, Mapping) else None
    model = (config or {}).get("model") or {}
    vocabulary = (checkpoint.get("task_state") or {}).get("vocabulary") if config else None
    if not isinstance(model.get("text_config"), str) or vocabulary is None:
        raise CheckpointError(explain(str(path), "checkpoint", "of the model multitask_st", "of another", MEND))
    state = {name: tensor for name, tensor in checkpoint["model"].items() if name.startswith(PARTS + BETWEEN)}
    return LoadedTextParts(json.loads(model["text_config"]), vocabulary, state)
