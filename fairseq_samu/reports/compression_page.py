"""The page of compression: what a length compressor made of utterances, and how much shorter it makes a data set.

Source of the compressor: arXiv:2311.03810, section 4.1.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import chain
from typing import Any

from fairseq_samu.reports.compressed_row import CompressedRow, Compression
from fairseq_samu.reports.compression_plot import compression_svg, plot_rules
from fairseq_samu.reports.compression_tables import (
    MEAN_HEADER,
    ROW_HEADER,
    SEGMENT_HEADER,
    mean_rows,
    row_figures,
    segment_rows,
)
from fairseq_samu.reports.histogram import histogram_svg
from fairseq_samu.reports.page import audio_element, build_document, figure_table, list_signature
from fairseq_samu.reports.svg_file import as_svg_file

METHOD = (
    "A length compressor makes one frame of each run of frames that have the same most probable label of CTC. The "
    "query of a run then attends to the frames that it was made of, or to all frames, for what the others hold."
)
WEIGHTS = {
    "segment": "Colour: how much a segment attends to each of its frames, mean over the heads.",
    "global": "Colour: how much a segment attends to each frame, mean over the heads.",
    "none": "Nothing looks back. Colour: how much of each frame is in its segment.",
}
"""What the attention is, by the scope of the compressor."""

Images = Mapping[str, str]


def draw_images(rows: Sequence[CompressedRow], counts: Sequence[Compression]) -> dict[str, str]:
    """Draw everything that the page shows.

    Args:
        rows: utterances to be shown.
        counts: of all rows of the manifest; empty where they were not asked for.

    Returns:
        SVG images: those of the rows as ``row_1`` and so on in their order, ``ratios`` and ``blanks``.
    """
    images = {f"row_{number}": compression_svg(row) for number, row in enumerate(rows, 1)}
    if counts:
        blanks = [100 * one.blank_frames / one.frames for one in counts]
        images["ratios"] = histogram_svg([one.ratio for one in counts], "Rows by their compression", "frames a segment")
        images["blanks"] = histogram_svg(blanks, "Rows by their blanks", "% of the frames are blank")
    return images


def build_page(
    rows: Sequence[CompressedRow],
    counts: Sequence[Compression],
    images: Images,
    recordings: Sequence[bytes],
    scope: str,
    signature: Mapping[str, Any],
) -> str:
    """Lay out the page.

    Args:
        rows: utterances to be shown.
        counts: see :func:`draw_images`.
        images: as :func:`draw_images` gives them.
        recordings: encoded bytes of the recording of each row.
        scope: of the compressor, a key of `WEIGHTS`.
        signature: what the figures depend on, by name.

    Returns:
        HTML.
    """
    shown = zip(rows, recordings, strict=True)
    parts = [
        *chain.from_iterable(
            _row(row, recording, images[f"row_{number}"], scope) for number, (row, recording) in enumerate(shown, 1)
        ),
        *(_ratios(counts, images) if counts else ()),
        *list_signature(signature),
    ]
    rules, dark_rules = _rules()
    style = f"{rules}@media(prefers-color-scheme:dark){{{dark_rules}}}"
    return build_document("Compression of speech", METHOD, parts, "compression_page", style)


def list_files(images: Images) -> dict[str, str]:
    """Dress the images of :func:`draw_images` as files; gives the name of each and its text."""
    return {f"{name}.svg": as_svg_file(image, *_rules()) for name, image in images.items()}


def _row(row: CompressedRow, recording: bytes, image: str, scope: str) -> Iterator[str]:
    yield f"<section><h2><bdi>{escape(row.id)}</bdi></h2>"
    if row.text:
        yield f"<p><q>{escape(row.text)}</q></p>"
    yield audio_element(recording, f"Recording {row.id}")
    yield figure_table(ROW_HEADER, [row_figures(row)])
    yield f'<div class="wide">{image}</div>'
    queries = "A dot below a frame: it is the query of its segment." if row.keeps_first else ""
    yield f"<p><small>Frames of one segment have one shade, blanks the palest; hatched frames were dropped. {queries} "
    yield f"Below, a line for each segment, its own frames outlined. {WEIGHTS[scope]}</small></p>"
    yield f"<details><summary>Figures of the {len(row.starts)} segments</summary>"
    yield f"{figure_table(SEGMENT_HEADER, segment_rows(row))}</details></section>"


def _ratios(counts: Sequence[Compression], images: Images) -> Iterator[str]:
    yield '<section id="ratio"><h2>Compression of all rows</h2>'
    yield f'<div class="curves">{images["ratios"]}{images["blanks"]}</div>'
    yield f"{figure_table(MEAN_HEADER, mean_rows(counts))}</section>"


def _rules() -> tuple[str, str]:
    """Rules of all images, and what they are on dark ground."""
    light, dark = plot_rules()
    return f"{light}.bars{{fill:#165d96}}", f"{dark}.bars{{fill:#65b6db}}"
