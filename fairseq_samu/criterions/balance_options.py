"""Options of the weighting of tasks, and which modules speak for which task."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from fairseq_samu.errors import explain

MODES = ("fixed", "task_norm", "consistency")

# Modules whose gradients decide about a task's weight: those that it shares with the main task and is meant to help.
MODULES: Mapping[str, tuple[str, ...]] = {"asr": ("acoustic_encoder",), "mt": ("textual_encoder", "decoder")}

# Share of the number of changes that is the exponent of the ratio of norms (arXiv:2311.03810: j for ASR, j/2 for MT).
EXPONENTS: Mapping[str, float] = {"asr": 1.0, "mt": 0.5}


@dataclass(frozen=True)
class BalanceOptions:
    """How auxiliary tasks are weighted.

    Attributes:
        mode: ``fixed``; ``task_norm``, by norms of gradients (arXiv:2311.03810); ``consistency``, by their cosines.
        weights: of the auxiliary tasks at the start; a task of weight 0 is not trained on.
        measure_interval: updates between two measurements for the log; 0 = none.
        weight_interval: updates between two changes of the weights; it is measured then too.
        drop_below: a task whose weight falls under it is dropped.
        last_updates: by task, the last update that trains on it, in every mode; 0 = no end.
        rate: of ``consistency``: share of its weight that a task at a right angle to the main one loses at a change.
    """

    mode: str = "fixed"
    weights: Mapping[str, float] = field(default_factory=lambda: {"asr": 1.0, "mt": 1.0})
    measure_interval: int = 100
    weight_interval: int = 5000
    drop_below: float = 0.1
    last_updates: Mapping[str, int] = field(default_factory=lambda: {"asr": 20000, "mt": 30000})
    rate: float = 0.5


def find_balance_faults(options: BalanceOptions, where: str) -> list[str]:
    """Word every option that cannot work.

    Args:
        options: as they were given.
        where: begin of each message, such as the name of the criterion.

    Returns:
        One message a fault; none where all is well.
    """
    checks = [
        ("weight_mode", f"one of {', '.join(MODES)}", options.mode, options.mode in MODES),
        ("measure_interval", "zero or more", options.measure_interval, options.measure_interval >= 0),
        ("weight_interval", "one or more", options.weight_interval, options.weight_interval >= 1),
        ("drop_below", "in [0, 1]", options.drop_below, 0 <= options.drop_below <= 1),
        ("consistency_rate", "in [0, 1]", options.rate, 0 <= options.rate <= 1),
    ]
    for task, weight in options.weights.items():
        checks.append((f"{task}_weight", "zero or more", weight, math.isfinite(weight) and weight >= 0))
    for task, last in options.last_updates.items():
        checks.append((f"{task}_last_update", "zero or more", last, last >= 0))
    faults = [
        explain(where, name, rule, value, f"Set --{name.replace('_', '-')}.")
        for name, rule, value, holds in checks
        if not holds
    ]
    others = [task for task in options.weights if task not in MODULES]
    if others:
        rule, mend = f"out of {', '.join(MODULES)}", "Name another task first in --tasks."
        faults.append(explain(where, "auxiliary tasks", rule, ", ".join(others), mend))
    return faults
