"""The log of how tasks agree: one JSON line a measurement, in a file that a resumed run leaves as an unbroken one."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from fairseq_samu.errors import ConfigError, explain

BEGIN = b'{"update": '  # of every line


@dataclass(frozen=True)
class Measurement:
    """How the gradient of a task stood to the main task's in one update; the fields of a line, in their order.

    Attributes:
        update: number of the update, from 1.
        task: name of the auxiliary task.
        module: name of the module.
        layer: number of its layer; None for the mean over the layers.
        cosine: of the two gradients; None where one of them is missing or zero.
        norm: of the gradient of the task's mean loss, before its weight; None where it does not reach the layer.
        main_norm: likewise, of the main task.
        weight: of the task after this update; 0 once it is dropped.
        seconds: that all measurements so far took, this one included.
    """

    update: int
    task: str
    module: str
    layer: int | None
    cosine: float | None
    norm: float | None
    main_norm: float | None
    weight: float
    seconds: float


class ConsistencyLog:
    """A file of JSON lines in the order of updates.

    Args:
        path: file; it need not be there yet.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def cut_after(self, update: int) -> None:
        """Remove what was measured after an update: a run that goes on from there measures it again.

        A last line that was written in part is removed too.

        Args:
            update: the last one that stays.

        Raises:
            ConfigError: the file is no log of measurements; it is left as it is.
        """
        if not self.path.exists():
            return
        content = self.path.read_bytes()
        kept = 0
        for number, line in enumerate(content.splitlines(keepends=True), 1):
            if not line.endswith(b"\n") and line[: len(BEGIN)] == BEGIN[: len(line)]:
                break
            if self._update_of(line, number) > update:
                break
            kept += len(line)
        if kept < len(content):
            with self.path.open("r+b") as file:
                file.truncate(kept)

    def _update_of(self, line: bytes, number: int) -> int:
        try:
            return int(json.loads(line)["update"])
        except (ValueError, KeyError, TypeError) as error:
            rule, mend = "a line of a log of measurements", "Name another file with --consistency-log."
            text = line.decode("utf-8", "replace").strip()[:60]
            raise ConfigError(explain(f"{self.path}:{number}", "consistency_log", rule, text, mend)) from error

    def append(self, measurements: Iterable[Measurement]) -> None:
        """Write lines to the end.

        Args:
            measurements: of one update.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write("".join(json.dumps(asdict(one), allow_nan=False) + "\n" for one in measurements))
