"""The matrix products of a training step: recorded while it runs, then run alone for the bound that they set.

A product is a call of `mm`, `addmm`, `bmm`, a convolution, or one of the products inside fused attention or a fused
LSTM (of all frames at once where it reads its input, of one frame after the other where it reads its state). Everything
else (norms, activations, softmax, sums, the optimizer) counts as nothing, so that no implementation reaches the bound.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
Layout = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]  # sizes, strides, precision
SECONDS_A_PRODUCT = 0.1  # a short product is repeated until this much was spent on it, at most MOST times
MOST = 20


@dataclass(frozen=True)
class Product:
    """One matrix product.

    Attributes:
        kind: ``mm``, ``bmm``, ``onednn`` (``x @ weight.T`` by oneDNN), ``fastest`` (the same by the faster library),
            ``convolution`` or ``convolution_backward``.
        operands: layouts of the tensors that are read.
        options: what else a convolution needs.
    """

    kind: str
    operands: tuple[Layout, ...]
    options: tuple[Any, ...] = ()

    @property
    def operations(self) -> int:
        """Floating-point operations, a multiplication and an addition counted as two."""
        sizes = [operand[0] for operand in self.operands]
        if self.kind in ("mm", "bmm"):
            return 2 * math.prod(sizes[0]) * sizes[1][-1]
        *_, weight = sizes
        if self.kind in ("onednn", "fastest"):
            return 2 * math.prod(sizes[0]) * weight[0]
        if self.kind == "convolution":
            return 2 * math.prod(weight[1:]) * self.options[-1]
        return 2 * math.prod(weight[1:]) * self.options[-2] * sum(self.options[-1][:2])


class ProductRecorder(TorchDispatchMode):
    """Counts the matrix products of whatever runs inside.

    Attributes:
        products: how often each ran.
    """

    def __init__(self) -> None:
        super().__init__()
        self.products: Counter[Product] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        note = NOTES.get(func._overloadpacket)
        if note is not None:
            for product in note(args, result):
                self.products[product] += 1
        return result


def _layout(tensor: Tensor) -> Layout:
    return tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype


def _two(kind: str, first: Tensor, second: Tensor) -> Product:
    return Product(kind, (_layout(first), _layout(second)))


def _convolution(args: Any, result: Tensor) -> list[Product]:
    source, weight, _, *options = args
    return [Product("convolution", (_layout(source), _layout(weight)), (*_freeze(options), result.numel()))]


def _convolution_backward(args: Any, _: Any) -> list[Product]:
    incoming, source, weight, _, *options = args
    *rest, mask = options
    operands = (_layout(incoming), _layout(source), _layout(weight))
    return [Product("convolution_backward", operands, (*_freeze(rest), incoming.numel(), tuple(mask)))]


def _freeze(options: Any) -> tuple[Any, ...]:
    return tuple(tuple(option) if isinstance(option, list) else option for option in options)


def _attention(args: Any, _: Any) -> list[Product]:
    queries, keys, values = args[:3]
    weights = queries.new_empty(*queries.shape[:3], keys.size(2))
    return [_batched(queries, keys.transpose(2, 3)), _batched(weights, values)]


def _attention_backward(args: Any, _: Any) -> list[Product]:
    incoming, queries, keys, values = args[:4]
    weights = queries.new_empty(*queries.shape[:3], keys.size(2))
    of_values, of_weights = _batched(weights.transpose(2, 3), incoming), _batched(incoming, values.transpose(2, 3))
    return [of_values, of_weights, _batched(weights, keys), _batched(weights.transpose(2, 3), queries)]


def _batched(first: Tensor, second: Tensor) -> Product:
    """A product of (B, heads, M, K) and (B, heads, K, N), of which a fused attention makes B * heads."""
    return _two("bmm", first.flatten(0, 1), second.flatten(0, 1))


def _lstm(args: Any, _: Any) -> list[Product]:
    source, of_input, of_state = args[:3]
    frames, rows, dim = source.shape
    inputs, state = source.new_empty(frames * rows, dim), source.new_empty(rows, of_state.size(1))
    return [_two("fastest", inputs, of_input), *[_two("fastest", state, of_state)] * frames]


def _lstm_backward(args: Any, _: Any) -> list[Product]:
    source, _, of_state = args[:3]
    frames, rows, dim = source.shape
    gates, hidden = of_state.shape
    incoming, of_frame = source.new_empty(frames * rows, gates), source.new_empty(rows, gates)
    turned = source.new_empty(gates, frames * rows)
    return [
        _two("fastest", incoming, source.new_empty(dim, gates)),
        _two("fastest", turned, source.new_empty(dim, frames * rows)),
        _two("fastest", turned, source.new_empty(hidden, frames * rows)),
        *[_two("fastest", of_frame, source.new_empty(hidden, gates))] * frames,
    ]


NOTES: dict[Any, Callable[[Any, Any], list[Product]]] = {
    aten.mm: lambda args, _: [_two("mm", args[0], args[1])],
    aten.addmm: lambda args, _: [_two("mm", args[1], args[2])],
    aten.addmm_: lambda args, _: [_two("mm", args[1], args[2])],
    torch.ops.mkldnn._linear_pointwise: lambda args, _: [_two("onednn", args[0].flatten(0, -2), args[1])],
    aten.bmm: lambda args, _: [_two("bmm", args[0], args[1])],
    aten.baddbmm: lambda args, _: [_two("bmm", args[1], args[2])],
    aten.mkldnn_rnn_layer: _lstm,
    aten.mkldnn_rnn_layer_backward: _lstm_backward,
    aten.convolution: _convolution,
    aten.convolution_backward: _convolution_backward,
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


def operations(products: Counter[Product]) -> int:
    """Floating-point operations of all products."""
    return sum(count * product.operations for product, count in products.items())


@torch.no_grad()
def time_alone(products: Counter[Product], clock: Callable[[], float] = time.perf_counter) -> float:
    """Run every product by itself, warm and with nothing between, and add up what a step's products would take.

    Args:
        products: how often a step runs each.
        clock: what tells the seconds.

    Returns:
        Seconds of all products of a step.
    """
    return sum(count * _seconds(product, clock) for product, count in products.items())


def _seconds(product: Product, clock: Callable[[], float]) -> float:
    if product.kind == "fastest":
        rows, weight = product.operands
        (inputs, outputs), strides, dtype = (weight[0][1], weight[0][0]), weight[1][::-1], weight[2]
        turned = Product("mm", (rows, ((inputs, outputs), strides, dtype)))
        return min(_seconds(one, clock) for one in (turned, Product("onednn", product.operands)))
    run = _runner(product)
    run()
    taken: list[float] = []
    while len(taken) < 2 or (sum(taken) < SECONDS_A_PRODUCT and len(taken) < MOST):
        begun = clock()
        run()
        taken.append(clock() - begun)
    return sorted(taken)[(len(taken) - 1) // 2]


def _runner(product: Product) -> Callable[[], Any]:
    tensors = [_tensor(layout) for layout in product.operands]
    if product.kind == "mm":
        out = torch.mm(*tensors)
        return lambda: torch.mm(*tensors, out=out)
    if product.kind == "bmm":
        batched = torch.bmm(*tensors)
        return lambda: torch.bmm(*tensors, out=batched)
    if product.kind == "onednn":
        return lambda: torch.ops.mkldnn._linear_pointwise(*tensors, None, "none", [], "")
    if product.kind == "convolution":
        return lambda: aten.convolution(*tensors, None, *product.options[:-1])
    *rest, _, mask = product.options
    return lambda: aten.convolution_backward(*tensors, [tensors[-1].size(0)], *rest, list(mask))


def _tensor(layout: Layout) -> Tensor:
    shape, strides, dtype = layout
    tensor = torch.empty_strided(shape, strides, dtype=dtype)
    return tensor.normal_() if 0 not in strides else tensor.new_zeros(shape).normal_().as_strided(shape, strides)
