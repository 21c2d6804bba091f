"""What every measured system can do; imported in both environments."""

from abc import ABC, abstractmethod
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmarks.adapters.work import Batch

WINDOW_SECONDS = 30  # what transformers' Whisper reads, whatever was said
STATE = "state.safetensors"  # the common weights by the names of samu_xlsr_mbart
ADAPTER_MARK = "_adapter."


def load_adapters(folder: Path, fresh: bool) -> dict[str, Tensor]:
    """Read the common adapters.

    Args:
        folder: the common weights.
        fresh: with a last projection of zeros, so that they change nothing.
    """
    found = {name: tensor for name, tensor in load_file(folder / STATE).items() if ADAPTER_MARK in name}
    return {name: torch.zeros_like(tensor) if fresh and ".up." in name else tensor for name, tensor in found.items()}


class System(ABC):
    """A speech encoder with adapters and a decoder, of which the adapters alone are tuned.

    Attributes:
        model: the module that is trained.
    """

    model: nn.Module

    @abstractmethod
    def prepare(self, batch: Batch) -> None:
        """Do once for a batch what training does once for a data set."""

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the tokens, their mean."""

    @abstractmethod
    def frames(self, batch: Batch) -> Tensor:
        """Frames (B, T, D) of the encoder, in evaluation."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what was tuned into an empty folder, as its users do."""

    def tuned(self) -> list[nn.Parameter]:
        """Parameters that are tuned."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def gradient_norm(self) -> float:
        """Norm of all gradients of the last step."""
        return torch.stack([p.grad.norm() for p in self.tuned() if p.grad is not None]).norm().item()
