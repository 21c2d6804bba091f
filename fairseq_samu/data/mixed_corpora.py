"""Several corpora of one task as one data set, mixed by a temperature."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.data.batching import order_by_length
from fairseq_samu.data.host_dataset import DrawnDataset
from fairseq_samu.data.row_dataset import ORDER_STREAM
from fairseq_samu.data.sampling import count_drawn
from fairseq_samu.data.stacked_datasets import StackedDatasets


class MixedCorpora(StackedDatasets, DrawnDataset):
    """Training rows of several corpora of one task; batches mix them.

    A corpus of n rows is drawn with probability ``n^(1/T) / sum n^(1/T)`` (arXiv:1907.05019): temperature 1
    is as in the data, a higher one favours the small. Every corpus is an endless stream of its shuffled rows, see
    ``sampling.sample_stream``. Numbers of spoken languages are left out of the items: they are a corpus' own.

    Args:
        corpora: data set of each corpus, with its own folder of recordings.
        temperature: T, positive.
    """

    def __init__(self, corpora: Sequence[DrawnDataset], temperature: float = 1.0) -> None:
        super().__init__(corpora, " + ".join(corpus.name for corpus in corpora))
        self.temperature = temperature
        self.epoch = 1

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch that draws depend on, 1-based."""
        super().set_epoch(epoch)
        self.epoch = epoch

    def ordered_indices(self) -> NDArray[np.int64]:
        """Rows of this epoch in the order of batching; there are as many as the corpora have together."""
        return self.draw((self.epoch - 1) * len(self), len(self))

    def draw(self, start: int, length: int) -> NDArray[np.int64]:
        """See :meth:`DrawnDataset.draw`: each corpus has its share of the rows."""
        sizes = [len(corpus) for corpus in self.parts]
        before, behind = (count_drawn(sizes, 1.0 / self.temperature, place) for place in (start, start + length))
        drawn = [
            corpus.draw(int(first), int(last - first))
            for corpus, first, last in zip(self.parts, before, behind, strict=True)
        ]
        rows = np.concatenate([rows + number * self.stride for number, rows in enumerate(drawn)])
        rng = np.random.default_rng([self.options.seed, ORDER_STREAM, self.epoch])
        return order_by_length(rows, self.num_tokens_vec(rows), rng)

    def token_limit(self, max_tokens: int | None) -> int | None:
        """That of the corpora."""
        return self.parts[0].token_limit(max_tokens)

    def __getitem__(self, index: int) -> Any:
        item = super().__getitem__(index)
        return None if item is None else replace(item, language=None)
