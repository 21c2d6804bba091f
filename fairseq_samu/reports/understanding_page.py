"""The page of spoken language understanding: scores, concepts, confusions, and utterances to listen to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from itertools import chain
from typing import Any, Optional

from fairseq_samu.reports.concept_colours import assign_looks, look_rules
from fairseq_samu.reports.concept_spans import chip
from fairseq_samu.reports.confusion_map import MOST_CONCEPTS, confusion_svg
from fairseq_samu.reports.curves import curves_svg
from fairseq_samu.reports.heat_grid import heat_map_style
from fairseq_samu.reports.page import build_document, list_signature
from fairseq_samu.reports.understood_rows import UnderstoodRow, lay_out_rows
from fairseq_samu.scoring.concept_table import ConceptRow, ConceptTable, tabulate_concepts
from fairseq_samu.scoring.understanding import METRICS

METHOD = (
    "Speech was turned into text with concepts, such as a number of rooms or a date, and is compared with what an "
    "annotator wrote."
)
MEANINGS = {
    "cher": "characters and tags",
    "wer": "words, without tags",
    "cer": "concepts, without values",
    "cver": "concepts with values",
}
HEADINGS = {
    "scores": "Error rates",
    "concepts": "By concept",
    "confusion": "Confusion of concepts",
    "listen": "Listen",
    "training": "Training",
}
"""Sections in their order, by the name that links to them."""

Scores = Mapping[str, Any]


def build_page(
    rows: Sequence[UnderstoodRow],
    chosen: Sequence[UnderstoodRow],
    scores: Mapping[str, Scores],
    epochs: Optional[dict[str, list[dict[str, float]]]],
    read_bytes: Callable[[str], bytes],
    note: str = "",
) -> str:
    """Lay out the page; what is None or empty leaves its section out.

    Args:
        rows: all utterances of the test set.
        chosen: those of them to be shown.
        scores: as `read_understanding` gives them, by the name of the system; the one shown comes first.
        epochs: as `read_train_log` gives them.
        read_bytes: gives the encoded bytes of a recording by its `audio`.
        note: what a reader must know, such as what the data are.

    Returns:
        HTML.
    """
    table = tabulate_concepts(*([row.cut[side] for row in rows] for side in (0, 1)))
    expected = {row.name for row in table.rows if row.detection.reference}
    looks = assign_looks(expected, (row.name for row in table.rows))
    sections: dict[str, list[str]] = {
        "scores": [*_scores(scores)] if scores else [],
        "concepts": [*_concepts(table, looks)] if table.rows else [],
        "confusion": [*_confusion(table)] if table.rows else [],
        "listen": [*lay_out_rows(chosen, len(rows), looks, read_bytes)] if chosen else [],
        "training": [*_training(epochs)] if epochs else [],
    }
    opening = f'<p class="note"><bdi>{escape(note)}</bdi></p>' if note else ""
    links = " ".join(f'<a href="#{key}">{HEADINGS[key]}</a>' for key, section in sections.items() if section)
    signature = next(iter(scores.values())).get("signature") if scores else None
    closing = list_signature({METRICS.get(key, key): text for key, text in signature.items()}) if signature else ()
    parts = [opening, f"<nav>{links}</nav>", *chain(*sections.values()), *closing]
    style = heat_map_style() + look_rules()
    return build_document("Spoken language understanding", METHOD, parts, "understanding_page", style)


def _scores(scores: Mapping[str, Scores]) -> Iterator[str]:
    yield f'<section id="scores"><h2>{HEADINGS["scores"]}</h2><table class="scores"><tr><th scope="col">System</th>'
    for metric, label in METRICS.items():
        yield f'<th scope="col">{label}, %<small>{MEANINGS[metric]}</small></th>'
    yield "</tr>"
    widest = {metric: max([_highest(part, metric) for part in scores.values()], default=0) or 100 for metric in METRICS}
    for name, part in scores.items():
        cells = "".join(_score(part, metric, widest[metric]) for metric in METRICS)
        yield f'<tr><th scope="row"><bdi>{escape(name)}</bdi></th>{cells}</tr>'
    yield "</table><p><small>Lower is better. S, D, I: substitutions, deletions, insertions; the line beside a dot and"
    yield "the brackets are the interval that holds 95 % of the bootstrap resamples.</small></p>"
    for text in next(iter(scores.values())).get("notes", []):
        yield f"<p><small><bdi>{escape(text)}</bdi></small></p>"
    yield "</section>"


def _highest(scores: Scores, metric: str) -> float:
    return max(scores[metric] or 0, *(scores.get(f"{metric}_interval") or [0]))


def _score(scores: Scores, metric: str, widest: float) -> str:
    value, ends, counts = scores[metric], scores.get(f"{metric}_interval"), scores["counts"][metric]
    shown = "–" if value is None else f"<b>{value:.1f}</b>"
    line = ""
    if ends:
        left, right = (100 * end / widest for end in ends)
        line = f'<i class="line" style="left:{left:.1f}%;width:{right - left:.1f}%"></i>'
        shown += f" <small>[{ends[0]:.1f}, {ends[1]:.1f}]</small>"
    if value is not None:
        line += f'<i class="dot" style="left:{100 * value / widest:.1f}%"></i>'
    edits = "S {substitutions} D {deletions} I {insertions} of {reference}".format(**counts)
    return f'<td data-label="{METRICS[metric]}, %">{shown}<span class="track">{line}</span><small>{edits}</small></td>'


def _concepts(table: ConceptTable, looks: Mapping[str, int]) -> Iterator[str]:
    yield f'<section id="concepts"><h2>{HEADINGS["concepts"]}</h2><table class="concepts sortable"><tr>'
    headings = ("Concept", "Reference", "Found", "S", "D", "I", "Precision, %", "Recall, %", "F1, %", "Right values")
    for heading in headings:
        yield f'<th scope="col"><button type="button">{heading}</button></th>'
    yield "</tr>"
    for row in table.rows:
        cells = "".join(f'<td data-value="{value:.6g}">{shown}</td>' for value, shown in _cells(row))
        name = chip(row.name, looks[row.name])
        yield f'<tr><th scope="row" data-value="{escape(row.name)}">{name}</th>{cells}</tr>'
    yield "</table><p><small>By the alignment of names that CER counts. S and D: of the reference, replaced by another"
    yield "concept and by none; I: in a hypothesis, in place of none. Right values: of those found, the ones with the"
    yield "words of the reference.</small></p></section>"


def _cells(row: ConceptRow) -> Iterator[tuple[float, str]]:
    """Value to sort by and text of each figure; what is not defined sorts last."""
    found = row.detection
    for count in (found.reference, found.found, row.substitutions, row.deletions, row.insertions):
        yield count, str(count)
    for rate in (found.precision, found.recall, found.f1):
        yield (-1, "–") if rate is None else (rate, f"{rate:.1f}")
    yield row.right_values, str(row.right_values)


def _confusion(table: ConceptTable) -> Iterator[str]:
    yield f'<section id="confusion"><h2>{HEADINGS["confusion"]}</h2><div class="confusion">'
    yield confusion_svg(table.confusion, [row.name for row in table.rows])
    yield "</div><p><small>How often the concept of a row was given as the concept of a column; framed: right. Colour:"
    yield "share of the row's concept in the references; for inserted ones, their number as a share of the column's."
    if len(table.rows) > MOST_CONCEPTS:
        yield f"The {len(table.rows) - MOST_CONCEPTS + 1} least frequent concepts are drawn as one."
    yield "</small></p></section>"


def _training(epochs: dict[str, list[dict[str, float]]]) -> Iterator[str]:
    yield f'<section id="training"><h2>{HEADINGS["training"]}</h2>'
    yield f'<div class="curves">{curves_svg(epochs)}</div></section>'
