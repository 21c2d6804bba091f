"""Output layer and label-smoothed cross-entropy in one, without the logits of the whole vocabulary at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fairseq_samu.errors import ConfigError, explain
from fairseq_samu.ops.fast_products import linear

LOGITS_AT_ONCE = 2**24  # 64 MiB in float32
SMALLEST_BLOCK = 4096  # tokens of the vocabulary; with fewer, matrix products become slow
HALF_SCALE = 256.0  # lifts the shares of unlikely tokens out of the subnormal numbers of float16


@dataclass(frozen=True)
class TokenLosses:
    """What a decoder's predictions cost at each position.

    Attributes:
        loss: (N,) label-smoothed cross-entropy in nats, float32 (float64 for float64 inputs); gradients flow through.
        nll: (N,) negative log-likelihood of the target in nats, as ``loss``, without gradients.
        correct: (N,) bool, whether no other token is more likely than the target.
    """

    loss: Tensor
    nll: Tensor
    correct: Tensor


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    label_smoothing: float = 0.0,
    logits_at_once: int = LOGITS_AT_ONCE,
) -> TokenLosses:
    """Cross-entropy of ``softmax(hidden @ weight.T)``, with labels smoothed as the host smooths them.

    With eps the smoothing and V tokens, the target has weight ``1 - eps`` and every other token ``eps / (V - 1)``
    (section 7 of arXiv:1512.00567, without the target's own share of the uniform distribution).

    The vocabulary is worked off in blocks, with the running maximum and sum of an online softmax (section 3 of
    arXiv:1805.02867): nothing of size (N, V) is ever held. Where ``weight`` is frozen, the gradient with respect to
    ``hidden`` comes out of the forward pass, and the backward pass costs nothing; where it is tuned, the backward pass
    computes the logits again. Logits and what is multiplied with ``weight`` have the dtype of the inputs (autocast's,
    inside autocast); all statistics are float32 or wider.

    Args:
        hidden: (N, D) states of the decoder; padding is taken out before.
        weight: (V, D) output layer, same dtype as ``hidden`` outside autocast.
        target: (N,) int64 ids in [0, V).
        label_smoothing: eps in [0, 1).
        logits_at_once: most logits of a block; a block has 4096 tokens at least.

    Returns:
        Losses of each position; gradients of any weighting of them are exact. Not differentiable twice.

    Raises:
        ConfigError: shapes do not fit, or the smoothing is out of its range.
    """
    _check(hidden, weight, target, label_smoothing)
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        hidden, weight = hidden.to(dtype), weight.to(dtype)
    block = max(logits_at_once // max(hidden.size(0), 1), SMALLEST_BLOCK)
    wants_gradient = torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad)
    with torch.autocast(device, enabled=False):
        outputs = _LinearCrossEntropy.apply(hidden, weight, target, label_smoothing, block, wants_gradient)
    return TokenLosses(*outputs)


def _check(hidden: Tensor, weight: Tensor, target: Tensor, label_smoothing: float) -> None:
    shapes = f"{tuple(hidden.shape)}, {tuple(weight.shape)}, {tuple(target.shape)}"
    fits = hidden.dim() == weight.dim() == 2 and hidden.size(1) == weight.size(1) and target.shape == hidden.shape[:1]
    if not fits or weight.size(0) < 2:
        rule = "(N, D), (V, D), (N,) with V of 2 or more"
        raise ConfigError(explain("linear_cross_entropy", "hidden, weight, target", rule, shapes, "Reshape them."))
    if not 0.0 <= label_smoothing < 1.0:
        mend = "Set --label-smoothing."
        raise ConfigError(explain("linear_cross_entropy", "label_smoothing", "in [0, 1)", label_smoothing, mend))


class _Block(NamedTuple):
    """A part of the vocabulary.

    Attributes:
        weight: (M, D) its rows of the output layer.
        rows: where they stand.
        logits: (N, M) in the dtype of the inputs; the next block overwrites them.
        place: (N, 1) int64 of each target in the block, 0 where it is in another one.
        is_inside: (N, 1) bool, whether the target is in this block.
    """

    weight: Tensor
    rows: slice
    logits: Tensor
    place: Tensor
    is_inside: Tensor


def _blocks(hidden: Tensor, weight: Tensor, target: Tensor, size: int) -> Iterator[_Block]:
    """Compute the logits of one block of at most ``size`` tokens after another."""
    for first in range(0, weight.size(0), size):
        part = weight[first : first + size]
        logits = linear(hidden, part)
        place = (target - first)[:, None]
        is_inside = (place >= 0) & (place < part.size(0))
        rows = slice(first, first + part.size(0))
        yield _Block(part, rows, logits, torch.where(is_inside, place, 0), is_inside)


class _Statistics:
    """Softmax over blocks that are seen one after another, and the sum of what is multiplied with it.

    Args:
        hidden: (N, D).
        wants_gradient: also sum up the rows of the output layer, weighted by their probabilities.
    """

    def __init__(self, hidden: Tensor, wants_gradient: bool) -> None:
        self.dtype = torch.promote_types(hidden.dtype, torch.float32)
        self.highest = torch.full((hidden.size(0), 1), float("-inf"), dtype=self.dtype, device=hidden.device)
        self.total = torch.zeros_like(self.highest)  # sum over tokens of exp(logit - highest)
        self.own = torch.zeros_like(self.highest)  # the target's logit
        self.column_sum = torch.zeros(hidden.size(1), dtype=self.dtype, device=hidden.device)
        self.others = torch.zeros_like(hidden, dtype=self.dtype) if wants_gradient else None

    def add(self, block: _Block, is_smoothed: bool) -> None:
        """Take in a block, whose logits are overwritten."""
        logits = block.logits.to(self.dtype)
        highest = torch.maximum(self.highest, logits.amax(dim=1, keepdim=True))
        self.own = torch.where(block.is_inside, logits.gather(1, block.place), self.own)
        shrink = (self.highest - highest).exp_()
        shares = logits.sub_(highest).exp_()
        self.highest = highest
        sums = shares.sum(dim=1, keepdim=True)
        self.total.mul_(shrink).add_(sums)
        if is_smoothed:
            self.column_sum += block.weight.sum(dim=0, dtype=self.dtype)
        if self.others is None:
            return
        # The target is left out, because 1 - p is more exact from its negative log-likelihood.
        kept = torch.where(block.is_inside, 0.0, shares.gather(1, block.place))
        shares.scatter_(1, block.place, kept)
        self.others *= shrink
        if shares.dtype == block.weight.dtype:
            self.others += linear(shares, block.weight.t())
        else:
            # A sum over a flat distribution would overflow float16, a share of it underflow.
            narrow = block.logits.copy_(shares.mul_(HALF_SCALE / sums))
            self.others += torch.mm(narrow, block.weight) * (sums / HALF_SCALE)

    def nll(self) -> Tensor:
        """Compute the targets' negative log-likelihood (N, 1)."""
        return self.total.log() - (self.own - self.highest)

    def log_sum(self) -> Tensor:
        """Compute log(sum(exp(logits))), (N, 1)."""
        return self.total.log() + self.highest


class _LinearCrossEntropy(torch.autograd.Function):
    """Losses of all positions and their gradients, block by block."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, target: Tensor, eps: float, block_size: int, wants_gradient: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute loss, negative log-likelihood and correctness of each position, (N,) each."""
        ctx.is_frozen = wants_gradient and not weight.requires_grad
        eps_other = eps / (weight.size(0) - 1)
        seen = _Statistics(hidden, ctx.is_frozen)
        for block in _blocks(hidden, weight, target, block_size):
            seen.add(block, is_smoothed=eps > 0)
        nll = seen.nll()
        loss = (1.0 - eps - eps_other) * nll
        if eps > 0:
            sum_of_logits = (hidden.to(seen.dtype) @ seen.column_sum)[:, None]
            loss += eps_other * (weight.size(0) * seen.log_sum() - sum_of_logits)
        if seen.others is not None:
            gradient = seen.others.div_(seen.total)
            gradient += (torch.expm1(-nll) + (eps + eps_other)) * weight[target]
            gradient -= eps_other * seen.column_sum
            ctx.save_for_backward(gradient)
        elif wants_gradient:
            ctx.save_for_backward(hidden, weight, target, seen.log_sum(), nll)
        ctx.options = (eps, eps_other, block_size)
        ctx.dtype = hidden.dtype
        outputs = loss.squeeze(1), nll.squeeze(1), (seen.own >= seen.highest).squeeze(1)
        ctx.mark_non_differentiable(*outputs[1:])
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *incoming: Tensor) -> tuple[Tensor | None, ...]:
        """Weight the gradients of each position by what comes in, (N,)."""
        of_loss = incoming[0][:, None]
        if ctx.is_frozen:
            (gradient,) = ctx.saved_tensors
            return (gradient * of_loss).to(ctx.dtype), None, None, None, None, None
        with torch.autocast(of_loss.device.type, enabled=False):
            return *_gradients_by_recomputing(ctx, of_loss), None, None, None, None


def _gradients_by_recomputing(ctx: Any, of_loss: Tensor) -> tuple[Tensor | None, Tensor]:
    """Compute the gradients of hidden states (None where nobody asks) and output layer, with the logits anew."""
    hidden, weight, target, log_sum, nll = ctx.saved_tensors
    eps, eps_other, block_size = ctx.options
    of_hidden = torch.zeros_like(hidden, dtype=log_sum.dtype) if ctx.needs_input_grad[0] else None
    of_weight = torch.empty_like(weight)
    for block in _blocks(hidden, weight, target, block_size):
        shares = block.logits.to(log_sum.dtype).sub_(log_sum).exp_()
        if eps > 0:
            shares -= eps_other
        own = torch.where(block.is_inside, torch.expm1(-nll) + eps, shares.gather(1, block.place))
        of_logits = block.logits.copy_(shares.scatter_(1, block.place, own).mul_(of_loss))
        if of_hidden is not None:
            of_hidden += torch.mm(of_logits, block.weight)
        torch.mm(of_logits.t(), hidden, out=of_weight[block.rows])
    return None if of_hidden is None else of_hidden.to(hidden.dtype), of_weight
