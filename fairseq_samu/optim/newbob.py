"""The NewBob schedule: the learning rate shrinks after each epoch that improved the validation too little."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, List, Optional  # noqa: UP035

from fairseq.dataclass import FairseqDataclass
from fairseq.optim.lr_scheduler import FairseqLRScheduler, register_lr_scheduler
from omegaconf import II

from fairseq_samu.errors import CheckpointError, ConfigError, explain, report_all
from fairseq_samu.optim.early_validation import make_host_tell_before_saving
from fairseq_samu.optim.group_option import GroupOption, find_key, read_number

GROUP_FACTORS = GroupOption(
    "newbob_group_factors", "a number more than 0 and at most 1", read_number, lambda x: 0 < x <= 1, "encoder=0.9"
)
OTHERS = ""  # stands for all groups that no key names


@dataclass
class NewbobConfig(FairseqDataclass):
    """Options of the scheduler newbob."""

    newbob_factor: float = field(
        default=0.8, metadata={"help": "multiplies the learning rate after an epoch that improved too little"}
    )
    newbob_threshold: float = field(
        default=0.0025,
        metadata={"help": "least improvement of the validation, relative to the one before, that keeps the rate"},
    )
    newbob_patience: int = field(
        default=0, metadata={"help": "epochs of too little improvement to let pass before each shrinking"}
    )
    newbob_group_factors: str = field(
        default="",
        metadata={"help": "factors by parameter group in the place of newbob_factor: encoder=0.9 (optimizer grouped)"},
    )
    warmup_updates: int = field(
        default=0, metadata={"help": "updates of a linear warm-up, in which no validation shrinks the rate"}
    )
    lr: List[float] = field(default=II("optimization.lr"))  # noqa: UP006
    maximize_best_checkpoint_metric: bool = II("checkpoint.maximize_best_checkpoint_metric")


def validate(cfg: NewbobConfig) -> None:
    """Report every option that cannot work at once.

    Raises:
        ConfigError: a number is out of its range, or there is more than one learning rate.
    """
    checks = (
        ("lr", "one learning rate", len(cfg.lr) == 1),
        ("newbob_factor", "more than 0 and at most 1", 0 < cfg.newbob_factor <= 1),
        ("newbob_threshold", "a finite number", math.isfinite(cfg.newbob_threshold)),
        ("newbob_patience", "zero or more", cfg.newbob_patience >= 0),
        ("warmup_updates", "zero or more", cfg.warmup_updates >= 0),
    )
    faults = [
        explain("newbob", name, rule, getattr(cfg, name), f"Set --{name.replace('_', '-')}.")
        for name, rule, holds in checks
        if not holds
    ]
    try:
        GROUP_FACTORS.parse(cfg.newbob_group_factors)
    except ConfigError as error:
        faults.append(str(error))
    if faults:
        raise ConfigError(report_all(faults))


@dataclass(frozen=True)
class NewbobState:
    """What validations so far have done.

    Attributes:
        scales: products of the factors so far, by key of a group; :data:`OTHERS` is among them.
        previous: value of the last validation, None before the first.
        patience: epochs of too little improvement that still pass.
    """

    scales: Mapping[str, float]
    previous: Optional[float]
    patience: int


@register_lr_scheduler("newbob", dataclass=NewbobConfig)
class Newbob(FairseqLRScheduler):
    """Multiplies the learning rate by a factor after a validation that improved by less than a threshold.

    Source: the schedule of SpeechBrain's recipes, ``(previous - value) / previous < threshold``, in which a patience
    that ran out starts again at each shrinking and at nothing else. Deviations: for a metric that is to grow the sign
    is turned; the divisor is the absolute value; a value that is not finite counts as no improvement and is forgotten.

    Args:
        cfg: options.
        optimizer: any of the host's, or ``grouped`` where groups have factors of their own.

    Raises:
        ConfigError: an option is out of range, or names a group that there is not.
    """

    def __init__(self, cfg: NewbobConfig, optimizer: Any) -> None:
        super().__init__(cfg, optimizer)
        validate(cfg)
        make_host_tell_before_saving()
        group_factors = GROUP_FACTORS.parse(cfg.newbob_group_factors)
        self._require_groups(group_factors)
        self.factors = {OTHERS: cfg.newbob_factor, **group_factors}
        self.num_updates = 0
        self._expected: Optional[float] = None
        self._state = NewbobState(dict.fromkeys(self.factors, 1.0), None, cfg.newbob_patience)

    def _require_groups(self, group_factors: Mapping[str, float]) -> None:
        if not group_factors:
            return
        names = [group.get("group_name", "") for group in self.optimizer.param_groups]
        if not any(names):
            rule, mend = "used with an optimizer that knows groups", "Add --optimizer grouped."
            raise ConfigError(explain("newbob", GROUP_FACTORS.name, rule, self.cfg.newbob_group_factors, mend))
        faults = GROUP_FACTORS.find_unknown(group_factors, names)
        if faults:
            raise ConfigError(report_all(faults))

    def expect(self, val_loss: Optional[float]) -> None:
        """Take note of the value that the next :meth:`step` will give, for a state that is saved before it."""
        self._expected = val_loss

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, an epoch that is being saved included."""
        return asdict(self._state if self._expected is None else self._advance(self._expected))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint; a group whose factor is new goes on from where the others are.

        Raises:
            CheckpointError: the state is of another schedule.
        """
        if not {"scales", "previous", "patience"} <= state_dict.keys():
            mend = "Keep the schedule that the run was started with, or add --reset-lr-scheduler."
            found = ", ".join(state_dict)
            raise CheckpointError(explain("newbob", "lr_scheduler_state", "that of a newbob schedule", found, mend))
        saved = state_dict["scales"]
        scales = {key: saved.get(key, saved[OTHERS]) for key in self.factors}
        self._state = NewbobState(scales, state_dict["previous"], state_dict["patience"])

    def step(self, epoch: int, val_loss: Optional[float] = None) -> float:
        """Take in the validation of an epoch, None where there was none, and give the new learning rate."""
        self._expected = None
        if val_loss is not None:
            self._state = self._advance(val_loss)
        return self.step_update(self.num_updates)

    def step_update(self, num_updates: int) -> float:
        """Set the learning rate for the update that follows ``num_updates`` and give it."""
        self.num_updates = num_updates
        scales = self._state.scales
        if len(scales) > 1:
            for group in self.optimizer.param_groups:
                group["annealed"] = scales[find_key(group["group_name"], scales)] / scales[OTHERS]
        warmup = min(1.0, (num_updates + 1) / max(1, self.cfg.warmup_updates))
        self.optimizer.set_lr(self.cfg.lr[0] * warmup * scales[OTHERS])
        return self.optimizer.get_lr()

    def _advance(self, val_loss: float) -> NewbobState:
        value, state = float(val_loss), self._state
        finite = math.isfinite(value)
        kept = state if not finite else replace(state, previous=value)
        if state.previous is None or self.num_updates < self.cfg.warmup_updates:
            return kept
        gain = value - state.previous if self.cfg.maximize_best_checkpoint_metric else state.previous - value
        improvement = gain / abs(state.previous) if state.previous else 0.0
        if finite and improvement >= self.cfg.newbob_threshold:
            return kept
        if state.patience > 0:
            return replace(kept, patience=state.patience - 1)
        scales = {key: scale * self.factors[key] for key, scale in state.scales.items()}
        return replace(kept, scales=scales, patience=self.cfg.newbob_patience)
