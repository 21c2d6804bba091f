"""Adapters by name under one place of a model, among which every row of a batch has its own."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.modules.adapter import Adapter

BASE = -1  # number of a row that goes through no adapter


@dataclass(frozen=True)
class AdaptedRows:
    """Rows of a batch sorted by the adapter that they go through, found once for all places of a model.

    Attributes:
        parts: number of each adapter that occurs (:data:`BASE` for none), with its rows (n,) int64 in their order.
        order: (B,) int64, place of every row in the parts one behind the other.
    """

    parts: tuple[tuple[int, Tensor], ...]
    order: Tensor

    @classmethod
    def of(cls, numbers: Tensor) -> "AdaptedRows":
        """Sort the rows of (B,) int64 numbers."""
        listed = numbers.tolist()
        rows = {number: [row for row, other in enumerate(listed) if other == number] for number in sorted({*listed})}
        order = torch.tensor([row for part in rows.values() for row in part], dtype=torch.int64).argsort()
        parts = {number: torch.tensor(part, dtype=torch.int64) for number, part in rows.items()}
        device = numbers.device
        return cls(tuple((number, part.to(device)) for number, part in parts.items()), order.to(device))


class NamedAdapters(nn.Module):
    """An adapter for each language or domain, side by side; a row goes through its own alone.

    Source: the adapters of arXiv:2410.13445, one set for each language; that the rows of a batch may go through several
    is ours. Only adapters that occur in a batch are computed, and gradients reach them alone.

    Args:
        dim: features D of a position.
        bottlenecks: inner features by name; an adapter's number is the place of its name. 0 for a name that has no
            adapter here, which leaves its rows as they are. A name must not be an attribute of every module (`to`).
    """

    def __init__(self, dim: int, bottlenecks: Mapping[str, int]) -> None:
        super().__init__()
        self.names = tuple(bottlenecks)
        for name, bottleneck in bottlenecks.items():
            if bottleneck:
                self.add_module(name, Adapter(dim, bottleneck))

    def forward(self, x: Tensor, numbers: Tensor | AdaptedRows | None = None) -> Tensor:
        """Send every row through its adapter.

        Args:
            x: (B, ..., D).
            numbers: (B,) int64, number of the adapter of each row, :data:`BASE` for none; or these rows, sorted. None
                leaves all rows as they are.

        Returns:
            (B, ..., D).

        Raises:
            ConfigError: a number is that of no name.
        """
        if numbers is None:
            return x
        rows = AdaptedRows.of(numbers) if isinstance(numbers, Tensor) else numbers
        if len(rows.parts) == 1:
            return self._adapt(rows.parts[0][0], x)
        if all(self._find(number) is None for number, _ in rows.parts):
            return x
        parts = [self._adapt(number, x.index_select(0, members)) for number, members in rows.parts]
        return torch.cat(parts).index_select(0, rows.order)

    def _adapt(self, number: int, x: Tensor) -> Tensor:
        adapter = self._find(number)
        return x if adapter is None else adapter(x)

    def _find(self, number: int) -> nn.Module | None:
        """The adapter of a number, where it has one."""
        if not BASE <= number < len(self.names):
            rule, mend = f"from {BASE} to {len(self.names) - 1}", "Number rows by the model's `adapter_names`."
            raise ConfigError(explain("", "adapter of a row", rule, number, mend))
        return None if number == BASE else self._modules.get(self.names[number])


def adapt(place: nn.Module, x: Tensor, rows: AdaptedRows | None) -> Tensor:
    """Send (B, ..., D) through what stands at a place: adapters by name, one for all rows, or nothing."""
    adapted: Tensor = place(x, rows) if isinstance(place, NamedAdapters) else place(x)
    return adapted
