"""One compressed utterance as SVG: wave, labels of the frames, segments, their queries and what these attend to."""

from collections.abc import Iterator
from html import escape
from itertools import pairwise

import numpy as np

from fairseq_samu.reports.colours import NUM_STEPS, to_hex
from fairseq_samu.reports.compressed_row import CompressedRow
from fairseq_samu.reports.concept_colours import DARK_EDGES, LIGHT_EDGES
from fairseq_samu.reports.heat_grid import draw_scale, heat_map_rules

LONGEST_LABEL = 12
"""Characters of a label that are shown; the tooltip has all of it."""

# Pixels of the user's coordinate system. A label written upwards is as wide as a frame.
_FRAME, _LEFT, _RIGHT = 12, 110, 24
_WAVE_TOP, _WAVE_HEIGHT, _LABEL_HEIGHT, _FRAME_HEIGHT = 50, 60, 84, 16
_FRAMES_TOP = _WAVE_TOP + _WAVE_HEIGHT + _LABEL_HEIGHT
_MAP_TOP = _FRAMES_TOP + _FRAME_HEIGHT + 30
_BOTTOM = 50
_BINS = 4  # of the wave in a frame
_MARK = 5  # place of the colour of queries among those of concepts
_FILLS = ("q5", "q10")  # of segments in turn, so that neighbours are told apart


def compression_svg(row: CompressedRow) -> str:
    """Draw an utterance; everything stands below the moment that it belongs to.

    Args:
        row: with one frame at least.

    Returns:
        An SVG image for a page that brings :func:`plot_rules`.
    """
    width = _LEFT + len(row.labels) * _FRAME + _RIGHT
    bottom = _MAP_TOP + len(row.starts) * _FRAME
    label = (
        f"{row.id}: {len(row.labels)} frames of {row.seconds:.2f} s become {len(row.starts)} segments; "
        "attention of each segment over the frames"
    )
    parts = [
        f'<svg class="compression" viewBox="0 0 {width} {bottom + _BOTTOM}" width="{width}"'
        f' height="{bottom + _BOTTOM}" role="img" aria-label="{escape(label)}" font-size="12">',
        f'<text x="10" y="18" font-weight="600">{escape(row.id)}</text>',
        *_clock(row),
        *_headings(row),
        f'<path class="wave" d="{_wave_path(row)}"/>',
        *_frames(row),
        *_segments(row),
        *_attention(row),
        *draw_scale(_LEFT, bottom + 14, 240),
        f'<text class="quiet" x="{_LEFT + 256}" y="{bottom + 23}">of the highest weight in its row</text>',
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def plot_rules() -> tuple[str, str]:
    """CSS of the image, on light and on dark ground, beside that of every page."""
    scales = heat_map_rules()
    own = ".wave{fill:#536271}", ".wave{fill:#9fb0c0}"
    kept = [f".kept{{fill:{to_hex(edges[_MARK])}}}" for edges in (LIGHT_EDGES, DARK_EDGES)]
    dropped = ".dropped{fill:none;stroke:#536271;stroke-dasharray:2 2}", ".dropped{stroke:#9fb0c0}"
    light, dark = (f"{a}{b}{c}{d}" for a, b, c, d in zip(scales, own, kept, dropped, strict=True))
    return light, dark


def _across(frame: float) -> float:
    return _LEFT + frame * _FRAME


def _clock(row: CompressedRow) -> Iterator[str]:
    """Tenths of seconds as ticks, half seconds with their figure."""
    tenths = int(row.seconds * 10 + 1e-6)
    for tenth in range(tenths + 1):
        x = _across(tenth / 10 / row.frame_seconds)
        height = 6 if tenth % 5 == 0 else 3
        yield f'<path class="axis" d="M{x:.1f} {_WAVE_TOP - 6}v-{height}"/>'
        if tenth % 5 == 0:
            yield f'<text class="quiet" x="{x:.1f}" y="{_WAVE_TOP - 16}" text-anchor="middle">{tenth / 10:g} s</text>'


def _headings(row: CompressedRow) -> Iterator[str]:
    queries = "queries" if row.keeps_first else ""
    for y, text in (
        (_WAVE_TOP + _WAVE_HEIGHT / 2 + 4, "wave"),
        (_FRAMES_TOP - 8, "labels"),
        (_FRAMES_TOP + 12, "frames"),
        (_FRAMES_TOP + _FRAME_HEIGHT + 12, queries),
    ):
        if text:
            yield f'<text class="quiet" x="{_LEFT - 10}" y="{y:g}" text-anchor="end">{text}</text>'


def _wave_path(row: CompressedRow) -> str:
    """Highest and lowest sample of each quarter of a frame, scaled to the loudest of the recording."""
    count = len(row.labels) * _BINS
    edges = np.linspace(0, len(row.wave), count + 1).astype(int)[:-1]
    edges = np.minimum(edges, len(row.wave) - 1)
    loudest = float(np.abs(row.wave).max()) or 1.0
    middle, half = _WAVE_TOP + _WAVE_HEIGHT / 2, _WAVE_HEIGHT / 2
    sides = (np.maximum.reduceat(row.wave, edges), np.minimum.reduceat(row.wave, edges))
    upper, lower = ([middle - half * float(value) / loudest for value in side] for side in sides)
    xs = [_across((place + 0.5) / _BINS) for place in range(count)]
    there = [f"{x:.1f} {y:.1f}" for x, y in zip(xs, upper, strict=True)]
    back = [f"{x:.1f} {y:.1f}" for x, y in zip(xs, lower, strict=True)]
    return f"M{'L'.join(there)}L{'L'.join(reversed(back))}Z"


def _frames(row: CompressedRow) -> Iterator[str]:
    for frame, (label, segment) in enumerate(zip(row.labels, row.of_frame.tolist(), strict=True)):
        is_dropped = segment >= len(row.starts)
        shown = "dropped" if is_dropped else f"segment {segment}"
        title = f"frame {frame}, {frame * row.frame_seconds:.2f} s: {label or 'blank'}, {shown}"
        look = "dropped" if is_dropped else _FILLS[segment % 2] if label else "empty"
        place = f'x="{_across(frame) + 0.5:g}" y="{_FRAMES_TOP}" width="{_FRAME - 1}" height="{_FRAME_HEIGHT}"'
        yield f'<rect class="{look}" {place}><title>{escape(title)}</title></rect>'


def _segments(row: CompressedRow) -> Iterator[str]:
    """Where each segment begins, its label, and its query."""
    for segment, (start, label) in enumerate(zip(row.starts.tolist(), row.segment_labels, strict=True)):
        x = _across(start)
        yield f'<path class="axis" d="M{x:g} {_WAVE_TOP}V{_FRAMES_TOP + _FRAME_HEIGHT}"/>'
        if label:
            place = f"translate({x + 10:g} {_FRAMES_TOP - 6}) rotate(-90)"
            yield f'<text transform="{place}" font-size="11"><title>{escape(label)}</title>{escape(_cut(label))}</text>'
        if row.keeps_first:
            title = f"query of segment {segment}: frame {start}"
            circle = f'cx="{x + _FRAME / 2:g}" cy="{_FRAMES_TOP + _FRAME_HEIGHT + 8}" r="3.5"'
            yield f'<circle class="kept" {circle}><title>{escape(title)}</title></circle>'


def _attention(row: CompressedRow) -> Iterator[str]:
    """Segments down, frames to the right; the darker a cell, the more of its row's highest weight it has."""
    paths: dict[int, list[str]] = {}
    for segment, weights in enumerate(row.attention):
        y = _MAP_TOP + segment * _FRAME
        for step, first, count in _runs(weights):
            paths.setdefault(step, []).append(f"M{_across(first):g} {y}h{count * _FRAME}v{_FRAME}h-{count * _FRAME}z")
    for step, drawn in sorted(paths.items()):
        yield f'<path class="q{step}" d="{"".join(drawn)}"/>'
    for segment, (start, end) in enumerate(row.spans):
        y = _MAP_TOP + segment * _FRAME
        label = row.segment_labels[segment]
        look = "" if label else ' class="quiet"'
        text = escape(_cut(label) if label else "blank")
        yield f'<text{look} x="{_LEFT - 10}" y="{y + 10}" text-anchor="end" font-size="11">{text}</text>'
        side = (end - start) * _FRAME
        yield f'<path class="axis" d="M{_across(start):g} {y}h{side}v{_FRAME}h-{side}z"/>'


def _runs(weights: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Steps of the scale of neighbouring frames that have the same: step, first frame, number; not those of step 0."""
    steps = np.rint(weights / (float(weights.max()) or 1.0) * NUM_STEPS).astype(int)
    bounds = [0, *(np.flatnonzero(np.diff(steps)) + 1).tolist(), len(steps)]
    for first, end in pairwise(bounds):
        if steps[first] > 0:
            yield int(steps[first]), first, end - first


def _cut(label: str) -> str:
    label = label.replace("▁", "_")  # the mark of a word's begin, which is drawn heavier than letters
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"
