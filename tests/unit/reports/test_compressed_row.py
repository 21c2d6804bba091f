"""Counts and places of a compressed utterance, against what was counted by hand."""

import numpy as np
import pytest

from fairseq_samu.reports.compressed_row import Compression
from tests.unit.reports.compressed import compressed


def test_counts():
    assert compressed().counts() == Compression(
        "fr/1", frames=10, segments=4, blank_frames=3, blank_segments=1, dropped_frames=1
    )
    assert compressed().counts().ratio == 2.5


def test_times_and_places():
    row = compressed()
    assert row.seconds == 0.2 and row.frame_seconds == pytest.approx(0.02)
    assert row.spans == [(0, 2), (2, 4), (4, 7), (8, 10)]
    assert row.segment_labels == ["a", "", "b", "c"]


def test_a_segment_that_took_blanks_in_has_the_label_of_the_others():
    row = compressed(
        labels=["", "a", "", "b"], of_frame=np.array([0, 0, 0, 1]), starts=np.array([0, 3]), attention=np.ones((2, 4))
    )
    assert row.segment_labels == ["a", "b"]
    assert row.counts().blank_segments == 0


def test_attention_inside():
    assert np.allclose(compressed().inside, [1.0, 1.0, 0.3, 0.6])
