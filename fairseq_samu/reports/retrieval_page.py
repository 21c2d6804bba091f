"""The page of retrieval: one HTML file that needs no network, with plots and playable recordings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from fairseq_samu.reports.curves import curves_svg
from fairseq_samu.reports.heat_grid import heat_map_style
from fairseq_samu.reports.heat_map import heat_map_svg
from fairseq_samu.reports.language_names import name_language
from fairseq_samu.reports.page import audio_element, build_document, list_signature, select_element, take_in_turn

METHOD = (
    "A speech encoder was trained so that its embedding of a recording points where a frozen sentence encoder puts "
    "the recording's text. Each test recording then searches all test texts of a language by cosine similarity."
)


def build_page(
    scores: Mapping[str, Any],
    baselines: Mapping[str, Mapping[str, Any]],
    epochs: dict[str, list[dict[str, float]]] | None,
    recordings: Sequence[Mapping[str, Any]],
    read_bytes: Callable[[str], bytes],
) -> str:
    """Lay out the page; what is None or empty leaves its section out.

    Args:
        scores: as `read_scores` gives them.
        baselines: name to scores of other models.
        epochs: as `read_train_log` gives them.
        recordings: those to be shown, as `read_neighbours` gives them.
        read_bytes: gives the encoded bytes of a recording by its `audio`.

    Returns:
        HTML.
    """
    parts = [*_heat_maps(scores["pairs"]), *_means(scores, baselines)]
    if epochs:
        parts.append(f'<section><h2>Training</h2><div class="curves">{curves_svg(epochs)}</div></section>')
    if recordings:
        parts += _recordings(recordings, read_bytes)
    parts += list_signature(scores.get("signature", {}))
    return build_document("Retrieval by speech", METHOD, parts, "retrieval_page", heat_map_style())


def choose_recordings(recordings: Sequence[Mapping[str, Any]], limit: int) -> list[Mapping[str, Any]]:
    """Choose up to ``limit`` recordings in turn from each language and from right and wrong ones."""
    return take_in_turn((((recording["lang"], is_right(recording)), recording) for recording in recordings), limit)


def is_right(recording: Mapping[str, Any], code: str | None = None) -> bool:
    """Whether the first text found is right, in ``code`` or in the recording's own (else its first) language."""
    found = recording["found"]
    items = found.get(code or _first_language(recording), [])
    return bool(items and items[0]["right"])


def _first_language(recording: Mapping[str, Any]) -> str:
    found = recording["found"]
    return str(recording["lang"] if recording["lang"] in found else next(iter(found), ""))


def _heat_maps(pairs: Mapping[str, Any]) -> Iterator[str]:
    yield "<section><h2>Recall by language</h2><fieldset><legend>Show</legend>"
    for measure, label in (("r1", "Recall at 1"), ("r10", "Recall at 10")):
        checked = " checked" if measure == "r1" else ""
        yield f'<label><input type="radio" name="measure" value="{measure}"{checked}> {label}</label>'
    yield "</fieldset>"
    for measure in ("r1", "r10"):
        hidden = "" if measure == "r1" else " hidden"
        yield f'<div class="map" data-measure="{measure}"{hidden}>{heat_map_svg(pairs, measure, inline=True)}</div>'
    yield "</section>"


def _means(scores: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield '<section><h2>Mean over language pairs</h2><table><tr><th scope="col">Model</th>'
    yield '<th scope="col">Recall at 1, %</th><th scope="col">Recall at 10, %</th></tr>'
    rows = [("This model", scores["mean"]), *((name, other["mean"]) for name, other in baselines.items())]
    if scores.get("teacher_topline"):
        rows.append(("Teacher, given the text", scores["teacher_topline"]))
    mean = scores["mean"]
    if isinstance(mean.get("chance_r1"), (int, float)):
        rows.append(("Chance", {"r1": mean["chance_r1"], "r10": min(100.0, 10 * mean["chance_r1"])}))
    for name, figures in rows:
        cells = "".join(
            f'<td><span class="bar" style="width:{figures[key]:.1f}px"></span> {figures[key]:.1f}</td>'
            for key in ("r1", "r10")
        )
        yield f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'
    yield "</table></section>"


def _recordings(recordings: Sequence[Mapping[str, Any]], read_bytes: Callable[[str], bytes]) -> Iterator[str]:
    languages = sorted({str(recording["lang"]) for recording in recordings})
    texts = sorted({code for recording in recordings for code in recording["found"]})
    yield f"<section><h2>Listen: {len(recordings)} test recordings</h2><form>"
    yield select_element("language", "Speech", [("", "all"), *((code, name_language(code)) for code in languages)])
    yield select_element(
        "text", "Texts in", [("", "own language and English"), *((code, name_language(code)) for code in texts)]
    )
    yield select_element("right", "First text in own language", [("", "all"), ("true", "right"), ("false", "wrong")])
    yield '<output id="shown"></output></form>'
    for recording in recordings:
        right = str(is_right(recording)).lower()
        lang = escape(str(recording["lang"]))
        yield f'<article data-lang="{lang}" data-right="{right}"><p><b>{escape(name_language(recording["lang"]))}</b>'
        yield f' <q lang="{lang}">{escape(recording["text"])}</q> <small>{escape(recording["id"])}</small></p>'
        yield audio_element(read_bytes(recording["audio"]), f"Recording {recording['id']}")
        for code, items in recording["found"].items():
            hidden = "" if code in (recording["lang"], "en") else " hidden"
            lines = "".join(_found(code, item) for item in items[:3])
            yield f'<div class="found" data-text="{escape(code)}"{hidden}>{escape(name_language(code))}'
            yield f"<ol>{lines}</ol></div>"
        yield "</article>"
    yield "</section>"


def _found(code: str, item: Mapping[str, Any]) -> str:
    mark = '<span class="right">✓ right</span>' if item["right"] else '<span class="wrong">✗ wrong</span>'
    return (
        f'<li>{mark} <span lang="{escape(code)}">{escape(item["text"])}</span> <small>{item["score"]:.2f}</small></li>'
    )
