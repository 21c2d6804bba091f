"""Several tasks over the same speech, each batch of one task."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from fairseq.data import FairseqDataset
from numpy.typing import NDArray

from fairseq_samu.data.collate import Item
from fairseq_samu.data.feature_cache import FeatureCache
from fairseq_samu.data.speech_text_dataset import SpeechTextDataset


class MultitaskDataset(FairseqDataset):
    """Rows of several data sets; an index is the row plus a multiple of ``stride`` for the data set.

    Args:
        parts: data set of each task.
    """

    def __init__(self, parts: Mapping[str, SpeechTextDataset]) -> None:
        self.parts = list(parts.values())
        self.options = self.parts[0].options
        self.stride = max(len(part.manifest) for part in self.parts)

    @property
    def has_texts(self) -> bool:
        """Whether all parts have target texts."""
        return all(part.has_texts for part in self.parts)

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        """Training batches are drawn anew every epoch, others stay."""
        return not self.options.training

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch that draws depend on, 1-based."""
        for part in self.parts:
            part.set_epoch(epoch)

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __getitem__(self, index: int) -> Item | None:
        return self.parts[int(index) // self.stride][int(index) % self.stride]

    def num_tokens(self, index: int) -> int:
        """Samples of a row as it will be read in this epoch."""
        return self.parts[int(index) // self.stride].num_tokens(int(index) % self.stride)

    def size(self, index: int) -> int:
        """As ``num_tokens``."""
        return self.num_tokens(index)

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

    def filter_indices_by_size(self, indices: NDArray[np.int64], max_sizes: Any) -> tuple[NDArray[np.int64], list[int]]:
        """Keep all rows: the data sets' limits are in seconds and were applied with their reason."""
        return indices, []

    def collater(self, samples: list[Item | None]) -> dict[str, Any]:
        """See ``collate.collate``."""
        return self.parts[0].collater(samples)

    def use_cache(self, cache: FeatureCache, encode: Callable[..., Any], batch_samples: int) -> float:
        """Hand out cached features from now on; see :meth:`SpeechTextDataset.use_cache`."""
        return sum(part.use_cache(cache, encode, batch_samples) for part in self.parts)
