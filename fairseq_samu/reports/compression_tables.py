"""The figures of compressed utterances as rows of tables."""

from collections.abc import Iterator, Sequence

import numpy as np

from fairseq_samu.reports.compressed_row import CompressedRow, Compression

ROW_HEADER = ("Seconds", "Frames", "Segments", "Frames a segment", "Blank frames", "Blank segments", "Dropped frames")
SEGMENT_HEADER = (
    "Segment",
    "Label",
    "From, s",
    "To, s",
    "Frames",
    "Query at frame",
    "Attention inside",
    "Most at frame",
    "Share there",
)
MEAN_HEADER = ("Over all rows", "Figure")


def row_figures(row: CompressedRow) -> list[str]:
    """Counts of an utterance, below `ROW_HEADER`."""
    counts = row.counts()
    return [
        f"{row.seconds:.2f}",
        str(counts.frames),
        str(counts.segments),
        f"{counts.ratio:.2f}",
        _share(counts.blank_frames, counts.frames),
        _share(counts.blank_segments, counts.segments),
        _share(counts.dropped_frames, counts.frames),
    ]


def segment_rows(row: CompressedRow) -> Iterator[list[str]]:
    """Each segment of an utterance: where it lies, and what it attends to."""
    inside = row.inside
    for segment, (start, end) in enumerate(row.spans):
        weights = row.attention[segment]
        most = int(weights.argmax())
        yield [
            str(segment),
            row.segment_labels[segment] or "blank",
            f"{start * row.frame_seconds:.2f}",
            f"{end * row.frame_seconds:.2f}",
            str(int((row.of_frame == segment).sum())),
            str(int(row.starts[segment])) if row.keeps_first else "mean",
            f"{100 * inside[segment]:.1f} %",
            str(most),
            f"{100 * weights[most]:.1f} %",
        ]


def mean_rows(counts: Sequence[Compression]) -> Iterator[list[str]]:
    """Figures over all rows of a manifest.

    Args:
        counts: of every row, one at least.
    """
    total = {name: sum(getattr(one, name) for one in counts) for name in ("frames", "segments")}
    ratios = np.array([one.ratio for one in counts])
    least, low, middle, high, most = (float(value) for value in np.quantile(ratios, [0, 0.25, 0.5, 0.75, 1]))
    yield ["Rows", str(len(counts))]
    yield ["Frames in", str(total["frames"])]
    yield ["Segments out", str(total["segments"])]
    yield ["Frames a segment, all frames over all segments", f"{total['frames'] / total['segments']:.3f}"]
    yield ["Frames a segment, mean of the rows", f"{float(ratios.mean()):.3f}"]
    yield ["Lowest and highest row", f"{least:.2f}, {most:.2f}"]
    yield ["Quartiles of the rows", f"{low:.2f}, {middle:.2f}, {high:.2f}"]
    yield ["Blank frames", _share(sum(one.blank_frames for one in counts), total["frames"])]
    yield ["Blank segments", _share(sum(one.blank_segments for one in counts), total["segments"])]
    yield ["Dropped frames", _share(sum(one.dropped_frames for one in counts), total["frames"])]


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)"
