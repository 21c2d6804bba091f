"""How much smaller a file of the tuned part is than the whole checkpoint."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.translation.fairseq_peer import make_dictionary
from benchmarks.translation.sizes import SIZES
from benchmarks.translation.system import is_tuned
from benchmarks.translation.weights import random_state
from fairseq_samu.checkpoints.trained_translator import ARCHITECTURE, LoadedTranslator, as_host_checkpoint
from fairseq_samu.checkpoints.tuned_parameters import split_tuned, write_tuned

SENTENCEPIECE_BYTES = 5_069_051  # of mBART-50's model, which both files hold


def measure(size: str) -> dict[str, Any]:
    """Write a checkpoint without optimizer state, and the file that `fairseq-samu adapters extract` makes of it.

    Args:
        size: name of the sizes.

    Returns:
        Bytes of both, and the share of the smaller one.
    """
    sizes = SIZES[size]
    state = random_state(sizes)
    loaded = LoadedTranslator({"model": {"_name": ARCHITECTURE}}, state, _vocabulary(sizes.vocabulary, size))
    probe = {"frames": torch.zeros(1, 50, sizes.encoder["dim"])}
    with tempfile.TemporaryDirectory() as folder:
        whole, tuned = Path(folder) / "whole.pt", Path(folder) / "tuned.safetensors"
        torch.save(as_host_checkpoint(loaded), whole)
        write_tuned(tuned, split_tuned(loaded, {name: "tuned" for name in state if is_tuned(name)}, probe))
        found = {"whole_bytes": whole.stat().st_size, "adapter_bytes": tuned.stat().st_size}
    return {**found, "share": found["adapter_bytes"] / found["whole_bytes"]}


def _vocabulary(tokens: int, size: str) -> dict[str, Tensor]:
    joined = "\n".join(make_dictionary(tokens).symbols).encode()
    pieces = 0 if size == "tiny" else SENTENCEPIECE_BYTES
    return {
        "tokens": torch.frombuffer(bytearray(joined), dtype=torch.uint8),
        "sentencepiece": torch.zeros(pieces, dtype=torch.uint8),
    }
