"""What a length compressor made of one utterance, and counts of what it made of many; plain arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16000


@dataclass(frozen=True)
class CompressedRow:
    """One utterance.

    Attributes:
        id: its name.
        text: what is said; empty where that is not known.
        wave: (N,) float samples at 16 kHz.
        labels: CTC's label of each of the T frames; empty for a blank.
        of_frame: (T,) int segment of each frame; S for one that was dropped.
        starts: (S,) int first frame of each segment.
        attention: (S, T) float how much each segment takes of each frame, mean over the heads; each row sums to 1.
        keeps_first: whether the query of a segment is its first frame; else it is a mean over its frames.
    """

    id: str
    text: str
    wave: NDArray[np.floating]
    labels: Sequence[str]
    of_frame: NDArray[np.integer]
    starts: NDArray[np.integer]
    attention: NDArray[np.floating]
    keeps_first: bool = True

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return len(self.wave) / SAMPLE_RATE

    @property
    def frame_seconds(self) -> float:
        """Length of a frame: an equal share of the recording."""
        return self.seconds / len(self.labels)

    @cached_property
    def segment_labels(self) -> list[str]:
        """Label of each segment: the first of its frames that is no blank; empty where there is none."""
        found = [""] * len(self.starts)
        for label, segment in zip(self.labels, self.of_frame.tolist(), strict=True):
            if segment < len(found) and not found[segment]:
                found[segment] = label
        return found

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """First frame of each segment, and the frame behind its last."""
        places = [np.flatnonzero(self.of_frame == segment) for segment in range(len(self.starts))]
        return [(int(place[0]), int(place[-1]) + 1) for place in places]

    @property
    def inside(self) -> NDArray[np.floating]:
        """(S,) share of each segment's attention that lies on its own frames."""
        own = self.of_frame == np.arange(len(self.starts))[:, None]
        return np.where(own, self.attention, 0.0).sum(axis=1)

    def counts(self) -> "Compression":
        """Count frames, segments, blanks and what was dropped."""
        blank = [not label for label in self.labels]
        return Compression(
            id=self.id,
            frames=len(self.labels),
            segments=len(self.starts),
            blank_frames=sum(blank),
            blank_segments=sum(not label for label in self.segment_labels),
            dropped_frames=int((self.of_frame >= len(self.starts)).sum()),
        )


@dataclass(frozen=True)
class Compression:
    """Counts of one utterance.

    Attributes:
        id: its name.
        frames: that went in.
        segments: that came out.
        blank_frames: frames whose label is the blank.
        blank_segments: segments of blanks alone.
        dropped_frames: frames that are in no segment.
    """

    id: str
    frames: int
    segments: int
    blank_frames: int
    blank_segments: int
    dropped_frames: int

    @property
    def ratio(self) -> float:
        """Frames for each segment."""
        return self.frames / self.segments
