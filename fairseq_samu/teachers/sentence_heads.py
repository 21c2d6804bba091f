"""What stands behind the transformer of a sentence-transformers directory: pooling, dense layers, normalisation."""

import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fairseq_samu.errors import TeacherError, explain

# By the names in a Dense layer's record; a fixed list, because importing what a file names would run its code.
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "Tanh": nn.Tanh,
    "Identity": nn.Identity,
    "ReLU": nn.ReLU,
    "GELU": nn.GELU,
    "Sigmoid": nn.Sigmoid,
    "SiLU": nn.SiLU,
}
# Flag in a pooling layer's record -> mode; several may be on, their results are joined in this order.
POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
}
FLAG_PREFIX = "pooling_mode_"


class Pooling(nn.Module):
    """From token vectors to one vector a sentence.

    Args:
        record: the layer's config.json, with flags ``pooling_mode_*`` or one ``pooling_mode``.
        where: its path, for messages.

    Raises:
        TeacherError: the record asks for a mode that is not known here, or for none.
    """

    def __init__(self, record: dict[str, Any], where: str = ""):
        super().__init__()
        asked = [name for name, value in record.items() if name.startswith(FLAG_PREFIX) and value]
        modes = [POOLING_FLAGS[name] for name in POOLING_FLAGS if name in asked]
        unknown = [name for name in asked if name not in POOLING_FLAGS]
        if record.get("pooling_mode"):
            modes = [str(record["pooling_mode"])]
            unknown = [mode for mode in modes if mode not in POOLING_FLAGS.values()]
        if unknown or not modes or record.get("include_prompt") is False:
            rule = f"one of {', '.join(POOLING_FLAGS.values())}, over all tokens"
            value = ", ".join(unknown) if unknown else "without the prompt" if modes else "none"
            raise TeacherError(explain(where, "pooling", rule, value, "Choose another teacher."))
        self.modes = modes

    def forward(self, frames: Tensor, token_mask: Tensor) -> Tensor:
        """Pool tokens.

        Args:
            frames: (B, T, D) float.
            token_mask: (B, T) bool, True = a token, which is the other way round than a padding mask.

        Returns:
            (B, D) float, or (B, modes * D) where several modes are on.
        """
        return torch.cat([self._pool(mode, frames, token_mask.unsqueeze(-1)) for mode in self.modes], dim=-1)

    def _pool(self, mode: str, frames: Tensor, kept: Tensor) -> Tensor:
        if mode == "cls":
            # The first token of each sentence, also where a tokenizer pads on the left.
            first = kept.squeeze(-1).int().argmax(dim=1)
            return frames[torch.arange(len(frames), device=frames.device), first]
        if mode == "max":
            return frames.masked_fill(~kept, float("-inf")).amax(dim=1)
        total = frames.masked_fill(~kept, 0.0).sum(dim=1)
        count = kept.sum(dim=1).clamp(min=1).to(frames.dtype)
        return total / (count if mode == "mean" else count.sqrt())


class Normalise(nn.Module):
    """Scale vectors (B, D) to length 1."""

    def forward(self, vectors: Tensor) -> Tensor:
        """Scale them."""
        return F.normalize(vectors, dim=-1)


def build_dense(folder: Path) -> nn.Sequential:
    """Build a dense layer with its weights.

    Args:
        folder: holds config.json (in_features, out_features, bias, activation_function) and the weights.

    Returns:
        The linear layer and its activation.

    Raises:
        TeacherError: a file is missing or damaged, or the activation is not known here.
    """
    record = read_record(folder / "config.json")
    name = str(record.get("activation_function", "Tanh")).rpartition(".")[2]
    if name not in ACTIVATIONS:
        mend = "Choose another teacher."
        raise TeacherError(
            explain(f"{folder}/config.json", "activation_function", f"one of {', '.join(ACTIVATIONS)}", name, mend)
        )
    mend = "Restore the directory from where it was published."
    try:
        linear = nn.Linear(int(record["in_features"]), int(record["out_features"]), bool(record.get("bias", True)))
        state = _read_state(folder)
        linear.load_state_dict({key.removeprefix("linear."): value.float() for key, value in state.items()})
    except TeacherError:
        raise
    except Exception as error:  # readers of weights raise classes of their own
        reason = " ".join(str(error).split())[:300]
        raise TeacherError(explain(str(folder), "dense layer", "complete and readable", reason, mend)) from error
    return nn.Sequential(linear, ACTIVATIONS[name]())


def _read_state(folder: Path) -> dict[str, Tensor]:
    if (folder / "model.safetensors").exists():
        from safetensors.torch import load_file

        return dict(load_file(str(folder / "model.safetensors")))
    return dict(torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True))


def read_record(path: Path) -> Any:
    """Read a JSON file.

    Args:
        path: the file.

    Returns:
        What it holds.

    Raises:
        TeacherError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        mend = "Restore the directory from where it was published."
        raise TeacherError(explain(str(path), path.name, "readable JSON", reason, mend)) from error
