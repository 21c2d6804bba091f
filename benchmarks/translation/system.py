"""What every measured system can do."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from benchmarks.translation.work import Batch


class System(ABC):
    """A model with the common weights, of which adapters, cross-attention and the decoder's norms are tuned.

    Attributes:
        model: the module that is trained.
    """

    model: nn.Module

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Label-smoothed cross-entropy, summed over the tokens of a batch."""

    @abstractmethod
    def decode(self, batch: Batch, max_tokens: int) -> list[list[int]]:
        """Translate by a beam of 5: the ids of each row's best hypothesis, ``[tag] pieces </s>``."""

    def prepare(self, batch: Batch) -> None:  # noqa: B027 (most cache nothing)
        """Do once for a batch what training does once for a data set; nothing, where nothing is cached."""

    def tuned(self) -> list[nn.Parameter]:
        """Parameters that are tuned."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def to(self, dtype: torch.dtype) -> None:
        """Change the precision of the whole model."""
        self.model.to(dtype)


def is_tuned(name: str) -> bool:
    """Whether a parameter of the common state is tuned in the paper's configuration."""
    if name.startswith("encoder."):
        return "_adapter." in name
    return ".encoder_attn." in name or "norm" in name


def load(model: nn.Module, pairs: Iterator[tuple[str, str, Tensor]]) -> None:
    """Give a model its weights, and freeze what is frozen.

    Args:
        model: the model, of which every parameter must be named once.
        pairs: name in the model, name in the common state, and the tensor.

    Raises:
        ValueError: names do not fit.
    """
    parameters = dict(model.named_parameters())
    for name, common, tensor in pairs:
        parameter = parameters.pop(name, None)
        if parameter is None or parameter.shape != tensor.shape:
            raise ValueError(f"`{common}` does not fit `{name}` of {type(model).__name__}")
        place, _, leaf = name.rpartition(".")
        if parameter.is_meta:
            setattr(model.get_submodule(place), leaf, nn.Parameter(tensor, is_tuned(common)))
        else:
            parameter.data = tensor
            parameter.requires_grad = is_tuned(common)
    if parameters:
        raise ValueError(f"{type(model).__name__} has weights that nothing fills: {sorted(parameters)}")
