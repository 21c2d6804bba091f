"""One torch optimizer whose parameter groups differ in algorithm and learning rate."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from fairseq_samu.errors import CheckpointError, explain

KINDS: Mapping[str, Callable[[Any], torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adadelta": torch.optim.Adadelta,
    "sgd": torch.optim.SGD,
}
# These kinds have a kernel that does a whole step in one pass over memory, on these devices.
FUSED_KINDS = ("adam", "adamw", "sgd")
FUSED_DEVICES = ("cpu", "cuda")


class GroupedSteps(torch.optim.Optimizer):
    """Steps each parameter group by torch's optimizer of the group's ``kind``.

    The rate of a group is ``base_lr * lr_scale * annealed``. Parameters in half precision are stepped in float32, with
    moments in float32, and rounded afterwards; the widened copies of one group live at a time.

    Args:
        groups: parameter groups of torch, each with ``group_name``, ``kind`` (of :data:`KINDS`), ``base_lr``,
            ``lr_scale`` and what the kind's optimizer takes beside ``lr``.
    """

    # of the host's: whether it may hand over parameters in half precision, and moments are read back unrounded here
    supports_memory_efficient_fp16 = True
    disable_mem_eff_fp16_loading_hack = True

    def __init__(self, groups: Sequence[dict[str, Any]]) -> None:
        for group in groups:
            group["annealed"] = 1.0
            set_base_rate(group, group["base_lr"])
            if group["kind"] in FUSED_KINDS:
                group["fused"] = all(parameter.device.type in FUSED_DEVICES for parameter in group["params"])
        # each of these writes its other defaults into its groups
        self._workers = {
            kind: make([group for group in groups if group["kind"] == kind])
            for kind, make in KINDS.items()
            if any(group["kind"] == kind for group in groups)
        }
        super().__init__(groups, {})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient.

        Args:
            closure: computes the loss again, or None.

        Returns:
            What the closure gives.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moving = [parameter for parameter in group["params"] if parameter.grad is not None]
            if moving:
                self._step_group(group, moving)
        return loss

    def _step_group(self, group: dict[str, Any], moving: Sequence[Tensor]) -> None:
        worker = self._workers[group["kind"]]
        wide = [_widen(parameter) for parameter in moving]
        worker.param_groups = [{**group, "params": wide}]
        worker.state = defaultdict(dict, zip(wide, (self.state[parameter] for parameter in moving), strict=True))
        worker.step()
        worker.param_groups, worker.state = [], defaultdict(dict)
        for parameter, stepped in zip(moving, wide, strict=True):
            if stepped is not parameter:
                parameter.copy_(stepped)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the moments of a checkpoint to the last bit; scales, decays and the like stay those of this optimizer.

        Args:
            state_dict: of an optimizer of the same groups and kinds.

        Raises:
            CheckpointError: its groups or kinds are others.
        """
        saved = state_dict.get("param_groups", [])
        _require_same_groups(self.param_groups, saved)
        own = [dict(group) for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, chosen in zip(self.param_groups, own, strict=True):
            lr, lr_scale, base = group["lr"], group["lr_scale"], base_rate(group)
            group.update({name: value for name, value in chosen.items() if name != "params"})
            set_base_rate(group, base)
            if lr_scale == chosen["lr_scale"]:
                group["lr"] = lr
        indices = chain.from_iterable(group["params"] for group in saved)
        parameters = chain.from_iterable(group["params"] for group in self.param_groups)
        for index, parameter in zip(indices, parameters, strict=True):
            # torch has rounded them to the parameter's precision
            for name, value in state_dict["state"].get(index, {}).items():
                if name != "step" and isinstance(value, Tensor):
                    self.state[parameter][name] = value.to(parameter.device)


def base_rate(group: Mapping[str, Any]) -> float:
    """The learning rate of a group without its scales; one that was written to ``lr`` from outside counts too."""
    factor = group["lr_scale"] * group["annealed"]
    return group["base_lr"] if group["lr"] == group["base_lr"] * factor else group["lr"] / factor


def set_base_rate(group: dict[str, Any], base_lr: float) -> None:
    """Set the learning rate of a group from the one that all groups scale."""
    group["base_lr"] = base_lr
    group["lr"] = base_lr * (group["lr_scale"] * group["annealed"])


def _widen(parameter: Tensor) -> Tensor:
    if parameter.dtype not in (torch.float16, torch.bfloat16):
        return parameter
    assert parameter.grad is not None
    wide = parameter.detach().float()
    wide.grad = parameter.grad.float()
    return wide


def _require_same_groups(own: Sequence[Mapping[str, Any]], saved: Sequence[Mapping[str, Any]]) -> None:
    expected, found = [_describe(group) for group in own], [_describe(group) for group in saved]
    if expected != found:
        rule = f"of the groups that are tuned ({', '.join(expected)})"
        mend = "Give the options that the run was started with, or begin with new moments: --reset-optimizer."
        raise CheckpointError(explain("grouped", "last_optimizer_state", rule, ", ".join(found), mend))


def _describe(group: Mapping[str, Any]) -> str:
    name, kind = group.get("group_name") or "all", group.get("kind", "unknown")
    return f"{name}: {len(group['params'])} tensors by {kind}"
