"""The training curve as SVG: one panel for each figure, so that no axis serves two units."""

from collections.abc import Iterator, Sequence
from html import escape

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 340, 220, 52, 16, 34, 36

PANELS = (
    ("Loss", (("train", "train_loss"), ("valid", "valid_loss"))),
    ("CTC loss", (("train", "train_ctc_loss"), ("valid", "valid_ctc_loss"))),
    ("Mean cosine to the teacher", (("train", "train_mean_cosine"), ("valid", "valid_mean_cosine"))),
    ("Recall at 1 in %, validation", (("valid", "valid_recall_at_1"),)),
)


def curves_svg(epochs: dict[str, list[dict[str, float]]]) -> str:
    """Draw a panel for each figure of `PANELS` that the log holds.

    Args:
        epochs: as `read_train_log` gives them.

    Returns:
        SVG images one after the other; training dashed, validation solid.
    """
    images = []
    for title, sources in PANELS:
        lines = [
            (kind, [(row["epoch"], row[key]) for row in epochs.get(kind, []) if key in row]) for kind, key in sources
        ]
        lines = [(kind, points) for kind, points in lines if points]
        if lines:
            images.append("".join(_panel(title, lines)))
    return "\n".join(images)


def _panel(title: str, lines: Sequence[tuple[str, list[tuple[float, float]]]]) -> Iterator[str]:
    xs = [x for _, points in lines for x, _ in points]
    ys = [y for _, points in lines for _, y in points]
    low_x, high_x, low_y, high_y = min(xs), max(xs), min(ys), max(ys)

    def place(x: float, y: float) -> str:
        across = (x - low_x) / (high_x - low_x or 1) * (_WIDTH - _LEFT - _RIGHT) + _LEFT
        down = _HEIGHT - _BOTTOM - (y - low_y) / (high_y - low_y or 1) * (_HEIGHT - _TOP - _BOTTOM)
        return f"{across:.1f},{down:.1f}"

    yield f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" font-size="12"'
    yield f' aria-label="{escape(title)} over {len(set(xs))} epochs, last {lines[-1][1][-1][1]:.4g}">'
    yield f'<text x="{_LEFT}" y="18" font-weight="600">{escape(title)}</text>'
    yield f'<path class="axis" d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}"/>'
    for value, y in ((high_y, _TOP + 4), (low_y, _HEIGHT - _BOTTOM)):
        yield f'<text class="quiet" x="{_LEFT - 6}" y="{y}" text-anchor="end">{value:.4g}</text>'
    yield f'<text class="quiet" x="{_LEFT}" y="{_HEIGHT - 18}">epoch {low_x:g}</text>'
    yield f'<text class="quiet" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 18}" text-anchor="end">{high_x:g}</text>'
    for kind, points in lines:
        yield f'<polyline class="{kind}" points="{" ".join(place(x, y) for x, y in points)}"/>'
    if len(lines) > 1:
        yield f'<text class="quiet" x="{_LEFT}" y="{_HEIGHT - 3}">dashed: training, solid: validation</text>'
    yield "</svg>"
