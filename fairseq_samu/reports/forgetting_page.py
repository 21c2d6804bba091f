"""The page of forgetting: what tuning on some languages did to others, by language and by utterance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain

from fairseq_samu.reports.forest_plot import Difference, draw_forest
from fairseq_samu.reports.forgetting_tables import HEADER, LABELS, Result, list_changes, metrics_of
from fairseq_samu.reports.page import build_document, figure_table, list_signature, take_in_turn
from fairseq_samu.scoring.forgetting import LESS_IS_BETTER

METHOD = (
    "A model was tuned on some languages. The same test sets were decoded before and after, and every language is "
    "compared with itself on the same rows: what was not tuned should not get worse."
)
NOTE = (
    "Brackets hold 95 % of the bootstrap resamples, those of the difference drawn for both alike; p is two-sided. A "
    "difference whose interval holds zero is not shown. Languages are not corrected for their number: read the mean of "
    "those that were not tuned first. Changed: rows whose text differs."
)


@dataclass(frozen=True)
class LostRow:
    """A row whose text became worse.

    Attributes:
        id: of the row.
        language: or pair of languages.
        reference: what is right.
        before: what was written before.
        after: what was written after.
        loss: how many more character edits lead from the reference to the text after.
    """

    id: str
    language: str
    reference: str
    before: str
    after: str
    loss: int


def choose_losses(rows: Sequence[LostRow], limit: int) -> list[LostRow]:
    """Choose the rows that lost most, in turn of each language; rows that lost nothing are left out."""
    lost = sorted((row for row in rows if row.loss > 0), key=lambda row: -row.loss)
    return take_in_turn([(row.language, row) for row in lost], limit)


def build_page(
    systems: Mapping[str, Result],
    losses: Mapping[str, Sequence[LostRow]],
    signature: Mapping[str, str],
    note: str = "",
) -> str:
    """Lay out the page.

    Args:
        systems: by name, each as :func:`fairseq_samu.scoring.forgetting.describe_forgetting` gives it.
        losses: rows to show of each system.
        signature: what the figures depend on, by metric.
        note: what a reader must know, such as what the data are.

    Returns:
        HTML.
    """
    opening = f'<p class="note"><bdi>{escape(note)}</bdi></p>' if note else ""
    sections = chain.from_iterable(_section(name, result, losses.get(name, ())) for name, result in systems.items())
    closing = list_signature({LABELS[metric]: text for metric, text in signature.items()})
    return build_document("Forgetting", METHOD, [opening, *sections, *closing], "forgetting_page")


def draw_changes(result: Result, metric: str) -> str:
    """Draw the difference of every language with its interval, as an SVG image; empty where none is known."""
    lines = []
    for name, part in result["languages"].items():
        change = part["change"][metric]
        if change is not None:
            low, high = change.get("interval", [change["delta"]] * 2)
            label, kind = (f"{name} (tuned)", "tuned") if part["tuned"] else (name, "other")
            lines.append(Difference(label, change["delta"], low, high, kind))
    rule = "above 0 is worse" if metric in LESS_IS_BETTER else "below 0 is worse"
    return draw_forest(f"{LABELS[metric]}: after less before", f"difference, {rule}", lines)


def _section(name: str, result: Result, losses: Sequence[LostRow]) -> Iterator[str]:
    yield f"<section><h2><bdi>{escape(name)}</bdi></h2>"
    for metric in metrics_of(result):
        header = [LABELS[metric], *HEADER[1:]]
        yield f'<div class="curves">{draw_changes(result, metric)}</div>'
        yield figure_table(header, list_changes(result, metric))
    yield f"<p><small>{NOTE}</small></p>"
    if losses:
        yield f"<details><summary>{len(losses)} rows that were not tuned and lost most, by character edits</summary>"
        yield from map(_article, losses)
        yield "</details>"
    yield "</section>"


def _article(row: LostRow) -> str:
    texts = {"reference": row.reference, "before": row.before, "after": row.after}
    lines = "".join(f"<dt>{label}</dt><dd><bdi>{escape(text)}</bdi></dd>" for label, text in texts.items())
    title = f"{row.language}, {row.id}: {row.loss} more"
    return f"<article><h3><bdi>{escape(title)}</bdi></h3><dl>{lines}</dl></article>"
