"""What every measured system can do; imported in both environments."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from benchmarks.understanding.work import Batch


class System(ABC):
    """An encoder and a tagging head with the common weights.

    Attributes:
        model: the module that is trained.
        optimizer: Adam for the encoder, Adadelta for the head, at a rate of 0: every step does the same.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer

    @abstractmethod
    def train(self) -> None:
        """Switch to training."""

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """CTC of an utterance's labels divided by their number, mean over the batch."""

    @abstractmethod
    def log_probs(self, batch: Batch) -> Tensor:
        """Log-probabilities (B, T, V) of the labels, in evaluation."""

    @abstractmethod
    def greedy(self, batch: Batch) -> list[list[int]]:
        """Labels of each row by best-path decoding, from the wave."""

    @abstractmethod
    def search(self, batch: Batch, log_probs: Tensor) -> list[list[int]]:
        """Labels of each row's best hypothesis by beam search over (B, T, V)."""

    def count_parameters(self) -> dict[str, int]:
        """Count the parameters of encoder and tagging head, and those of them that are tuned."""
        parameters = self.tagging_parameters()
        return {
            "all": sum(parameter.numel() for parameter in parameters),
            "tuned": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        }

    @abstractmethod
    def tagging_parameters(self) -> list[nn.Parameter]:
        """Parameters of encoder and tagging head."""

    def gradient_norm(self) -> float:
        """Norm of all gradients of encoder and tagging head."""
        found = [parameter.grad.norm() for parameter in self.tagging_parameters() if parameter.grad is not None]
        return torch.stack(found).norm().item()
