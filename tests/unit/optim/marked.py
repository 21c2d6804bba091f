"""Parameters with names of groups, and gradients for them, for the tests of this folder."""

import torch
from torch import nn

from fairseq_samu.models.tuning import mark_groups

SIZES = {
    "encoder.layer.0": [(3, 2), (2,)],
    "encoder.layer.1": [(3, 2)],
    "head.pooling": [(4,)],
    "slu_head.lstm": [(2, 5)],
}


def make_groups(dtype: torch.dtype = torch.float32) -> dict[str, list[nn.Parameter]]:
    """Parameters by group, marked, the same ones each time."""
    generator = torch.Generator().manual_seed(3)
    groups = {
        name: [nn.Parameter(torch.randn(size, generator=generator).to(dtype)) for size in sizes]
        for name, sizes in SIZES.items()
    }
    mark_groups(groups)
    return groups


def flatten(groups: dict[str, list[nn.Parameter]]) -> list[nn.Parameter]:
    """All parameters, in the order of their groups."""
    return [parameter for members in groups.values() for parameter in members]


def set_gradients(parameters: list[nn.Parameter], update: int) -> None:
    """Write the gradients of an update on parameters."""
    generator = torch.Generator().manual_seed(100 + update)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
