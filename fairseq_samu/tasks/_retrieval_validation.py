"""Recall at 1 over a whole validation set, counted batch by batch."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from fairseq_samu.data.speech_text_dataset import SpeechTextDataset


class CandidateTexts:
    """All distinct texts of a validation set, as the candidates of every row's search.

    A row's recording competes among the texts of its own language; where the manifest names no languages, among all.
    Every worker knows all candidates, so that hits can be summed over workers.

    Args:
        dataset: a validation set with a teacher.
    """

    def __init__(self, dataset: SpeechTextDataset) -> None:
        assert dataset.teacher is not None
        places: dict[tuple[str, int], int] = {}
        self._place_of_row = torch.zeros(len(dataset.manifest), dtype=torch.int64)
        for row in dataset.rows.tolist():
            language = int(dataset.language_ids[row]) if len(dataset.language_ids) else 0
            key = (dataset.text_of(row), language)
            self._place_of_row[row] = places.setdefault(key, len(places))
        vectors = dataset.teacher.lookup([text for text, _ in places])
        self._vectors = torch.from_numpy(np.array(vectors, dtype=np.float32))
        self._languages = torch.tensor([language for _, language in places])

    def add_to(self, sample: dict[str, Any]) -> dict[str, Any]:
        """A batch with the keys ``candidates`` (C, E), ``candidate_index`` (B,), ``candidate_allowed`` (B, C)."""
        ids: Tensor = sample["id"]
        device = ids.device
        if self._vectors.device != device:
            self._vectors, self._languages = self._vectors.to(device), self._languages.to(device)
            self._place_of_row = self._place_of_row.to(device)
        match = self._place_of_row[ids]
        allowed = self._languages[match].unsqueeze(1) == self._languages.unsqueeze(0)
        return {**sample, "candidates": self._vectors, "candidate_index": match, "candidate_allowed": allowed}
