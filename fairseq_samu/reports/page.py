"""What every page is made of: one HTML file that needs no network, and the parts that pages have in common."""

import base64
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any, TypeVar

Item = TypeVar("Item")


def build_document(title: str, intro: str, sections: Iterable[str], name: str, style: str = "") -> str:
    """Put sections into a document of its own.

    Args:
        title: heading, plain text.
        intro: what the page is about, plain text.
        sections: HTML.
        name: of the page; `NAME.css` beside this file is added to `page.css`, `NAME.js`, where there is one, is its
            script.
        style: further CSS.

    Returns:
        HTML.
    """
    place = files("fairseq_samu.reports")
    css, own_css = ((place / file).read_text("utf-8") for file in ("page.css", f"{name}.css"))
    script = place / f"{name}.js"
    parts = [
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<style>{css}{own_css}{style}</style></head><body><main><h1>{escape(title)}</h1><p>{escape(intro)}</p>",
        *sections,
        "</main>",
        f"<script>{script.read_text('utf-8')}</script>" if script.is_file() else "",
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def audio_element(data: bytes, label: str) -> str:
    """Embed a recording.

    Args:
        data: encoded bytes: Ogg, WAV, FLAC, or else taken for MP3.
        label: what it is called where it is not seen.
    """
    kinds = ((b"OggS", "ogg"), (b"RIFF", "wav"), (b"fLaC", "flac"))
    kind = next((name for start, name in kinds if data.startswith(start)), "mpeg")
    encoded = base64.b64encode(data).decode()
    address = f"data:audio/{kind};base64,{encoded}"
    return f'<audio controls preload="none" aria-label="{escape(label)}" src="{address}"></audio>'


def select_element(name: str, label: str, options: Sequence[tuple[str, str]]) -> str:
    """Offer a choice, given as (value, text shown)."""
    inner = "".join(f'<option value="{escape(value)}">{escape(shown)}</option>' for value, shown in options)
    return f'<label>{escape(label)} <select name="{escape(name)}">{inner}</select></label>'


def figure_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table of texts and figures, given as plain text; the first column names the row."""
    heading = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    lines = []
    for first, *cells in rows:
        inner = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        lines.append(f'<tr><th scope="row"><bdi>{escape(first)}</bdi></th>{inner}</tr>')
    return f'<table class="figures"><tr>{heading}</tr>{"".join(lines)}</table>'


def list_signature(signature: Mapping[str, Any]) -> Iterator[str]:
    """Close a page with what its figures depend on, by name."""
    yield "<footer><h2>Signature</h2><dl>"
    for key, value in signature.items():
        yield f"<dt>{escape(str(key))}</dt><dd>{escape(str(value))}</dd>"
    yield "</dl></footer>"


def take_in_turn(items: Iterable[tuple[Hashable, Item]], limit: int) -> list[Item]:
    """Choose items in turn from each group, groups and their members in order of appearance.

    Args:
        items: group and item.
        limit: how many at most.
    """
    groups: dict[Hashable, list[Item]] = {}
    for group, item in items:
        groups.setdefault(group, []).append(item)
    longest = max(map(len, groups.values()), default=0)
    mixed = [members[i] for i in range(longest) for members in groups.values() if i < len(members)]
    return mixed[: max(0, limit)]
