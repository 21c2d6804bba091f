"""Sums of the gradients of tasks over one update: over its batches, then over all workers."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fairseq_samu.ops.consistency import cosine_of, isolated_gradients, products_with_first

# Name of a module -> numbers of its layers, each with the parameter whose gradient is looked at.
Probes = Mapping[str, Sequence[tuple[int, Tensor]]]
AllReduce = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Comparison:
    """A task's mean gradient beside the main task's, on one layer.

    Attributes:
        module: name of the module.
        layer: its layer's number; None for the mean over layers.
        norm: of the task's gradient; None where the task does not reach the layer.
        main_norm: likewise, of the main task's gradient.
        cosine: of the two; None where one of them is missing, zero or not finite.
    """

    module: str
    layer: int | None
    norm: float | None
    main_norm: float | None
    cosine: float | None


class GradientSums:
    """Sums up isolated gradients of several tasks on the same parameters, in float32 or wider.

    Each task has a sum of its own: the order of the tasks, and how an update is cut into batches and workers, change
    nothing but rounding.

    Args:
        tasks: names, the main one first; all workers must have the same.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks = tuple(tasks)
        self._sizes = dict.fromkeys(self.tasks, 0.0)
        self._reached: dict[str, set[int]] = {task: set() for task in self.tasks}
        self._sums = torch.zeros(len(self.tasks), 0)  # (tasks, elements of all probes)
        self._parts: dict[str, list[Tensor]] = {}  # views of the sums, one a probe
        self._places: list[tuple[str, int]] = []

    @property
    def device(self) -> torch.device:
        """Where the sums lie."""
        return self._sums.device

    def add(
        self, task: str, loss: Tensor, size: float, probes: Probes, counts: bool = True, loss_scale: float = 1.0
    ) -> None:
        """Add the gradient of a batch's loss, by one backward pass down to the lowest probe.

        Args:
            task: one of :attr:`tasks`.
            loss: scalar, the sum of the task's losses in this batch.
            size: what the mean is over, such as the number of target tokens.
            probes: the same in all calls.
            counts: False for a batch that only keeps a worker busy: nothing is added.
            loss_scale: the loss is multiplied by it for the pass, and its gradients, once widened, divided by it.
        """
        self.lay_out(probes)
        if not counts:
            return
        parameters = _parameters_of(probes)
        self._sizes[task] += size
        scaled = loss if loss_scale == 1 else loss * loss_scale
        for index, gradient in enumerate(isolated_gradients(scaled, parameters)):
            if gradient is not None:
                self._parts[task][index].add_(gradient, alpha=1 / loss_scale)
                self._reached[task].add(index)

    def lay_out(self, probes: Probes) -> None:
        """Make room for the sums, unless there is; a worker that adds nothing needs it to take part.

        Args:
            probes: the same as in all other calls.
        """
        if self._parts:
            return
        parameters = _parameters_of(probes)
        self._places = [(module, layer) for module, layers in probes.items() for layer, _ in layers]
        dtype = torch.float32
        for parameter in parameters:
            dtype = torch.promote_types(dtype, parameter.dtype)
        device = parameters[0].device if parameters else None
        counts = [parameter.numel() for parameter in parameters]
        self._sums = torch.zeros(len(self.tasks), sum(counts), dtype=dtype, device=device)
        for task, row in zip(self.tasks, self._sums, strict=True):
            parts = zip(row.split(counts) if counts else (), parameters, strict=True)
            self._parts[task] = [part.view(parameter.shape) for part, parameter in parts]

    def compare(self, all_reduce: AllReduce | None) -> dict[str, list[Comparison]]:
        """Compare each task with the main one, over all workers; the device is waited for once.

        Args:
            all_reduce: gives the sum over all workers of a tensor that each of them hands in; None for one worker.

        Returns:
            For each task but the main one, one comparison a layer, in the order of the probes.
        """
        if not self._places:
            return {task: [] for task in self.tasks[1:]}
        counts = torch.tensor(
            [[self._sizes[task], *self._reached_flags(task)] for task in self.tasks],
            dtype=torch.float64,
            device=self._sums.device,
        )
        sums = self._sums
        if all_reduce is not None:
            counts, sums = all_reduce(counts), all_reduce(sums)
        widths = [part.numel() for part in self._parts[self.tasks[0]]]
        products = torch.stack([products_with_first(part) for part in sums.split(widths, dim=1)])  # (probes, tasks, 2)
        return self._compare(counts.tolist(), products.tolist())

    def _reached_flags(self, task: str) -> list[float]:
        return [float(index in self._reached[task]) for index in range(len(self._places))]

    def _compare(self, counts: list[list[float]], products: list[list[list[float]]]) -> dict[str, list[Comparison]]:
        found: dict[str, list[Comparison]] = {task: [] for task in self.tasks[1:]}
        main_size = counts[0][0]
        for place in dict.fromkeys(self._places):
            own = [index for index, other in enumerate(self._places) if other == place]
            norms = []
            for row, (size, *reached) in enumerate(counts):
                square = math.fsum(products[index][row][0] for index in own)
                is_known = size > 0 and any(reached[index] for index in own) and math.isfinite(square)
                norms.append(math.sqrt(square) / size if is_known else None)
            for row, task in enumerate(self.tasks[1:], 1):
                norm, main_norm, cosine = norms[row], norms[0], None
                if norm is not None and main_norm is not None:
                    product = math.fsum(products[index][row][1] for index in own)
                    cosine = cosine_of(product / counts[row][0] / main_size, norm, main_norm)
                found[task].append(Comparison(*place, norm, main_norm, cosine))
        return found


def _parameters_of(probes: Probes) -> list[Tensor]:
    return [parameter for layers in probes.values() for _, parameter in layers]
