"""The utterances of the page of understanding: what was said, what was understood, what of it is right."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from fairseq_samu.errors import SamuError, explain, report_all
from fairseq_samu.reports.concept_spans import Span, annotated_html, strip_html
from fairseq_samu.reports.concept_verdicts import KINDS, MARKS, RIGHT, Verdict, judge
from fairseq_samu.reports.language_names import name_language
from fairseq_samu.reports.page import audio_element, select_element, take_in_turn
from fairseq_samu.scoring.understanding import Utterance


@dataclass(frozen=True)
class UnderstoodRow:
    """One utterance.

    Attributes:
        id: its name.
        language: code; empty where it is not known.
        audio: where the recording lies.
        seconds: its length.
        reference: annotated text.
        hypothesis: annotated text.
        cut: units of both, values in the form that is compared.
        spans: concepts of the hypothesis in the recording; None where they are not known.
    """

    id: str
    language: str
    audio: str
    seconds: float
    reference: str
    hypothesis: str
    cut: tuple[Utterance, Utterance]
    spans: Sequence[Span] | None = None
    verdicts: tuple[list[Verdict], list[Verdict]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "verdicts", judge(self.cut[0].concepts, self.cut[1].concepts))

    @property
    def kinds(self) -> set[str]:
        """Kinds of errors in it; empty where all concepts and their values are right."""
        return {verdict.kind for side in self.verdicts for verdict in side} - {RIGHT}

    @property
    def names(self) -> set[str]:
        """Concepts of reference and hypothesis."""
        return {concept.name for utterance in self.cut for concept in utterance.concepts}


def choose_rows(rows: Sequence[UnderstoodRow], limit: int) -> list[UnderstoodRow]:
    """Choose up to ``limit`` utterances in turn from each language and from right and wrong ones.

    Their order is that of a hash of their names: neighbours in a manifest often say the same.
    """
    mixed = sorted(rows, key=lambda row: (zlib.crc32(row.id.encode("utf-8", "surrogatepass")), row.id))
    return take_in_turn((((row.language, bool(row.kinds)), row) for row in mixed), limit)


def require_fitting_spans(rows: Sequence[UnderstoodRow], where: str) -> None:
    """Check that spans are those of the hypotheses.

    Args:
        rows: all of the test set.
        where: the file of the spans.

    Raises:
        SamuError: with every row whose spans have other concepts than its hypothesis.
    """
    faults = []
    for place, row in enumerate(rows):
        names = [concept.name for concept in row.cut[1].concepts]
        given = names if row.spans is None else [span.concept for span in row.spans]
        if given != names:
            rule = f"those of the hypothesis ({', '.join(names) or 'none'})"
            mend = "Give hypotheses and spans of one decoding."
            faults.append(explain(f"{where}: row {place}", "concepts", rule, ", ".join(given) or "none", mend))
    if faults:
        raise SamuError(report_all(faults))


def lay_out_rows(
    rows: Sequence[UnderstoodRow], total: int, looks: Mapping[str, int], read_bytes: Callable[[str], bytes]
) -> Iterator[str]:
    """Show utterances with their filters.

    Args:
        rows: those to be shown.
        total: how many there are in all.
        looks: number of a look by name of a concept.
        read_bytes: gives the encoded bytes of a recording by its ``audio``.
    """
    names = sorted({name for row in rows for name in row.names})
    numbers = {name: str(number) for number, name in enumerate(names)}
    shown = f"{len(rows)} of {total}" if len(rows) < total else f"{total}"
    yield f'<section id="listen"><h2>Listen: {shown} utterances</h2>'
    yield _explain_marks()
    if any(row.spans for row in rows):
        yield "<p><small>Below a recording: the concepts of the hypothesis in time; a click plays one.</small></p>"
    yield "<form>"
    languages = sorted({row.language for row in rows if row.language})
    if len(languages) > 1:
        yield select_element("language", "Language", [("", "all"), *((c, name_language(c)) for c in languages)])
    kinds = [("", "all"), ("any", "only with errors"), ("none", "only without errors")]
    kinds += [(kind, f"{MARKS[kind]} {meaning}") for kind, meaning in KINDS.items() if kind != RIGHT]
    yield select_element("kind", "Show", kinds)
    yield select_element("concept", "Concept", [("", "all"), *((numbers[name], name) for name in names)])
    yield '<output id="shown"></output></form>'
    for row in rows:
        yield from _article(row, looks, numbers, read_bytes)
    yield "</section>"


def _explain_marks() -> str:
    items = " ".join(
        f"<span><em>{MARKS[kind]}</em> {escape(meaning)}</span>" for kind, meaning in KINDS.items() if kind != RIGHT
    )
    return f'<p class="marks">{items} <span class="quiet">no sign: right</span></p>'


def _article(
    row: UnderstoodRow, looks: Mapping[str, int], numbers: Mapping[str, str], read_bytes: Callable[[str], bytes]
) -> Iterator[str]:
    concepts = " ".join(sorted((numbers[name] for name in row.names), key=int))
    language = escape(row.language)
    yield f'<article data-language="{language}" data-kinds="{" ".join(sorted(row.kinds))}" data-concepts="{concepts}">'
    name = f"<b>{escape(name_language(row.language))}</b> " if row.language else ""
    yield f"<p>{name}<small><bdi>{escape(row.id)}</bdi>, {row.seconds:.1f} s</small></p>"
    yield audio_element(read_bytes(row.audio), f"Utterance {row.id}")
    if row.spans and row.seconds > 0:
        yield strip_html(row.spans, row.verdicts[1], looks, row.seconds)
    texts = (("Reference", row.reference, row.verdicts[0]), ("Hypothesis", row.hypothesis, row.verdicts[1]))
    yield '<dl class="texts">'
    for place, (heading, text, verdicts) in enumerate(texts):
        shown = annotated_html(text, verdicts, looks, is_reference=place == 0)
        yield f'<dt>{heading}</dt><dd lang="{language}" dir="auto">{shown}</dd>'
    yield "</dl></article>"
