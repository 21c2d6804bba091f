"""Reads what training with `consistency_multitask` saw of its tasks' gradients: one measurement a line, as JSON."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from fairseq_samu.errors import SamuError, explain, report_all

TASKS = {"asr": "ASR", "mt": "MT"}
"""Auxiliary tasks by the names of the log, to those that a reader sees."""
MODULES = {"acoustic_encoder": "Acoustic encoder", "textual_encoder": "Textual encoder", "decoder": "Decoder"}

_MEND = "Keep the lines as training with --criterion consistency_multitask wrote them."


@dataclass(frozen=True)
class Measurement:
    """The gradient of a task beside that of the main one, at one update.

    Attributes:
        update: number of the update, counted from 1.
        task: a key of `TASKS`.
        module: a key of `MODULES`.
        layer: number of the layer; None for the mean over the layers.
        cosine: of the two gradients; None where one of them is zero or not known.
        norm: of the task's gradient, None likewise.
        main_norm: of the main task's gradient, None likewise.
        weight: of the task from there on; 0 once it is dropped.
        seconds: that all measurements until then took.
    """

    update: int
    task: str
    module: str
    layer: Optional[int]
    cosine: Optional[float]
    norm: Optional[float]
    main_norm: Optional[float]
    weight: float
    seconds: float

    @property
    def ratio(self) -> Optional[float]:
        """Norm of the task's gradient over that of the main task's."""
        if self.norm is None or not self.main_norm:
            return None
        return self.norm / self.main_norm


def read_consistency_log(path: Path) -> list[Measurement]:
    """Read a log.

    Args:
        path: UTF-8, an object a line.

    Returns:
        Measurements in order of their updates; those of an update as they stand in the file.

    Raises:
        SamuError: with every line that is at fault, or because there is none that is a mean over layers.
    """
    faults: list[str] = []
    found: dict[tuple[object, ...], Measurement] = {}
    for number, line in enumerate(path.read_text("utf-8", "replace").split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        measured, wrong = _read_line(where, line)
        faults += wrong
        if measured is not None:
            key = (measured.update, measured.task, measured.module, measured.layer)
            if key in found:
                shown = f"a second {measured.task}, {measured.module}, layer {measured.layer}"
                faults.append(explain(where, "line", f"the only one of its kind at {measured.update}", shown, _MEND))
            found.setdefault(key, measured)
    if not faults and not any(measured.layer is None for measured in found.values()):
        mend = "Train with --criterion consistency_multitask and --measure-interval above 0."
        value = "a file without any" if not found else "one of single layers alone"
        faults.append(explain("", str(path), "a log with means over layers (`layer` null)", value, mend))
    if faults:
        raise SamuError(report_all(faults))
    return sorted(found.values(), key=lambda measured: measured.update)


def means_by_part(log: Iterable[Measurement]) -> dict[tuple[str, str], list[Measurement]]:
    """Group means over layers by task and module, in the order of `TASKS` and `MODULES`.

    Args:
        log: as :func:`read_consistency_log` gives it.

    Returns:
        Measurements in their order; a module that a task never reaches is left out.
    """
    groups: dict[tuple[str, str], list[Measurement]] = defaultdict(list)
    for measured in log:
        if measured.layer is None:
            groups[measured.task, measured.module].append(measured)
    order = [(task, module) for task in TASKS for module in MODULES]
    return {part: groups[part] for part in order if any(measured.norm is not None for measured in groups[part])}


def layers_by_part(log: Iterable[Measurement]) -> dict[tuple[str, str], dict[int, list[Measurement]]]:
    """As :func:`means_by_part`, of single layers by their numbers."""
    groups: dict[tuple[str, str], dict[int, list[Measurement]]] = defaultdict(lambda: defaultdict(list))
    reached = set()
    for measured in log:
        if measured.layer is not None:
            groups[measured.task, measured.module][measured.layer].append(measured)
            if measured.norm is not None:
                reached.add((measured.task, measured.module))
    order = [(task, module) for task in TASKS for module in MODULES]
    return {part: dict(sorted(groups[part].items())) for part in order if part in reached}


def weights_of(log: Sequence[Measurement], task: str) -> list[tuple[int, float]]:
    """List the weight of a task at every update that measured it."""
    return sorted({measured.update: measured.weight for measured in log if measured.task == task}.items())


def drop_of(log: Sequence[Measurement], task: str) -> Optional[int]:
    """Find the update at which a task was dropped: it has the weight 0 from there on.

    Returns:
        The first measurement that says so, else the last of a task that others outlive; None where it was not dropped.
    """
    weights = weights_of(log, task)
    if not weights:
        return None
    zero = next((update for update, weight in weights if weight == 0), None)
    if zero is not None:
        return zero
    return weights[-1][0] if weights[-1][0] < max(measured.update for measured in log) else None


def _read_line(where: str, line: str) -> tuple[Optional[Measurement], list[str]]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return None, [explain(where, "line", "JSON", error, _MEND)]
    if not isinstance(value, dict):
        return None, [explain(where, "line", "an object", line[:80], _MEND)]
    checks = (
        ("update", _is_count(value.get("update")) and value["update"] > 0, "a number of an update, counted from 1"),
        ("task", _is_one_of(value.get("task"), TASKS), f"one of {', '.join(TASKS)}"),
        ("module", _is_one_of(value.get("module"), MODULES), f"one of {', '.join(MODULES)}"),
        ("layer", _is_count(value.get("layer", "")) or value.get("layer", "") is None, "a number of a layer, or null"),
        ("cosine", _is_figure(value.get("cosine", ""), -1, 1), "a figure from -1 to 1, or null"),
        ("norm", _is_figure(value.get("norm", "")), "a figure of 0 or more, or null"),
        ("main_norm", _is_figure(value.get("main_norm", "")), "a figure of 0 or more, or null"),
        ("weight", _is_finite(value.get("weight")), "a figure of 0 or more"),
        ("seconds", _is_finite(value.get("seconds")), "a figure of 0 or more"),
    )
    faults = [explain(where, name, rule, str(value.get(name))[:80], _MEND) for name, holds, rule in checks if not holds]
    if faults:
        return None, faults
    cosine, norm, main_norm = (_figure(value[name]) for name in ("cosine", "norm", "main_norm"))
    weight, seconds = float(value["weight"]), float(value["seconds"])
    layer: Optional[int] = value["layer"]
    return (
        Measurement(value["update"], value["task"], value["module"], layer, cosine, norm, main_norm, weight, seconds),
        [],
    )


def _figure(value: Optional[float]) -> Optional[float]:
    """What is not finite, as in a training that diverged, is not known."""
    return float(value) if value is not None and math.isfinite(value) else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_figure(value: Any, low: float = 0, high: float = math.inf) -> bool:
    return value is None or (_is_number(value) and (not math.isfinite(value) or low <= value <= high))


def _is_finite(value: Any) -> bool:
    return _is_number(value) and 0 <= value < math.inf


def _is_one_of(value: Any, names: Iterable[str]) -> bool:
    return isinstance(value, str) and value in names
