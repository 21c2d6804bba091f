"""A data set of rows of given lengths, for tests of how data sets are put together."""

import numpy as np

from fairseq_samu.data.collate import Item
from fairseq_samu.data.dataset_options import DatasetOptions
from fairseq_samu.data.row_dataset import RowDataset


class Lines(list):
    """What a data set needs of a manifest to choose rows."""

    path = "rows.tsv"
    language_ids = ()
    languages = ()


class NumberedRows(RowDataset):
    """Row n is a wave of ``lengths[n]`` samples, each of them ``value``; reading is counted.

    Args:
        lengths: of the rows.
        value: of the samples.
        note: called with the row at every reading, in whatever process.
        **options: of ``DatasetOptions``.
    """

    def __init__(self, lengths, value=1.0, note=lambda row: None, **options):
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.value = value
        self.note = note
        settings = DatasetOptions(audio_root=None, **{"training": True, **options})
        super().__init__(Lines(lengths), settings, by_duration=False)

    def num_tokens_vec(self, indices):
        return self.lengths[indices]

    def __getitem__(self, index):
        self.note(int(index))
        length = int(self.lengths[index])
        return Item(int(index), length, np.full(length, self.value, np.float32), language=0)
