"""The optimizer with learning rates and algorithms by parameter group."""

import ast
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, List, Optional  # noqa: UP035

from fairseq.dataclass import FairseqDataclass
from fairseq.optim import FairseqOptimizer, register_optimizer
from omegaconf import II
from torch import Tensor

from fairseq_samu.errors import ConfigError, explain, report_all
from fairseq_samu.optim.group_option import GroupOption, find_key, read_number
from fairseq_samu.optim.grouped_steps import KINDS, GroupedSteps, base_rate, set_base_rate

logger = logging.getLogger(__name__)

LR_SCALES = GroupOption("lr_scales", "a number more than zero", read_number, lambda x: x > 0, "encoder=0.01,head=0.1")
GROUP_OPTIMIZERS = GroupOption(
    "group_optimizers", f"one of {', '.join(KINDS)}", str, lambda x: x in KINDS, "encoder=adam,head=adadelta"
)
GROUP_WEIGHT_DECAYS = GroupOption(
    "group_weight_decays", "a number of zero or more", read_number, lambda x: x >= 0, "encoder=0.01,head=0"
)
OPTIONS = (LR_SCALES, GROUP_OPTIMIZERS, GROUP_WEIGHT_DECAYS)


@dataclass
class GroupedConfig(FairseqDataclass):
    """Options of the optimizer grouped."""

    lr_scales: str = field(
        default="",
        metadata={"help": "factors of --lr by parameter group: encoder=0.01,head=0.1; the longest match counts"},
    )
    group_optimizers: str = field(
        default="",
        metadata={"help": "optimizers by parameter group: encoder=adamw,slu_head=adadelta (or sgd; others: adam)"},
    )
    group_weight_decays: str = field(
        default="", metadata={"help": "weight decays by parameter group in the place of weight_decay: slu_head=0"}
    )
    weight_decay: float = field(
        default=0.0,
        metadata={"help": "weight decay; adamw's is decoupled, as that of the host's adam; others add it to gradients"},
    )
    adam_betas: str = field(
        default="(0.9, 0.999)", metadata={"help": "decays of the two moments of groups by adam or adamw"}
    )
    adam_eps: float = field(default=1e-8, metadata={"help": "added to the denominator of groups by adam or adamw"})
    adadelta_rho: float = field(default=0.9, metadata={"help": "decay of the averages of groups by adadelta"})
    adadelta_eps: float = field(default=1e-6, metadata={"help": "added to the denominator of groups by adadelta"})
    momentum: float = field(default=0.0, metadata={"help": "momentum of groups by sgd"})
    lr: List[float] = field(default=II("optimization.lr"))  # noqa: UP006


def parse_betas(text: str) -> Optional[tuple[float, float]]:
    """Read ``(0.9, 0.98)``; None where the text is no pair of numbers from 0 to below 1."""
    try:
        first, second = ast.literal_eval(text)
        betas = float(first), float(second)
    except (ValueError, SyntaxError, TypeError):
        return None
    return betas if all(0 <= beta < 1 for beta in betas) else None


def validate(cfg: GroupedConfig) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: a number is out of its range, or a list is no list of pairs.
    """
    faults = []
    for option in OPTIONS:
        try:
            option.parse(getattr(cfg, option.name))
        except ConfigError as error:
            faults.append(str(error))
    if parse_betas(cfg.adam_betas) is None:
        mend = "Set --adam-betas."
        faults.append(explain("", "adam_betas", "a pair of numbers from 0 to below 1", cfg.adam_betas, mend))
    ranges = {
        "weight_decay": math.inf,
        "adam_eps": math.inf,
        "adadelta_eps": math.inf,
        "momentum": 1,
        "adadelta_rho": 1,
    }
    for name, limit in ranges.items():
        if not 0 <= getattr(cfg, name) < limit:
            rule = "a finite number of zero or more" if limit == math.inf else "a number from 0 to below 1"
            faults.append(explain("", name, rule, getattr(cfg, name), f"Set --{name.replace('_', '-')}."))
    if faults:
        raise ConfigError(report_all(faults))


def group_of(parameter: Tensor) -> str:
    """Name the group of a parameter, or of what the host copied from it; empty where none is marked."""
    return getattr(parameter, "group_name", getattr(parameter, "param_group", ""))


def make_groups(cfg: GroupedConfig, parameters: Iterable[Tensor]) -> list[dict[str, Any]]:
    """Sort parameters into groups, each with the values that the options give it.

    Args:
        cfg: options, valid.
        parameters: all that are tuned, marked with the names of their groups.

    Returns:
        Groups as :class:`GroupedSteps` takes them, in the order of their first parameters.

    Raises:
        ConfigError: an option names a group that no parameter is of.
    """
    members: dict[str, list[Tensor]] = {}
    for parameter in parameters:
        members.setdefault(group_of(parameter), []).append(parameter)
    scales = LR_SCALES.parse(cfg.lr_scales)
    kinds = GROUP_OPTIMIZERS.parse(cfg.group_optimizers)
    decays = GROUP_WEIGHT_DECAYS.parse(cfg.group_weight_decays)
    _require_groups(zip(OPTIONS, (scales, kinds, decays), strict=True), list(members))
    groups = []
    for name, tensors in members.items():
        kind = kinds.get(find_key(name, kinds), "adam")
        group = {
            "params": tensors,
            "group_name": name,
            "kind": kind,
            "base_lr": cfg.lr[0],
            "lr_scale": scales.get(find_key(name, scales), 1.0),
            "weight_decay": decays.get(find_key(name, decays), cfg.weight_decay),
        }
        groups.append({**group, **_settings(cfg, kind)})
    return groups


def _settings(cfg: GroupedConfig, kind: str) -> dict[str, Any]:
    if kind == "sgd":
        return {"momentum": cfg.momentum}
    if kind == "adadelta":
        return {"rho": cfg.adadelta_rho, "eps": cfg.adadelta_eps}
    return {"betas": parse_betas(cfg.adam_betas), "eps": cfg.adam_eps}


def _require_groups(given: Iterable[tuple[GroupOption, dict[str, Any]]], names: list[str]) -> None:
    chosen = [(option, values) for option, values in given if values]
    if chosen and not any(names):
        thing = ", ".join(option.name for option, _ in chosen)
        mend = "Train by a task of this package, and add --fp16-no-flatten-grads to --fp16, which loses the names."
        raise ConfigError(explain("", thing, "used with parameters that have names of groups", "without any", mend))
    faults = [fault for option, values in chosen for fault in option.find_unknown(values, names)]
    if faults:
        raise ConfigError(report_all(faults))


@register_optimizer("grouped", dataclass=GroupedConfig)
class Grouped(FairseqOptimizer):
    """Torch's optimizers side by side, each for some parameter groups; the learning rate is that of a group of scale 1.

    Schedulers set one rate, which every group scales.

    Args:
        cfg: options.
        params: parameters to tune, each with ``group_name`` (``fairseq_samu.models.tuning.mark_groups``).

    Raises:
        ConfigError: an option is out of range, or names a group that no parameter is of.
    """

    def __init__(self, cfg: GroupedConfig, params: Iterable[Tensor]) -> None:
        super().__init__(cfg)
        validate(cfg)
        self._optimizer = GroupedSteps(make_groups(cfg, params))
        logger.info("learning rates by group\n" + describe_rates(self._optimizer.param_groups))

    def get_lr(self) -> float:
        """The learning rate that groups scale."""
        return base_rate(self.param_groups[0])

    def set_lr(self, lr: float) -> None:
        """Set the learning rate that groups scale."""
        for group in self.param_groups:
            set_base_rate(group, lr)

    def load_state_dict(self, state_dict: dict[str, Any], optimizer_overrides: Optional[dict[str, Any]] = None) -> None:
        """Take moments and rate of a checkpoint; ``optimizer_overrides`` holds values for all groups.

        Raises:
            CheckpointError: its groups or optimizers are others.
        """
        overrides = dict(optimizer_overrides or {})
        lr = overrides.pop("lr", None)
        super().load_state_dict(state_dict, overrides)
        if lr is not None:
            self.set_lr(lr)


def describe_rates(groups: Iterable[dict[str, Any]]) -> str:
    """Table of parameter groups: name, optimizer, scale of the learning rate, weight decay.

    Groups that follow each other and are alike share a line.
    """
    lines: list[tuple[str, str]] = []
    for group in groups:
        text = f"{group['kind']:<10}{group['lr_scale']:>10g}{group['weight_decay']:>14g}"
        first = lines.pop()[0].partition(" to ")[0] + " to " if lines and lines[-1][1] == text else ""
        lines.append((first + (group["group_name"] or "all"), text))
    heading = f"{'group':<50}{'optimizer':<10}{'lr scale':>10}{'weight decay':>14}"
    return "\n".join([heading, *(f"{name:<50}{text}" for name, text in lines)])
