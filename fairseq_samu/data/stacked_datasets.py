"""Several data sets behind one: the numbering that they share."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairseq_samu.data.feature_cache import FeatureCache
from fairseq_samu.data.host_dataset import HostDataset


class StackedDatasets(HostDataset):
    """Rows of several data sets; an index is that of the row plus a multiple of ``stride`` for the data set.

    Args:
        parts: the data sets, read alike.
        name: for the log.
    """

    def __init__(self, parts: Sequence[HostDataset], name: str) -> None:
        super().__init__(name, parts[0].options)
        self.parts: list[Any] = list(parts)
        self.stride = max(part.num_indices for part in parts)

    @property
    def num_indices(self) -> int:
        """Least number above every index."""
        return self.stride * len(self.parts)

    @property
    def has_texts(self) -> bool:
        """Whether all parts have target texts."""
        return all(part.has_texts for part in self.parts)

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch that draws depend on, 1-based."""
        for part in self.parts:
            part.set_epoch(epoch)

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __getitem__(self, index: int) -> Any:
        return self.parts[int(index) // self.stride][int(index) % self.stride]

    def num_tokens_vec(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Length of rows as they will be read in this epoch, (R,) int64, each as its data set counts it."""
        numbers, rows = np.divmod(indices, self.stride)
        lengths = np.zeros(len(indices), dtype=np.int64)
        for number in np.unique(numbers):
            own = numbers == number
            lengths[own] = self.parts[number].num_tokens_vec(rows[own])
        return lengths

    def use_cache(self, cache: FeatureCache, encode: Callable[..., Any], batch_samples: int) -> float:
        """Hand out cached features from now on; see ``SpeechTextDataset.use_cache``."""
        return sum(part.use_cache(cache, encode, batch_samples) for part in self.parts)
