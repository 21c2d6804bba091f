"""Cosines of the gradients of ASR and MT with that of ST, by module and third of the training."""

from collections.abc import Sequence

from translated_runs import Run

from fairseq_samu.reports.consistency_log import MODULES, TASKS, Measurement, means_by_part, read_consistency_log
from fairseq_samu.reports.text_table import TextTable

THIRDS = 3
KINDS = ("cosine", "norm / ST's")
LOG = "consistency.jsonl"


def read_log(run: Run) -> list[Measurement]:
    """What a run measured; nothing for one without auxiliary tasks."""
    path = run.folder / LOG
    return read_consistency_log(path) if path.exists() and path.stat().st_size else []


def tabulate_gradients(runs: Sequence[Run]) -> TextTable:
    """Mean cosine and mean ratio of norms by arm, task and module, over seeds, in each third of the updates."""
    thirds_of = ("first third", "second", "last")
    header = ["arm", "task", "module", "seeds", *(f"{kind}, {name}" for kind in KINDS for name in thirds_of)]
    rows = []
    for arm in dict.fromkeys(run.arm for run in runs):
        logs = [log for run in runs if run.arm == arm and (log := read_log(run))]
        for part in dict.fromkeys(part for log in logs for part in means_by_part(log)):
            found = [means_by_part(log)[part] for log in logs if part in means_by_part(log)]
            last = max(measured.update for log in logs for measured in log)
            thirds = [
                [one for log in found for one in log if third * last < THIRDS * one.update <= (third + 1) * last]
                for third in range(THIRDS)
            ]
            cosines = [_mean([one.cosine for one in third if one.cosine is not None]) for third in thirds]
            ratios = [_mean([one.ratio for one in third if one.ratio is not None]) for third in thirds]
            rows.append([arm, TASKS[part[0]], MODULES[part[1]], str(len(found)), *cosines, *ratios])
    return TextTable("Gradients of auxiliary tasks beside that of ST", header, rows)


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.3f}" if values else ""
