"""Sizes of what is compressed: `tiny` for the test, `full` by default; training steps have their own, in steps.py."""

from dataclasses import dataclass

BLANK = 0
LONG_BATCH = 20_000  # frames of a batch that is measured twice at most, and without warming up for it


@dataclass(frozen=True)
class Case:
    """A batch to compress.

    Attributes:
        frames: T of the longest row.
        rows: B.
    """

    frames: int
    rows: int

    @property
    def size(self) -> int:
        """Frames of the batch, padding included."""
        return self.frames * self.rows


@dataclass(frozen=True)
class Sizes:
    """Compressor and batches.

    Attributes:
        name: what `--size` takes.
        dim: features D of a frame.
        num_heads: of the attention that looks back.
        ffn_dim: inner features of the network behind it.
        labels: V of the logits.
        frames: T of the longest row of a batch, by the rows B.
        most_looped: largest batch, in frames, that the loop goes over when it looks back.
        most_shrunk: largest batch, in frames, that the loop goes over when it only shrinks.
        most_dense: largest batch, in frames, for which a mask or scores of S x T are made.
        repetitions: of each measurement; fewer of long batches.
    """

    name: str
    dim: int
    num_heads: int
    ffn_dim: int
    labels: int
    frames: dict[int, tuple[int, ...]]
    most_looped: int
    most_shrunk: int
    most_dense: int
    repetitions: int

    def cases(self) -> list[Case]:
        """All batches, the short ones first."""
        return [Case(length, rows) for rows, lengths in self.frames.items() for length in lengths]

    @staticmethod
    def rounds(case: Case, wanted: int) -> int:
        """Repetitions of a case: as many as are wanted, two at most of a long batch."""
        return min(wanted, 2) if case.size > LONG_BATCH else wanted


FULL = {
    1: (250, 500, 1000, 2000, 3000),
    8: (250, 500, 1000, 2000, 3000),
    16: (500, 1000, 2000, 3000),
    64: (250, 1000, 3000),
}
SIZES = {
    sizes.name: sizes
    for sizes in (
        Sizes("tiny", 16, 2, 32, 8, {1: (12, 40), 3: (12, 40)}, 40, 60, 1000, 2),
        Sizes("full", 512, 8, 2048, 128, FULL, most_looped=8_000, most_shrunk=64_000, most_dense=48_000, repetitions=3),
    )
}
