"""The host's dictionary, filled in place: the host asks for it before the checkpoint with its tokens is read."""

from collections.abc import Sequence

import numpy as np
import torch
from fairseq.data import Dictionary
from torch import Tensor

from fairseq_samu.errors import ConfigError, explain

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
"""The tokens that every dictionary of the host begins with, by their ids."""


def fill_dictionary(dictionary: Dictionary, tokens: Sequence[str]) -> None:
    """Give a dictionary other tokens; it stays the same object.

    Args:
        dictionary: changed in place.
        tokens: by their ids, beginning with ``SPECIALS``.

    Raises:
        ConfigError: when the list begins otherwise or repeats a token.
    """
    repeated = len(set(tokens)) != len(tokens)
    if repeated or tuple(tokens[: len(SPECIALS)]) != SPECIALS:
        rule = f"different tokens that begin with {' '.join(SPECIALS)}"
        found = "with repeated ones" if repeated else " ".join(tokens[: len(SPECIALS)])
        raise ConfigError(explain("", "vocabulary", rule, found, "Use the dictionary that belongs to the model."))
    dictionary.symbols[:] = tokens
    dictionary.count[:] = [1] * len(tokens)
    dictionary.indices.clear()
    dictionary.indices.update({token: number for number, token in enumerate(tokens)})


def to_byte_tensor(data: bytes) -> Tensor:
    """Bytes as a tensor (L,) uint8, which a checkpoint can hold without running code."""
    return torch.from_numpy(np.frombuffer(data, dtype=np.uint8).copy())


def from_byte_tensor(tensor: Tensor) -> bytes:
    """Undo :func:`to_byte_tensor`."""
    return bytes(tensor.cpu().numpy().tobytes())
