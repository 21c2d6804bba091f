"""Batches with a part of every task: the main one, and others that can be dropped while data workers run.

A joint batch has these keys; each part is a batch of ``fairseq_samu.data.collate``.

===============  ======  ===============================================================================
key              type    meaning
===============  ======  ===============================================================================
``tasks``        dict    the batch of each task, by its name: of the main one always, of another where there are rows of
                         it beside (few rows and a small ratio may give none), and never of a dropped one
``id``           tensor  the main part's, (B,) int64
``nsentences``   int     the main part's
``ntokens``      int     valid audio samples of all parts; the main part's tokens where none reads speech
``grid``         int     the same with padding
``num_skipped``  int     rows of all parts that were left out as unreadable
``net_input``    dict    the main part's
===============  ======  ===============================================================================
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fairseq_samu.data.batching import make_batches
from fairseq_samu.data.host_dataset import DrawnDataset
from fairseq_samu.data.stacked_datasets import StackedDatasets
from fairseq_samu.errors import ConfigError, explain

logger = logging.getLogger(__name__)
CUT_STREAM = 15


class JointTaskDataset(StackedDatasets):
    """Rows of several tasks, each batch with some of every one.

    An epoch is the batches of the main part, which do not depend on the others. Each of those gets with every batch
    about its ratio times as many rows, of the same rank in length: the epoch's draw is sorted and dealt out in the
    order of the main part's batches. What does not fit beside (``--max-tokens`` holds for every part by itself) waits
    for another epoch, and is counted.

    Args:
        parts: data set of each task; the first is the main one.
        ratios: rows of the others for each row of the main part; 1 where none is given.
        seed: of what is drawn.
    """

    def __init__(self, parts: Mapping[str, DrawnDataset], ratios: Mapping[str, float], seed: int) -> None:
        super().__init__(list(parts.values()), ", ".join(parts))
        self.tasks = list(parts)
        self.ratios = [float(ratios.get(task, 1.0)) for task in self.tasks]
        self.seed = seed
        self.epoch = 1
        # in shared memory: data workers that run already see a change
        self._active = torch.ones(len(self.tasks), dtype=torch.bool).share_memory_()

    # ---- dropping -----------------------------------------------------------------------------------------------

    def active(self, task: str) -> bool:
        """Whether a task is still handed out."""
        return bool(self._active[self.tasks.index(task)])

    def drop(self, task: str) -> None:
        """Read a task's rows no more, from the next batch on that is fetched, in running data workers too.

        Batches that were fetched before may still hold the task. The other tasks' rows do not change.

        Raises:
            ConfigError: it is the main task, or none of the tasks.
        """
        if task not in self.tasks[1:]:
            rule, mend = f"one of {', '.join(self.tasks[1:]) or 'none'}", "The main task stays to the end."
            raise ConfigError(explain("joint tasks", "dropped task", rule, task, mend))
        self._active[self.tasks.index(task)] = False

    # ---- what the host asks -------------------------------------------------------------------------------------

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch that draws depend on, 1-based."""
        super().set_epoch(epoch)
        self.epoch = epoch

    def ordered_indices(self) -> NDArray[np.int64]:
        """Rows of the main part in the order of batching; the others' come in :meth:`batch_by_size`."""
        return self.parts[0].ordered_indices()

    def batch_by_size(
        self,
        indices: NDArray[np.int64],
        max_tokens: int | None = None,
        max_sentences: int | None = None,
        required_batch_size_multiple: int = 1,
    ) -> list[list[int]]:
        """Cut the main part's rows into batches, every row kept, and add rows of the others to each.

        Args:
            indices: as :meth:`ordered_indices` gives them.
            max_tokens: most samples of the part of a task, padding included; parts of text have their own limit.
            max_sentences: most rows of the main part.
            required_batch_size_multiple: not used.
        """
        joint: list[list[int]] = self.parts[0].batch_by_size(indices, max_tokens, max_sentences)
        ends = np.cumsum([len(batch) for batch in joint])
        for number in range(1, len(self.parts)):
            for batch, rows in zip(joint, self._deal(number, ends, max_tokens), strict=True):
                batch.extend((rows + number * self.stride).tolist())
        return joint

    def _deal(self, number: int, ends: NDArray[np.int64], max_tokens: int | None) -> list[NDArray[np.int64]]:
        """Rows of a part for each batch of the main part, whose rows end at ``ends``."""
        part, task = self.parts[number], self.tasks[number]
        total = max(1, round(self.ratios[number] * int(ends[-1])))
        rows = part.draw((self.epoch - 1) * total, total)
        lengths = part.num_tokens_vec(rows)
        cuts = np.floor(ends * (total / ends[-1]) + 0.5).astype(np.int64)
        rng = np.random.default_rng([self.seed, CUT_STREAM, number, self.epoch])
        limit = part.token_limit(max_tokens)
        dealt = [
            _fit(rows[start:end], lengths[start:end], limit, rng)
            for start, end in zip([0, *cuts[:-1]], cuts, strict=True)
        ]
        used = sum(len(share) for share in dealt)
        later = f"; {total - used} do not fit and wait for another epoch" if used < total else ""
        logger.info(f"{task}: {used} of {total} rows drawn from {len(part)} are in {len(ends)} joint batches{later}")
        return dealt

    # ---- reading ------------------------------------------------------------------------------------------------

    def __getitem__(self, index: int) -> tuple[int, Any] | None:
        """Number of the part and the row as that one reads it, None where unreadable; None alone of a dropped task."""
        number = int(index) // self.stride
        return (number, super().__getitem__(index)) if self._active[number] else None

    def collater(self, samples: Sequence[tuple[int, Any] | None]) -> dict[str, Any]:
        """Make a joint batch as described at the head of this file.

        Empty where no row of the main part is left; what goes with it is counted in the log then, because an empty
        batch holds no counts.
        """
        read: dict[str, list[Any]] = {}
        for number, item in (sample for sample in samples if sample is not None):
            if self._active[number]:
                read.setdefault(self.tasks[number], []).append(item)
        found = {task: self.parts[self.tasks.index(task)].collater(items) for task, items in read.items()}
        tasks = {task: batch for task, batch in found.items() if batch}
        main = tasks.get(self.tasks[0])
        skipped = sum(found[task].get("num_skipped", len(items)) for task, items in read.items())
        if main is None:
            if read:
                self._log_lost_batch(sum(map(len, read.values())), skipped)
            return {}
        spoken = [batch for batch in tasks.values() if "source_tokens" not in batch["net_input"]] or [main]
        return {
            "tasks": tasks,
            **{key: main[key] for key in ("id", "nsentences", "net_input")},
            **{key: sum(batch[key] for batch in spoken) for key in ("ntokens", "grid")},
            "num_skipped": skipped,
        }

    def _log_lost_batch(self, total: int, unreadable: int) -> None:
        """Count what is left out with a batch whose rows of the main part are all unreadable."""
        logger.warning(
            f"a joint batch is left out, because no row of {self.tasks[0]} in it can be read: {unreadable} unreadable "
            f"rows and {total - unreadable} others, which num_skipped does not count"
        )


def _fit(
    rows: NDArray[np.int64], lengths: NDArray[np.int64], limit: int | None, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Rows that stay within a limit on their padded size; where not all do, chance chooses and not length."""
    if limit is None or len(rows) * int(lengths.max(initial=0)) <= limit:
        return rows
    order = rng.permutation(len(rows))
    return rows[order[: len(make_batches(rows[order], lengths[order], limit, None)[0])]]
