"""Rows of one manifest: which of them an epoch holds, and in which order."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.data.batching import order_by_length
from fairseq_samu.data.dataset_options import DatasetOptions
from fairseq_samu.data.host_dataset import DrawnDataset
from fairseq_samu.data.manifest import Manifest
from fairseq_samu.data.row_selection import select_rows
from fairseq_samu.data.sampling import sample_epoch, sample_stream

ORDER_STREAM = 11


class Texts(Protocol):
    """What a data set asks of target texts: those of a decoder, or labels of concepts."""

    task: str

    @property
    def pad(self) -> int:
        """Id of the padding token."""
        ...

    @property
    def has_texts(self) -> bool:
        """Whether the manifest has the column of texts."""
        ...

    def tag(self, index: int) -> int | None:
        """Language tag that a row's target begins with, if any."""
        ...

    def tokens(self, index: int) -> NDArray[np.int64] | None:
        """Tokens (U,) of a row, with an end."""
        ...

    def distinct_recordings(self) -> NDArray[np.int64]:
        """Rows to train on, (R,) int64."""
        ...


class RowDataset(DrawnDataset):
    """Rows of a manifest, by their index in it.

    Args:
        manifest: rows.
        options: which of them are used, and how they are ordered.
        targets: what a model learns to write, or None.
        by_duration: whether the limits on duration hold: False where no speech is read.
    """

    def __init__(
        self, manifest: Manifest, options: DatasetOptions, targets: Texts | None = None, by_duration: bool = True
    ) -> None:
        super().__init__(manifest.path, options)
        self.manifest = manifest
        self.targets = targets
        self.epoch = 1
        self.adapters: dict[str, NDArray[np.int64]] = {}
        self.language_ids = np.asarray(manifest.language_ids, dtype=np.int64)
        self.rows = self._usable_rows(by_duration)

    def _usable_rows(self, by_duration: bool) -> NDArray[np.int64]:
        """Rows that this data set hands out; the others are counted and named."""
        distinct = self.options.training and self.targets is not None
        rows = self.targets.distinct_recordings() if distinct and self.targets else np.arange(len(self.manifest))
        return select_rows(self.manifest, self.options, rows, by_duration)

    @property
    def num_indices(self) -> int:
        """Rows of the manifest."""
        return len(self.manifest)

    @property
    def has_texts(self) -> bool:
        """Whether rows have target texts."""
        return self.targets is not None and self.targets.has_texts

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch that draws depend on, 1-based."""
        self.epoch = epoch

    def use_adapters(self, **numbers: NDArray[np.int64]) -> None:
        """Hand out with each row the named adapters that it goes through, from now on.

        Args:
            numbers: (R,) int64 for the rows of the manifest, as ``source_adapter``, ``target_adapter`` or both; see
                ``collate.Item``.
        """
        self.adapters = numbers

    def adapters_of(self, index: int) -> dict[str, Any]:
        """Named adapters that a row goes through, by the names of an item's fields; empty where rows are not routed."""
        return {name: int(numbers[index]) for name, numbers in self.adapters.items()}

    def __len__(self) -> int:
        return len(self.rows)

    def ordered_indices(self) -> NDArray[np.int64]:
        """Rows of this epoch in the order of batching: balanced, and nearly sorted by length."""
        options, chosen = self.options, self.rows
        if options.training and options.sampling_alpha != 1.0 and len(self.language_ids):
            ids = self.language_ids[self.rows]
            chosen = self.rows[sample_epoch(ids, options.sampling_alpha, options.seed, self.epoch)]
        return self._sort(chosen)

    def draw(self, start: int, length: int) -> NDArray[np.int64]:
        """See :meth:`DrawnDataset.draw`; languages have the shares that ``options.sampling_alpha`` gives them."""
        options = self.options
        known = len(self.language_ids) > 0
        ids = self.language_ids[self.rows] if known else np.zeros(len(self.rows), dtype=np.int64)
        return self._sort(self.rows[sample_stream(ids, options.sampling_alpha, options.seed, start, length)])

    def _sort(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Order by length, in training shuffled among rows that are about equally long."""
        options = self.options
        rng = np.random.default_rng([options.seed, ORDER_STREAM, self.epoch]) if options.training else None
        return order_by_length(rows, self.num_tokens_vec(rows), rng)
