"""Several tasks over the same rows, each batch of one task."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.data.host_dataset import HostDataset
from fairseq_samu.data.stacked_datasets import StackedDatasets


class MultitaskDataset(StackedDatasets):
    """Rows of several tasks, task by task.

    Args:
        parts: data set of each task.
    """

    def __init__(self, parts: Mapping[str, HostDataset]) -> None:
        super().__init__(list(parts.values()), ", ".join(parts))

    def ordered_indices(self) -> NDArray[np.int64]:
        """Rows of this epoch in the order of batching, task by task."""
        return np.concatenate([part.ordered_indices() + n * self.stride for n, part in enumerate(self.parts)])

    def batch_by_size(
        self,
        indices: NDArray[np.int64],
        max_tokens: int | None = None,
        max_sentences: int | None = None,
        required_batch_size_multiple: int = 1,
    ) -> list[list[int]]:
        """Cut rows into batches of one task each; every row is kept."""
        batches = []
        for number, part in enumerate(self.parts):
            first = number * self.stride
            rows = indices[indices // self.stride == number] - first
            for batch in part.batch_by_size(rows, max_tokens, max_sentences) if len(rows) else []:
                batches.append([first + row for row in batch])
        return batches
