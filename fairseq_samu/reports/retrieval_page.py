"""The page of retrieval: one HTML file that needs no network, with plots and playable recordings."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from fairseq_samu.reports.curves import curves_svg
from fairseq_samu.reports.heat_map import heat_map_style, heat_map_svg
from fairseq_samu.reports.language_names import name_language

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
    place = files("fairseq_samu.reports")
    style = (place / "retrieval_page.css").read_text("utf-8") + heat_map_style()
    script = (place / "retrieval_page.js").read_text("utf-8")
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Retrieval by speech</title>',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<style>{style}</style></head><body><main><h1>Retrieval by speech</h1><p>{METHOD}</p>",
        *_heat_maps(scores["pairs"]),
        *_means(scores, baselines),
    ]
    if epochs:
        parts.append(f'<section><h2>Training</h2><div class="curves">{curves_svg(epochs)}</div></section>')
    if recordings:
        parts += _recordings(recordings, read_bytes)
    parts += [*_signature(scores.get("signature", {})), f"</main><script>{script}</script></body></html>"]
    return "\n".join(parts) + "\n"


def choose_recordings(recordings: Sequence[Mapping[str, Any]], limit: int) -> list[Mapping[str, Any]]:
    """Choose up to ``limit`` recordings in turn from each language and from right and wrong ones."""
    groups: dict[tuple[str, bool], list[Mapping[str, Any]]] = {}
    for recording in recordings:
        groups.setdefault((recording["lang"], is_right(recording)), []).append(recording)
    longest = max(map(len, groups.values()), default=0)
    mixed = [group[i] for i in range(longest) for group in groups.values() if i < len(group)]
    return mixed[:limit]


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
    yield _select("language", "Speech", [("", "all"), *((code, name_language(code)) for code in languages)])
    yield _select(
        "text", "Texts in", [("", "own language and English"), *((code, name_language(code)) for code in texts)]
    )
    yield _select("right", "First text in own language", [("", "all"), ("true", "right"), ("false", "wrong")])
    yield '<output id="shown"></output></form>'
    for recording in recordings:
        right = str(is_right(recording)).lower()
        lang = escape(str(recording["lang"]))
        yield f'<article data-lang="{lang}" data-right="{right}"><p><b>{escape(name_language(recording["lang"]))}</b>'
        yield f' <q lang="{lang}">{escape(recording["text"])}</q> <small>{escape(recording["id"])}</small></p>'
        yield _audio(recording, read_bytes)
        for code, items in recording["found"].items():
            hidden = "" if code in (recording["lang"], "en") else " hidden"
            lines = "".join(_found(code, item) for item in items[:3])
            yield f'<div class="found" data-text="{escape(code)}"{hidden}>{escape(name_language(code))}'
            yield f"<ol>{lines}</ol></div>"
        yield "</article>"
    yield "</section>"


def _audio(recording: Mapping[str, Any], read_bytes: Callable[[str], bytes]) -> str:
    data = read_bytes(recording["audio"])
    kinds = ((b"OggS", "ogg"), (b"RIFF", "wav"), (b"fLaC", "flac"))
    kind = next((name for start, name in kinds if data.startswith(start)), "mpeg")
    label = escape(f"Recording {recording['id']}")
    encoded = base64.b64encode(data).decode()
    return f'<audio controls preload="none" aria-label="{label}" src="data:audio/{kind};base64,{encoded}"></audio>'


def _found(code: str, item: Mapping[str, Any]) -> str:
    mark = '<span class="right">✓ right</span>' if item["right"] else '<span class="wrong">✗ wrong</span>'
    return (
        f'<li>{mark} <span lang="{escape(code)}">{escape(item["text"])}</span> <small>{item["score"]:.2f}</small></li>'
    )


def _select(name: str, label: str, options: Sequence[tuple[str, str]]) -> str:
    inner = "".join(f'<option value="{escape(value)}">{escape(shown)}</option>' for value, shown in options)
    return f'<label>{label} <select name="{name}">{inner}</select></label>'


def _signature(signature: Mapping[str, Any]) -> Iterator[str]:
    yield "<footer><h2>Signature</h2><dl>"
    for key, value in signature.items():
        yield f"<dt>{escape(str(key))}</dt><dd>{escape(str(value))}</dd>"
    yield "</dl></footer>"
