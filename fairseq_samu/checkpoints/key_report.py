"""Loading weights by name with a full account of what fitted and what did not."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from fairseq_samu.errors import CheckpointError, report_all


@dataclass(frozen=True)
class KeyReport:
    """Which names of a module and of a file met.

    Attributes:
        matched: in both, of the same shape: loaded.
        missing: in the module only: left as they were.
        unexpected: in the file only: not used.
        mismatched: in both with unequal shapes, as readable text: not loaded.
        left_over: in the file and left out on purpose (heads of pre-training, decoders).
    """

    matched: list[str]
    missing: list[str]
    unexpected: list[str]
    mismatched: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every name found its partner."""
        return not (self.missing or self.unexpected or self.mismatched)

    def text(self) -> str:
        """Say what happened, one line a kind, names listed up to 20."""
        lines = [f"{len(self.matched)} names matched and were loaded"]
        for title, names in (
            ("missing in the file", self.missing),
            ("in the file but unknown to the model", self.unexpected),
            ("of another shape", self.mismatched),
            ("left over on purpose", self.left_over),
        ):
            if names:
                listed = report_all([f"  {name}" for name in names])
                lines.append(f"{len(names)} {title}:\n{listed}")
        return "\n".join(lines)


def load_strict(
    module: nn.Module,
    state: Mapping[str, Tensor],
    strict: bool = True,
    where: str = "checkpoint",
    left_over: list[str] | None = None,
    optional: Callable[[str], bool] = lambda name: False,
) -> KeyReport:
    """Copy weights into a module by name.

    Args:
        module: what is loaded.
        state: tensors by name; converted to the module's own types.
        strict: refuse when a name is missing, unexpected or of another shape; nothing is copied then.
        where: name of the source, for messages.
        left_over: names that a reader left out on purpose, for the report.
        optional: names that module and file need not share, such as those of adapters; the module's own stay as they
            were, and the file's count as left over.

    Returns:
        The account of all names.

    Raises:
        CheckpointError: with the whole account, when ``strict`` and not everything fits.
    """
    own = module.state_dict()
    common = [name for name in own if name in state]
    shapes = {name: (tuple(own[name].shape), tuple(state[name].shape)) for name in common}
    others = [name for name in state if name not in own]
    report = KeyReport(
        matched=[name for name in common if shapes[name][0] == shapes[name][1]],
        missing=[name for name in own if name not in state and not optional(name)],
        unexpected=[name for name in others if not optional(name)],
        mismatched=[f"{name} {theirs} instead of {ours}" for name, (ours, theirs) in shapes.items() if ours != theirs],
        left_over=[*(left_over or []), *filter(optional, others)],
    )
    if strict and not report.complete:
        raise CheckpointError(f"{where}: the weights do not fit the model. {report.text()}")
    module.load_state_dict({name: state[name] for name in report.matched}, strict=False)
    return report


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """Hash weights: equal for equal names, types, shapes and values, whatever the order or device.

    Args:
        state: tensors by name.

    Returns:
        sha256 as 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        if tensor.numel():
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
