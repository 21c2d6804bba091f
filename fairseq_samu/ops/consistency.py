"""How far tasks agree on the parameters they share: isolated gradients, their cosines, and weights that follow them."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def isolated_gradients(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor | None]:
    """Gradients of one loss alone, in one backward pass that ends at the lowest of the parameters.

    ``.grad`` stays as it is, and the graph stays there for the backward pass of the training.

    Args:
        loss: scalar.
        parameters: leaves of any shape; what needs no gradient has none.

    Returns:
        For each parameter its gradient, in its shape and dtype, or None where the loss does not depend on it.
    """
    wanted = [index for index, parameter in enumerate(parameters) if parameter.requires_grad]
    found: list[Tensor | None] = [None] * len(parameters)
    if not wanted or not loss.requires_grad:
        return found
    gradients = torch.autograd.grad(loss, [parameters[index] for index in wanted], retain_graph=True, allow_unused=True)
    for index, gradient in zip(wanted, gradients, strict=True):
        found[index] = gradient
    return found


def products_with_first(rows: Tensor) -> Tensor:
    """Inner products of vectors with themselves and with the first of them.

    In float64, where squares of small gradients do not vanish.

    Args:
        rows: (K, D) of any dtype.

    Returns:
        (K, 2) float64, on the device of the rows: nothing waits for it.
    """
    wide = rows.double()
    return torch.stack([(wide * wide).sum(dim=1), wide @ wide[0]], dim=1)


def cosine_of(product: float, norm: float, other_norm: float) -> float | None:
    """Cosine of two vectors from their inner product and norms.

    Args:
        product: inner product.
        norm: of the one.
        other_norm: of the other.

    Returns:
        A value in [-1, 1]; None where a vector is zero or not finite, because it has no direction.
    """
    size = norm * other_norm
    if not math.isfinite(product) or not math.isfinite(size) or size <= 0:
        return None
    return max(-1.0, min(1.0, product / size))


def ratio_of(norm: float | None, main_norm: float | None) -> float | None:
    """Norm of a task's gradient relative to that of the main task.

    Args:
        norm: of the task; None where it has no gradient.
        main_norm: of the main task, likewise.

    Returns:
        The ratio, or None where one of the two is not known, not finite, or the main task's is zero.
    """
    if norm is None or main_norm is None or main_norm <= 0:
        return None
    ratio = norm / main_norm
    return ratio if math.isfinite(ratio) else None


def mean_of(values: Iterable[float | None]) -> float | None:
    """Mean of what is known.

    Args:
        values: numbers; None for what was not measured.

    Returns:
        Mean of the numbers, or None where there is none.
    """
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def decay_by_norms(weight: float, ratios: Iterable[float | None], exponent: float) -> float:
    """Weight of a task after its gradient's norms were compared with the main task's (task norms, arXiv:2311.03810).

    ``weight * max(ratios) ** exponent``; it never grows, which the paper leaves open.

    Args:
        weight: before.
        ratios: of norms, one a module; None where there was nothing to measure.
        exponent: the number of changes so far for ASR, half of it for MT.

    Returns:
        The new weight, at most the old one; the old one where no ratio is known.
    """
    known = [ratio for ratio in ratios if ratio is not None]
    return weight * min(1.0, max(known)) ** exponent if known else weight


def decay_by_consistency(weight: float, cosine: float | None, rate: float) -> float:
    """Weight of a task after its gradient's direction was compared with the main task's.

    ``weight * max(0, 1 - rate * (1 - cosine))``: full agreement keeps it, the more a task disagrees the faster it
    fades.

    Args:
        weight: before.
        cosine: mean cosine of the two gradients; None where it was not measured.
        rate: share of the weight that a task loses whose gradient is at a right angle to the main task's, in [0, 1].

    Returns:
        The new weight, at most the old one.
    """
    return weight if cosine is None else weight * max(0.0, 1.0 - rate * (1.0 - cosine))
