"""A made-up utterance that a compressor has worked on, for tests of what is drawn of it."""

from typing import Any

import numpy as np

from fairseq_samu.reports.compressed_row import CompressedRow


def compressed(**fields: Any) -> CompressedRow:
    """Ten frames of 20 ms, ``a a - - b b b - c c``, whose last blank was dropped."""
    attention = np.zeros((4, 10))
    attention[0, 0], attention[0, 1] = 0.75, 0.25
    attention[1, 2:4] = 0.5
    attention[2] = 0.1
    attention[3, 8], attention[3, 4] = 0.6, 0.4
    wave = np.zeros(3200, dtype=np.float32)
    wave[:320], wave[320:640] = 0.5, -0.25
    given = {
        "id": "fr/1",
        "text": "abc",
        "wave": wave,
        "labels": ["a", "a", "", "", "b", "b", "b", "", "c", "c"],
        "of_frame": np.array([0, 0, 1, 1, 2, 2, 2, 4, 3, 3]),
        "starts": np.array([0, 2, 4, 8]),
        "attention": attention,
    }
    return CompressedRow(**{**given, **fields})
