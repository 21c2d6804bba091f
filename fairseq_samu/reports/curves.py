"""The training curve as SVG: one panel for each figure, so that no axis serves two units."""

from fairseq_samu.reports.line_panel import Line, Panel, draw_panel

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
            Line([(row["epoch"], row[key]) for row in epochs.get(kind, []) if key in row], kind)
            for kind, key in sources
        ]
        lines = [line for line in lines if line.points]
        if lines:
            count = len({x for line in lines for x, _ in line.points})
            label = f"{title} over {count} epochs, last {lines[-1].points[-1][1]:.4g}"
            caption = "dashed: training, solid: validation" if len(lines) > 1 else ""
            images.append(draw_panel(Panel(title, lines, label, caption=caption)))
    return "\n".join(images)
