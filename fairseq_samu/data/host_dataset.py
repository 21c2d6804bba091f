"""What the host asks of a data set, answered alike by all of them."""

import logging
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from fairseq.data import FairseqDataset
from numpy.typing import NDArray

from fairseq_samu.data.batching import make_batches, padding_share
from fairseq_samu.data.collate import collate
from fairseq_samu.data.dataset_options import DatasetOptions

logger = logging.getLogger(__name__)


class HostDataset(FairseqDataset, ABC):
    """Rows that the host cuts into batches, none of them lost.

    What is drawn depends on seed, epoch and row alone, never on the order of reading, the number of data workers or an
    interruption.

    Args:
        name: for the log.
        options: how rows become items.
    """

    def __init__(self, name: str, options: DatasetOptions) -> None:
        self.name = name
        self.options = options

    # ---- what each kind answers for itself ----------------------------------------------------------------------

    @property
    @abstractmethod
    def num_indices(self) -> int:
        """Least number above every index."""

    @property
    @abstractmethod
    def has_texts(self) -> bool:
        """Whether rows have target texts."""

    @abstractmethod
    def num_tokens_vec(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Length of rows as they will be read in this epoch, (R,) int64: samples, or tokens of texts."""

    # ---- what is alike ------------------------------------------------------------------------------------------

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        """Training batches are drawn anew every epoch, others stay."""
        return not self.options.training

    def num_tokens(self, index: int) -> int:
        """Length of a row as it will be read in this epoch."""
        return int(self.num_tokens_vec(np.asarray([index]))[0])

    def size(self, index: int) -> int:
        """As ``num_tokens``."""
        return self.num_tokens(index)

    def token_limit(self, max_tokens: int | None) -> int | None:
        """Most samples or tokens of a batch, padding included, given the host's limit."""
        return max_tokens

    def batch_by_size(
        self,
        indices: NDArray[np.int64],
        max_tokens: int | None = None,
        max_sentences: int | None = None,
        required_batch_size_multiple: int = 1,
    ) -> list[list[int]]:
        """Cut rows into batches; unlike the host's this keeps every row, whatever the multiple."""
        lengths = self.num_tokens_vec(indices)
        batches = make_batches(indices, lengths, self.token_limit(max_tokens), max_sentences)
        place = np.zeros(self.num_indices, dtype=np.int64)
        place[indices] = lengths
        share = padding_share(batches, place)
        logger.info(f"{self.name}: {len(indices)} rows in {len(batches)} batches, {share:.1%} of it padding")
        return batches

    def filter_indices_by_size(self, indices: NDArray[np.int64], max_sizes: Any) -> tuple[NDArray[np.int64], list[int]]:
        """Keep all rows: the data sets' own limits were applied with their reason."""
        return indices, []

    def collater(self, samples: list[Any]) -> dict[str, Any]:
        """See ``collate.collate``."""
        return collate(samples)


class DrawnDataset(HostDataset):
    """Rows that another data set draws from, as many an epoch as it needs."""

    @abstractmethod
    def draw(self, start: int, length: int) -> NDArray[np.int64]:
        """Cut rows out of an endless stream, for an epoch that has another number of them than the data set.

        Cuts that follow one another hold every row again and again, of the smallest language and corpus too; no row
        comes a second time before all of its language and corpus came once.

        Args:
            start: rows of the stream before the cut: those of all epochs before.
            length: rows of the cut.

        Returns:
            (length,) int64, in the order of batching of the epoch at hand.
        """
