"""How long the study's trainings took, and how soon each arm is as good on the validation set as another ever is."""

from collections.abc import Sequence
from typing import Optional

from translated_runs import Run

from fairseq_samu.reports.text_table import TextTable

LOSS = "valid_nll_loss"
BASELINES = {"base": "fixed", "apart": "constant"}
"""Arms of constant weights beside those whose weights decay."""


def tabulate_time(runs: Sequence[Run]) -> TextTable:
    """Seconds of each arm, and until it is as good as its arm of constant weights ever is with the same seed."""
    header = ["arm", "seeds", "seconds of updates", "an update", "until the best loss of", "seconds", "of its time, %"]
    rows = []
    for arm in dict.fromkeys(run.arm for run in runs):
        members = [run for run in runs if run.arm == arm]
        spent = [run.log("train")[-1] for run in members]
        seconds = sum(log["train_train_wall"] for log in spent) / len(spent)
        updates = spent[-1]["train_num_updates"]
        other = BASELINES.get(arm, "")
        baselines = {run.seed: curve(run) for run in runs if run.arm == other}
        cells = [f"{seconds:.0f}", f"{seconds / updates:.2f}", other, *_until(members, baselines)]
        rows.append([arm, str(len(members)), *cells])
    return TextTable("Seconds", header, rows)


def _until(members: Sequence[Run], baselines: dict[int, list[tuple[float, float]]]) -> tuple[str, str]:
    """Mean seconds until the baseline's best loss, and their share of what the baseline takes."""
    pairs = []
    for run in members:
        if baselines.get(run.seed):
            target = min(loss for _, loss in baselines[run.seed])
            pairs.append((reach(curve(run), target), reach(baselines[run.seed], target)))
    own = [seconds for seconds, _ in pairs if seconds is not None]
    others = [seconds for _, seconds in pairs if seconds is not None]
    if not pairs:
        return "", ""
    if len(own) < len(pairs):
        return f"not reached in {len(pairs) - len(own)} of {len(pairs)}", ""
    return f"{sum(own) / len(own):.0f}", f"{100 * sum(own) / sum(others):.0f}"


def curve(run: Run) -> list[tuple[float, float]]:
    """Seconds of training updates and loss of each validation, in order.

    Seconds are those of the updates alone, validation left out.
    """
    walls: dict[float, float] = {}
    total = 0.0
    for log in run.log("train_inner"):
        total += log["train_wall"]
        walls[log["num_updates"]] = total
    points = []
    for log in run.log("valid"):
        reached = [seconds for update, seconds in walls.items() if update <= log["valid_num_updates"]]
        points.append((reached[-1] if reached else 0.0, log[LOSS]))
    return points


def reach(points: Sequence[tuple[float, float]], target: float) -> Optional[float]:
    """Seconds at which a loss is reached, between two validations on a straight line; None where it never is."""
    before: Optional[tuple[float, float]] = None
    for seconds, loss in points:
        if loss <= target:
            if before is None or before[1] == loss:
                return seconds
            share = (before[1] - target) / (before[1] - loss)
            return before[0] + share * (seconds - before[0])
        before = (seconds, loss)
    return None
