"""Reading the Whisper weights of a CTranslate2 ``model.bin``."""

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fairseq_samu.errors import CheckpointError, explain

BINARY_VERSION = 6
DTYPES: dict[int, np.dtype[Any]] = dict(enumerate(map(np.dtype, ("<f4", "i1", "<i2", "<i4", "<f2"))))
MEND = "Download or convert the file again; quantised models cannot be read."

ENCODER_NAMES = {
    "ffn/layer_norm/gamma": "final_layer_norm.weight",
    "ffn/layer_norm/beta": "final_layer_norm.bias",
    "ffn/linear_0/weight": "fc1.weight",
    "ffn/linear_0/bias": "fc1.bias",
    "ffn/linear_1/weight": "fc2.weight",
    "ffn/linear_1/bias": "fc2.bias",
    "self_attention/layer_norm/gamma": "self_attn_layer_norm.weight",
    "self_attention/layer_norm/beta": "self_attn_layer_norm.bias",
    "self_attention/linear_1/weight": "self_attn.out_proj.weight",
    "self_attention/linear_1/bias": "self_attn.out_proj.bias",
}
STEM_NAMES = {
    "conv1/weight": "conv1.weight",
    "conv1/bias": "conv1.bias",
    "conv2/weight": "conv2.weight",
    "conv2/bias": "conv2.bias",
    "layer_norm/gamma": "layer_norm.weight",
    "layer_norm/beta": "layer_norm.bias",
    "position_encodings/encodings": "positions",
}


class _Cursor:
    """Reads little-endian values off a buffer, and refuses to run past its end."""

    def __init__(self, data: bytes, where: str) -> None:
        self.data, self.where, self.offset = data, where, 0

    def take(self, size: int) -> memoryview:
        if self.offset + size > len(self.data):
            raise CheckpointError(explain(self.where, "file", "complete", f"{len(self.data)} bytes", MEND))
        self.offset += size
        return memoryview(self.data)[self.offset - size : self.offset]

    def number(self, code: str) -> int:
        return int(struct.unpack("<" + code, self.take(struct.calcsize(code)))[0])

    def string(self) -> str:
        return bytes(self.take(self.number("H"))).rstrip(b"\0").decode("utf-8", errors="replace")


def read_ctranslate2(path: Path) -> dict[str, np.ndarray]:
    """Read all variables of a CTranslate2 model file; nothing in it is executed.

    Args:
        path: the ``model.bin``.

    Returns:
        Arrays by the file's own names, views of one buffer.

    Raises:
        CheckpointError: when the file is cut off or of another kind or version.
    """
    cursor = _Cursor(path.read_bytes(), str(path))
    version = cursor.number("I")
    if version != BINARY_VERSION:
        raise CheckpointError(explain(str(path), "binary version", f"{BINARY_VERSION}", version, MEND))
    specification = cursor.string()
    if specification != "WhisperSpec":
        raise CheckpointError(explain(str(path), "model", "a Whisper model", specification, MEND))
    cursor.number("I")  # revision of the specification
    variables: dict[str, np.ndarray] = {}
    for _ in range(cursor.number("I")):
        name = cursor.string()
        shape = tuple(cursor.number("I") for _ in range(cursor.number("B")))
        code = cursor.number("B")
        data = cursor.take(cursor.number("I"))
        dtype = DTYPES.get(code)
        if dtype is None or len(data) != dtype.itemsize * int(np.prod(shape, dtype=np.int64)):
            raise CheckpointError(explain(str(path), name, "of a known type and size", f"type {code}", MEND))
        variables[name] = np.frombuffer(data, dtype=dtype).reshape(shape)
    return variables


def whisper_from_ctranslate2(path: Path) -> tuple[dict[str, Any], dict[str, Tensor], list[str]]:
    """Read a Whisper encoder's config and weights (as float32) from a CTranslate2 model file.

    Args:
        path: the ``model.bin``.

    Returns:
        Config and state dict of the package's Whisper encoder, and the names that were left out (the decoder's).

    Raises:
        CheckpointError: when the file is damaged, of another kind, or quantised.
    """
    variables = read_ctranslate2(path)
    state: dict[str, Tensor] = {}
    for name, values in variables.items():
        if name.startswith("encoder/") and values.ndim:
            if values.dtype.kind != "f":
                raise CheckpointError(explain(str(path), name, "of a float type", values.dtype, MEND))
            state.update(_rename(name.removeprefix("encoder/"), torch.from_numpy(values.astype(np.float32))))
    try:
        config = _config(variables, state)
    except KeyError as error:
        raise CheckpointError(explain(str(path), str(error.args[0]), "in the file", "missing", MEND)) from error
    others = [name for name, values in variables.items() if values.ndim and not name.startswith("encoder/")]
    return config, state, others


def _rename(name: str, values: Tensor) -> dict[str, Tensor]:
    """Give a variable its name here; the joined projection becomes query, key (whose bias is zero) and value."""
    if name in STEM_NAMES:
        return {STEM_NAMES[name]: values}
    match = re.fullmatch(r"layer_(\d+)/(.+)", name)
    if match is None:
        return {name: values}
    prefix, rest = f"layers.{match[1]}.", match[2]
    if rest in ENCODER_NAMES:
        return {prefix + ENCODER_NAMES[rest]: values}
    if rest in ("self_attention/linear_0/weight", "self_attention/linear_0/bias"):
        kind = rest.rsplit("/", 1)[1]
        query, key, value = (part.clone() for part in values.chunk(3))
        parts = {"q_proj": query, "k_proj": key, "v_proj": value}
        if kind == "bias" and not bool(key.any()):
            del parts["k_proj"]
        return {f"{prefix}self_attn.{part}.{kind}": tensor for part, tensor in parts.items()}
    return {prefix + rest: values}


def _config(variables: dict[str, np.ndarray], state: dict[str, Tensor]) -> dict[str, Any]:
    dim, num_mel_bins, _ = state["conv1.weight"].shape
    return {
        "family": "whisper",
        "dim": dim,
        "ffn_dim": state["layers.0.fc1.weight"].size(0),
        "num_layers": len({name.split(".")[1] for name in state if name.startswith("layers.")}),
        "num_heads": int(variables["encoder/num_heads"]),
        "num_mel_bins": num_mel_bins,
        "max_frames": state["positions"].size(0),
    }
