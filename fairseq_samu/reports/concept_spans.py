"""Annotated text with its concepts as coloured spans, and where they lie in the recording, as HTML."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from fairseq_samu.concepts import locate_concepts, strip_tags
from fairseq_samu.reports.concept_verdicts import MARKS, RIGHT, VALUE, WRONG, Verdict


@dataclass(frozen=True)
class Span:
    """A concept in the recording.

    Attributes:
        concept: its name.
        value: its words.
        start: seconds.
        end: seconds.
    """

    concept: str
    value: str
    start: float
    end: float


def cut_pieces(text: str) -> list[tuple[str | None, str]]:
    """Cut annotated text into concepts and what is between them, as ``extract_concepts`` reads it.

    Args:
        text: annotated, however damaged.

    Returns:
        Name (None outside of concepts) and plain words, single spaces between them; words outside are never empty.
    """
    pieces: list[tuple[str | None, str]] = []
    last = 0
    for concept, place in locate_concepts(text):
        pieces += [(None, strip_tags(text[last : place.start])), (concept.name, concept.value)]
        last = place.stop
    pieces.append((None, strip_tags(text[last:])))
    return [(name, words) for name, words in pieces if words or name is not None]


def annotated_html(text: str, verdicts: Sequence[Verdict], looks: Mapping[str, int], is_reference: bool) -> str:
    """Show annotated text.

    Args:
        text: annotated.
        verdicts: one for each of its concepts.
        looks: number of a look by name of a concept.
        is_reference: it is what should be, not what was given.
    """
    parts, waiting = [], iter(verdicts)
    for name, words in cut_pieces(text):
        if name is None:
            parts.append(f"<bdi>{escape(words)}</bdi>")
        else:
            parts.append(_concept(name, words, next(waiting), looks[name], is_reference))
    return " ".join(parts) or '<span class="quiet">nothing</span>'


def chip(name: str, look: int) -> str:
    """Show the name of a concept in its look."""
    return f'<span class="concept k{look}"><b><bdi>{escape(name)}</bdi></b></span>'


def strip_html(spans: Sequence[Span], verdicts: Sequence[Verdict], looks: Mapping[str, int], seconds: float) -> str:
    """Show where the concepts of a hypothesis lie in the recording; each is a button that plays it.

    Args:
        spans: in order.
        verdicts: one for each.
        looks: number of a look by name of a concept.
        seconds: length of the recording.
    """
    buttons = "".join(_buttons(spans, verdicts, looks, seconds))
    return f'<div class="strip" data-seconds="{seconds:.3f}"><i class="head"></i>{buttons}</div>'


def _buttons(
    spans: Sequence[Span], verdicts: Sequence[Verdict], looks: Mapping[str, int], seconds: float
) -> Iterator[str]:
    for span, verdict in zip(spans, verdicts, strict=True):
        start, end = min(span.start, seconds), min(span.end, seconds)
        place = f"left:{100 * start / seconds:.2f}%;width:{100 * (end - start) / seconds:.2f}%"
        title = f"{span.concept}: {span.value}, {span.start:.2f} to {span.end:.2f} s"
        mark = "" if verdict.kind == RIGHT else f"<em>{MARKS[verdict.kind]}</em> "
        yield (
            f'<button type="button" class="concept k{looks[span.concept]} is-{verdict.kind}" style="{place}"'
            f' data-start="{span.start:.3f}" data-end="{span.end:.3f}" title="{escape(title)}"'
            f' aria-label="Play {escape(title)}">{mark}<bdi>{escape(span.concept)}</bdi></button>'
        )


def _concept(name: str, words: str, verdict: Verdict, look: int, is_reference: bool) -> str:
    value = f"<bdi>{escape(words)}</bdi>" if words else '<span class="quiet">empty</span>'
    mark = "" if verdict.kind == RIGHT else f" <em>{MARKS[verdict.kind]} {_remark(verdict, is_reference)}</em>"
    return f'<span class="concept k{look} is-{verdict.kind}"><b><bdi>{escape(name)}</bdi></b> {value}{mark}</span>'


def _remark(verdict: Verdict, is_reference: bool) -> str:
    if verdict.kind == WRONG:
        relation = "taken for" if is_reference else "should be"
        return f"{relation} <bdi>{escape(verdict.other)}</bdi>"
    return "other value" if verdict.kind == VALUE else verdict.kind
