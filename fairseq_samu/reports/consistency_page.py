"""The page of consistency: how far the gradients of auxiliary tasks agree with that of translation, over training.

The figures are those of the analysis of arXiv:2311.03810: cosines by module and by layer, norms, weights.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import chain

from fairseq_samu.reports.consistency_log import MODULES, TASKS, layers_by_part
from fairseq_samu.reports.consistency_plots import NUM_WINDOWS, Arm, draw_curves
from fairseq_samu.reports.consistency_tables import (
    COSINE_HEADER,
    COST_HEADER,
    NORM_HEADER,
    WEIGHT_HEADER,
    cosine_rows,
    cost_rows,
    norm_rows,
    weight_rows,
)
from fairseq_samu.reports.heat_grid import heat_map_rules
from fairseq_samu.reports.layer_map import common_scale, layer_map_svg
from fairseq_samu.reports.line_panel import line_rules
from fairseq_samu.reports.page import build_document, figure_table
from fairseq_samu.reports.svg_file import as_svg_file

METHOD = (
    "Speech translation (ST) was trained together with recognition (ASR) and text translation (MT). At some updates "
    "the gradient of each task's own mean loss was taken on the output projections of self-attention and compared "
    "with that of ST: a cosine above 0 says that a step for the one task helps the other, below 0 that it harms it."
)
HEADINGS = {
    "cosine": "Cosine with translation, by module",
    "layers": "Cosine with translation, by layer",
    "norm": "Norms of gradients",
    "ratio": "Norms beside that of translation",
    "weight": "Weights of the tasks",
    "cost": "Cost of measuring",
}
NOTES = {
    "cosine": "Mean over the layers of a module. Means of the first and of the last quarter of the measurements.",
    "layers": f"The mean of up to {NUM_WINDOWS} windows of updates, each named by its last; all maps have one scale.",
    "norm": "Of a task's mean loss, before its weight; mean over the layers of a module. Logarithmic axes.",
    "ratio": "Norm of a task's gradient over that of ST. Above 1 the task pulls harder than ST before it is weighted.",
    "weight": "A weight of 0, or a task that is measured no more, says that the task was dropped.",
    "cost": "Seconds on the first worker. The share is known where the log of training is given too.",
}
_FAINT = f"Where there are many points: bold the means of {NUM_WINDOWS} windows of updates, faint every measurement."

Images = Mapping[str, Mapping[str, str]]


def draw_images(arms: Sequence[Arm]) -> dict[str, dict[str, str]]:
    """Draw everything that the page shows.

    Args:
        arms: trainings side by side.

    Returns:
        SVG images by their sections, keys of `HEADINGS`, and by names without spaces.
    """
    curves = draw_curves(arms)
    parts = [(arm, part, layers) for arm in arms for part, layers in layers_by_part(arm.log).items()]
    scale = common_scale(layers for _, _, layers in parts)
    maps = {}
    for arm, (task, module), layers in parts:
        before = f"{arm.name}: " if len(arms) > 1 else ""
        name = f"{arms.index(arm) + 1}_{task}_{module}" if len(arms) > 1 else f"{task}_{module}"
        maps[name] = layer_map_svg(layers, f"{before}{TASKS[task]}, {MODULES[module].lower()}", scale)
    return {section: maps if section == "layers" else curves[section] for section in HEADINGS}


def build_page(arms: Sequence[Arm], images: Images, note: str = "") -> str:
    """Lay out the page; what was not measured leaves its section out.

    Args:
        arms: trainings side by side.
        images: as :func:`draw_images` gives them.
        note: what a reader must know, such as what the data are.

    Returns:
        HTML.
    """
    tables = {
        "cosine": figure_table(COSINE_HEADER, cosine_rows(arms)),
        "norm": figure_table(NORM_HEADER, norm_rows(arms)),
        "weight": figure_table(WEIGHT_HEADER, weight_rows(arms)),
        "cost": figure_table(COST_HEADER, cost_rows(arms)),
    }
    shown = [section for section in HEADINGS if images[section]]
    opening = f'<p class="note"><bdi>{escape(note)}</bdi></p>' if note else ""
    links = " ".join(f'<a href="#{section}">{HEADINGS[section]}</a>' for section in shown)
    sections = chain.from_iterable(_section(name, images[name], tables.get(name, "")) for name in shown)
    rules, dark_rules = _rules()
    style = f"{rules}@media(prefers-color-scheme:dark){{{dark_rules}}}"
    parts = [opening, f"<nav>{links}</nav>", *sections]
    return build_document("Consistency of the tasks", METHOD, parts, "consistency_page", style)


def list_files(images: Images) -> dict[str, str]:
    """Dress the images of :func:`draw_images` as files; gives the name of each and its text."""
    return {
        f"{section}_{name}.svg" if section != name else f"{name}.svg": as_svg_file(image, *_rules())
        for section, drawn in images.items()
        for name, image in drawn.items()
    }


def _section(name: str, images: Mapping[str, str], table: str) -> Iterator[str]:
    yield f'<section id="{name}"><h2>{HEADINGS[name]}</h2><div class="curves">'
    yield from images.values()
    faint = f" {_FAINT}" if any(" faint" in image for image in images.values()) else ""
    yield f"</div>{table}<p><small>{NOTES[name]}{faint}</small></p></section>"


def _rules() -> tuple[str, str]:
    """Rules of all images, and what they are on dark ground."""
    light, dark = (f"{lines}{cells}" for lines, cells in zip(line_rules(), heat_map_rules(), strict=True))
    return light, dark
